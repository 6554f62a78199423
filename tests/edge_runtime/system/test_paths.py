"""A path that leads nowhere is refused with the cause that it has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_runtime import AudioError, AudioNotFoundError, BundleError, BundleNotFoundError
from edge_runtime.audio.recording import Recording
from edge_runtime.bundle.bundle import MANIFEST, Bundle
from edge_runtime.bundle.locate import locate


def refused(path: Path) -> str:
    with pytest.raises((AudioError, AudioNotFoundError)) as caught:
        Recording(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    # Nothing is there, or it cannot be told: the two builtins that a caller would expect.
    assert isinstance(caught.value, FileNotFoundError) == ("no such file" in message)
    return message.removeprefix(f"{path}: ")


def test_what_is_not_there_is_no_such_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refused(tmp_path / "a.wav") == "no such file"
    assert refused(tmp_path / "nowhere" / "a.wav") == "no such file"
    assert refused(tmp_path / "file" / "a.wav") == "no such file (not a directory)"
    assert refused(tmp_path / ("n" * 5_000)) == "no such file (file name too long)"
    assert refused(tmp_path / "a\0.wav") == "no such file (no name that a file can have)"


def test_a_link_to_nothing_names_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to("gone.wav")
    assert refused(tmp_path / "a.wav") == "no such file (a link to gone.wav, which is not there)"


def test_links_in_a_circle_are_no_missing_file(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to(tmp_path / "b.wav")
    (tmp_path / "b.wav").symlink_to(tmp_path / "a.wav")
    assert refused(tmp_path / "a.wav") == "cannot be read (too many levels of symbolic links)"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert refused(tmp_path) == "a folder, not a file"


def test_what_may_not_be_read_says_so(as_ordinary_user: Path, jfk: Path) -> None:
    closed, folder = as_ordinary_user / "closed.wav", as_ordinary_user / "folder"
    closed.write_bytes(b"RIFF" + bytes(100))
    closed.chmod(0)
    folder.mkdir()
    folder.chmod(0)
    assert refused(closed) == "cannot be read (permission denied)"
    assert refused(folder / "a.wav") == "cannot be read (permission denied)"


def test_a_file_that_vanishes_before_it_is_opened_is_no_such_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(b"RIFF" + bytes(100))
    stat = Path.stat

    def then_gone(path: Path, **options: bool) -> os.stat_result:
        found = stat(path, **options)
        if path == file:
            file.unlink()
        return found

    monkeypatch.setattr(Path, "stat", then_gone)
    assert refused(file) == "no such file"


def test_a_bundle_that_may_not_be_read_is_not_called_missing(as_ordinary_user: Path) -> None:
    folder = as_ordinary_user / "bundle"
    folder.mkdir()
    (folder / MANIFEST).write_text("{}")
    (folder / MANIFEST).chmod(0)
    with pytest.raises(BundleError, match=rf"{MANIFEST}: cannot be read \(permission denied\)$"):
        Bundle.read(locate(folder))
    folder.chmod(0)
    with pytest.raises(BundleError, match=rf"{MANIFEST}: cannot be read \(permission denied\)$"):
        Bundle.read(locate(folder))
    with pytest.raises(BundleError, match=r"inner: cannot be read \(permission denied\)$"):
        locate(folder / "inner")


def test_a_bundle_that_links_to_itself_is_not_called_missing(tmp_path: Path) -> None:
    (tmp_path / "bundle").symlink_to(tmp_path / "bundle")
    with pytest.raises(BundleError, match="too many levels of symbolic links"):
        locate(tmp_path / "bundle")
    with pytest.raises(BundleNotFoundError, match="no such folder"):
        locate(tmp_path / "nothing")
