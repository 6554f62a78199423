"""What all tests share: where the repository's own files are, the default bundle, and a tiny one to damage."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

TESTS = Path(__file__).resolve().parent
# pytest may put tests/ on the path, where tests/edge_runtime would stand in for the package itself.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != TESTS]

from edge_runtime import IEmoNet  # noqa: E402 - only now is it the real one
from edge_runtime.bundle import MANIFEST, SCHEMA, SLOTS, TEMPERATURES, TOKENIZERS  # noqa: E402
from tests.skips import pytest_sessionfinish, pytest_terminal_summary  # noqa: E402, F401 - pytest finds them here

REPOSITORY = TESTS.parent
FILLED = tuple(slot for slot in SLOTS if slot != "transcript_encoder")
NOBODY = 65_534
LABELS = ["angry", "happy", "neutral", "sad"]
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def bundle_folder() -> Path:
    return REPOSITORY / "models" / "en-tiny-int8"


@pytest.fixture(scope="session")
def jfk() -> Path:
    return REPOSITORY / "examples" / "jfk.wav"


@pytest.fixture(scope="session")
def jfk_words() -> list[str]:
    """What is said in ``jfk``, in lower case and without punctuation; compare with ``words_of``."""
    said = "and so my fellow americans ask not what your country can do for you"
    return (said + " ask what you can do for your country").split()


@pytest.fixture(scope="session")
def model(bundle_folder: Path) -> IEmoNet:
    return IEmoNet.load(bundle_folder, device="cpu", threads=1)


@pytest.fixture
def tiny_bundle(tmp_path: Path) -> Path:
    """A bundle valid in every respect that is checked; every graph of it hands its one input on as its one output."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    for slot in FILLED:
        save_graph(folder / f"{slot}.onnx", len(LABELS))
    for name in TOKENIZERS:
        (folder / f"{name}_tokenizer.json").write_text("{}")
    tensor = {"dtype": "tensor(float)", "shape": ["batch", len(LABELS)]}
    ends = {"inputs": [{"name": "x", **tensor}], "outputs": [{"name": "logits", **tensor}]}
    manifest = {
        "schema": SCHEMA,
        "name": "tiny",
        "version": "0.0.1",
        "labels": LABELS,
        "sample_rate": 16_000,
        "slots": {s: {**stated(folder / f"{s}.onnx"), "precision": "fp32", **ends} for s in FILLED},
        "tokenizers": {name: stated(folder / f"{name}_tokenizer.json") for name in TOKENIZERS},
        "decoding": {"prompt": [1], "end": 2, "suppress": [3], "begin_suppress": [], "max_tokens": 9},
        "calibration": dict.fromkeys(TEMPERATURES, 1.5),
        "metrics": {},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def altered(tmp_path: Path, bundle_folder: Path) -> Callable[[str, str, bytes], Path]:
    """``altered("slots", "fusion", data)`` is the default bundle with one file that holds other data."""

    def copy(kind: str, name: str, data: bytes) -> Path:
        manifest = json.loads((bundle_folder / MANIFEST).read_text())
        folder = tmp_path / "altered"
        folder.mkdir()
        for path in bundle_folder.iterdir():
            (folder / path.name).symlink_to(path)
        file = folder / manifest[kind][name]["file"]
        file.unlink()
        file.write_bytes(data)
        manifest[kind][name].update(stated(file))
        (folder / MANIFEST).unlink()
        (folder / MANIFEST).write_text(json.dumps(manifest))
        return folder

    return copy


@pytest.fixture
def change(tiny_bundle: Path) -> Callable[[Change], Path]:
    """``change(edit)`` rewrites the manifest of ``tiny_bundle`` after ``edit`` has changed it in place."""

    def rewrite(edit: Change) -> Path:
        manifest = json.loads((tiny_bundle / MANIFEST).read_text())
        edit(manifest)
        (tiny_bundle / MANIFEST).write_text(json.dumps(manifest))
        return tiny_bundle

    return rewrite


def save_graph(path: Path, width: int) -> None:
    x, logits = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width]) for name in ("x", "logits"))
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["logits"])], "tiny", [x], [logits])
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]), path)


def stated(path: Path) -> dict[str, Any]:
    """What a manifest states of a file."""
    data = path.read_bytes()
    return {"file": path.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@pytest.fixture(scope="session")
def ffmpeg() -> Callable[..., bytes]:
    """``ffmpeg(*arguments)`` runs it and returns what it writes to standard output."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg (apt-get install ffmpeg)")

    def run(*arguments: object) -> bytes:
        command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)]
        return subprocess.run(command, check=True, capture_output=True).stdout

    return run


@pytest.fixture(scope="session")
def ffmpeg_seconds(ffmpeg: Callable[..., bytes]) -> Callable[[Path], float]:
    """``ffmpeg_seconds(file)`` is how much sound ffmpeg finds in a file, once all of it is decoded."""
    return lambda file: len(ffmpeg("-i", file, "-vn", "-f", "s16le", "-ac", 1, "-ar", 16_000, "-")) / 32_000


@pytest.fixture
def as_ordinary_user() -> Iterator[Path]:
    """A folder of an ordinary user, who runs the test: to root no file is closed."""
    if os.name == "nt":
        pytest.skip("files are closed in other ways there")
    folder = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        for place, folders, _ in os.walk(folder):
            for name in folders:
                Path(place, name).chmod(0o700)
        shutil.rmtree(folder)
