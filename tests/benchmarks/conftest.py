"""Fixtures of the benchmarks' tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from trainer.corpora import ravdess

Check = Callable[[Any], bool]


@pytest.fixture(scope="session")
def positive() -> Check:
    """Whether every number in nested dicts and lists is finite and not negative, and there is one."""

    def check(value: Any) -> bool:
        if isinstance(value, Mapping | list):
            return bool(value) and all(map(check, value.values() if isinstance(value, Mapping) else value))
        return not isinstance(value, float | int) or bool(np.isfinite(value) and value >= 0)

    return check


@pytest.fixture
def two_clips(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, jfk: Path) -> None:
    """Two short clips stand in for RAVDESS, which is not in the repository."""
    speech, rate = soundfile.read(jfk)
    files = [tmp_path / "one.wav", tmp_path / "two.wav"]
    soundfile.write(files[0], speech[int(5.1 * rate) : int(7.9 * rate)], rate)
    soundfile.write(files[1], speech[int(8.0 * rate) :], rate)
    monkeypatch.setattr(ravdess, "load", lambda folder: [SimpleNamespace(audio=file) for file in files])
