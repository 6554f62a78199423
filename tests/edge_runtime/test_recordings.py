"""Which recordings files, folders and patterns mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime import AudioNotFoundError
from edge_runtime.recordings import recordings


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.wav", "a.FLAC", "notes.txt", ".hidden.wav", "in/c.mp3", "in/deep/d.ogg", ".git/e.wav", "[x].wav"):
        (tmp_path / "calls" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "calls" / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("calls", ["calls/[x].wav", "calls/a.FLAC", "calls/b.wav", "calls/in/c.mp3", "calls/in/deep/d.ogg"]),
        ("calls/in/", ["calls/in/c.mp3", "calls/in/deep/d.ogg"]),
        ("calls/*.wav", ["calls/[x].wav", "calls/b.wav"]),
        ("calls/**/*.ogg", ["calls/in/deep/d.ogg"]),
        ("calls/[x].wav", ["calls/[x].wav"]),
        ("calls/notes.txt", ["calls/notes.txt"]),
        ("missing.wav", ["missing.wav"]),
        ("-", ["-"]),
        ("n" * 5_000, ["n" * 5_000]),
        ("x\0", ["x\0"]),
    ],
)
def test_names_mean_recordings(name: str, expected: list[str]) -> None:
    assert list(recordings([name])) == expected


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("name", ["empty", "nothing/*.wav", "calls/[y].wav"])
def test_what_means_none_is_an_error(name: str) -> None:
    with pytest.raises(AudioNotFoundError) as caught:
        list(recordings([name]))
    assert str(caught.value).startswith(f"{name}: no recordings there")


@pytest.mark.usefixtures("calls")
def test_they_come_in_the_order_given() -> None:
    assert list(recordings(["calls/b.wav", "calls/in", "x.wav"])) == [
        "calls/b.wav", "calls/in/c.mp3", "calls/in/deep/d.ogg", "x.wav",
    ]  # fmt: skip
