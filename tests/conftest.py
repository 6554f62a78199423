"""What all tests share: where the repository's own files are, and the default bundle, loaded once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
# pytest may put tests/ on the path, where tests/edge_runtime would stand in for the package itself.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != TESTS]

from edge_runtime import IEmoNet  # noqa: E402 - only now is it the real one

REPOSITORY = TESTS.parent


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
