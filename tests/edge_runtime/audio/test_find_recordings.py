"""Which recordings a name means, and what is said of those that it leaves out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime import AudioError, AudioNotFoundError
from edge_runtime.audio.find_recordings import SUFFIXES, UNSUPPORTED_SUFFIXES, find_recordings
from edge_runtime.audio.recording import Recording

WRITTEN = {
    **dict.fromkeys((".wav", ".wave", ".bwf"), ("-f", "wav")),
    ".rf64": ("-f", "wav", "-rf64", "always"),
    ".w64": ("-f", "w64"),
    ".flac": ("-f", "flac"),
    **dict.fromkeys((".ogg", ".oga"), ("-f", "ogg", "-c:a", "libvorbis")),
    ".opus": ("-f", "opus"),
    **dict.fromkeys((".mp3", ".mpga"), ("-f", "mp3")),
    **dict.fromkeys((".mp2", ".mpa"), ("-f", "mp2")),
    **dict.fromkeys((".aif", ".aiff"), ("-f", "aiff")),
    ".aifc": ("-f", "aiff", "-c:a", "pcm_mulaw"),
    **dict.fromkeys((".au", ".snd"), ("-f", "au")),
    ".caf": ("-f", "caf"),
}
"""How ffmpeg writes what has each suffix."""
UNREADABLE = {
    **dict.fromkeys((".m4a", ".mp4", ".3gp"), ("-c:a", "aac", "-f", "mp4")),
    ".mov": ("-c:a", "aac", "-f", "mov"),
    ".aac": ("-f", "adts"),
    **dict.fromkeys((".webm", ".mka", ".mkv"), ("-c:a", "libopus", "-f", "matroska")),
    ".wma": ("-f", "asf"),
    ".avi": ("-c:a", "mp3", "-f", "avi"),
}


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
def test_a_name_means_recordings(name: str, expected: list[str]) -> None:
    found = find_recordings(name)
    assert list(found.files) == expected
    assert (found.note, list(found.unreadable)) == (None, [])


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("name", ["empty", "calls/[y].wav", "*.wav"])
def test_what_means_none_is_an_error(name: str) -> None:
    with pytest.raises(AudioNotFoundError) as caught:
        find_recordings(name)
    assert str(caught.value).startswith(f"{name}: no recordings there")


@pytest.mark.usefixtures("calls")
def test_a_pattern_in_a_folder_that_is_not_there_names_the_folder() -> None:
    with pytest.raises(AudioNotFoundError, match=r"^nothing: no such folder$"):
        find_recordings("nothing/*.wav")


@pytest.mark.parametrize("suffix", sorted(WRITTEN))
def test_what_is_looked_for_in_folders_is_read(
    ffmpeg: Callable[..., bytes], jfk: Path, tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"clip{suffix}"
    ffmpeg("-i", jfk, "-t", 1, "-ar", 48_000, *WRITTEN[suffix], file)
    assert find_recordings(str(tmp_path)).files == [str(file)]
    recording = Recording(file)
    assert sum(map(len, recording.blocks())) == pytest.approx(16_000, abs=1_600)
    assert recording.notes == []


@pytest.mark.parametrize("suffix", sorted(UNREADABLE))
def test_what_is_passed_over_in_folders_is_refused_by_name_with_how_to_convert_it(
    ffmpeg: Callable[..., bytes], jfk: Path, tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"clip{suffix}"
    ffmpeg("-i", jfk, "-t", 1, *UNREADABLE[suffix], file)
    with pytest.raises(AudioNotFoundError, match=rf"no recordings there; 1 file passed over .*\(\{suffix} 1\)"):
        find_recordings(str(tmp_path))
    with pytest.raises(AudioError) as caught:
        Recording(file)
    assert f"ffmpeg -i {file} -f wav - | edge-iemonet classify -" in str(caught.value)


def test_no_suffix_is_both_read_and_passed_over() -> None:
    assert not SUFFIXES & UNSUPPORTED_SUFFIXES
    assert set(WRITTEN) == SUFFIXES
    assert set(UNREADABLE) <= UNSUPPORTED_SUFFIXES


def test_what_is_passed_over_is_counted_by_suffix(calls: Path) -> None:
    for name in ("x.m4a", "y.M4A", "in/z.webm", ".hidden.m4a", "notes.docx"):
        (calls / "calls" / name).touch()
    found = find_recordings("calls")
    assert len(found.files) == 5
    assert found.note == (
        "3 files passed over that cannot be read here (.m4a 2, .webm 1); convert them: ffmpeg -i IN OUT.wav"
    )


def test_a_folder_that_may_not_be_read_is_named_and_the_others_are_searched(as_ordinary_user: Path) -> None:
    for name in ("closed", "open"):
        (as_ordinary_user / name).mkdir()
        (as_ordinary_user / name / "a.wav").touch()
    closed = as_ordinary_user / "closed"
    closed.chmod(0)
    found = find_recordings(str(as_ordinary_user))
    assert found.files == [str(as_ordinary_user / "open" / "a.wav")]
    assert [str(error) for error in found.unreadable] == [f"{closed}: cannot be read (permission denied)"]
    alone = find_recordings(str(closed))
    assert (alone.files, [str(error) for error in alone.unreadable]) == ([], [str(found.unreadable[0])])
    with pytest.raises(AudioError, match=r"closed: cannot be read \(permission denied\)$"):
        find_recordings(f"{closed}/*.wav")
    assert find_recordings(f"{closed}/a.wav").files == [f"{closed}/a.wav"]  # whose reader says why it cannot be read
