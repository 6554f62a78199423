"""What all tests share: where the repository's own files are, the default bundle, and a tiny one to damage."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import settings

# Read when torch and the model hub's client are imported: tests run side by side, and none may wait for the hub.
os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")

TESTS = Path(__file__).resolve().parent
# pytest may put tests/ on the path, where tests/edge_runtime would stand in for the package itself.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != TESTS]

from edge_runtime import IEmoNet  # noqa: E402 - only now is it the real one
from edge_runtime.bundle.bundle import MANIFEST  # noqa: E402
from tests.skips import pytest_sessionfinish, pytest_terminal_summary  # noqa: E402, F401 - pytest finds them here
from tests.tiny_bundle import build, stated  # noqa: E402

REPOSITORY = TESTS.parent
NOBODY = 65_534
Change = Callable[[dict[str, Any]], Any]

# What is run in the background may have been started with Ctrl-C ignored, and all that it starts would ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run, however slow or busy the machine is.
settings.register_profile("tests", derandomize=True, deadline=None)
settings.load_profile("tests")


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
def speech(jfk: Path) -> np.ndarray:
    """The samples of ``jfk`` (176000,) at 16 kHz."""
    samples: np.ndarray = soundfile.read(jfk, dtype="float32")[0]
    samples.flags.writeable = False
    return samples


@pytest.fixture(scope="session")
def model(bundle_folder: Path) -> IEmoNet:
    # One by one: so a stream and a whole recording have the same numbers to the last digit.
    return IEmoNet.load(bundle_folder, device="cpu", threads=1, batch_memory_mb=0)


@pytest.fixture
def tiny_bundle(tmp_path: Path) -> Path:
    """A bundle whose graphs have a few nodes each, which answers as a whole one does."""
    return build(tmp_path / "tiny")


@pytest.fixture(scope="session")
def comparing_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny bundle that takes a baseline."""
    return build(tmp_path_factory.mktemp("comparing") / "tiny", takes_baseline=True)


@pytest.fixture(scope="session")
def context_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny bundle that reads what was said before, and takes a baseline."""
    folder = tmp_path_factory.mktemp("context") / "tiny"
    return build(folder, takes_baseline=True, reads_context=True)


@pytest.fixture(scope="session")
def comparing(comparing_bundle: Path) -> IEmoNet:
    """The model of ``comparing_bundle``: its voice differs from that of a bundle without, its fused answer does not."""
    return IEmoNet.load(comparing_bundle, device="cpu", threads=1)


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


@pytest.fixture(scope="session")
def ffmpeg() -> Callable[..., bytes]:
    """``ffmpeg(*arguments)`` runs it and returns what it writes to standard output."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg")

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
