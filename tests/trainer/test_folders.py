"""A folder is replaced whole or not at all, and stays what it is; and writes that fail are known as such."""

import errno
import os
import stat
from pathlib import Path

import pytest
from safetensors import SafetensorError

from trainer.folders import failed_write, replacing


def fill(folder: Path, text: str) -> None:
    with replacing(folder) as scratch:
        (scratch / "weights").write_text(text)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_new_folder_has_the_mode_that_the_user_s_mask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        fill(tmp_path / "new" / "run", "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new" / "run").stat().st_mode) == 0o750
    assert names(tmp_path / "new") == ["run"]


def test_folder_that_is_replaced_keeps_its_mode_and_nothing_of_its_files(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "old").write_text("old")
    folder.chmod(0o700)
    fill(folder, "new")
    assert (names(folder), stat.S_IMODE(folder.stat().st_mode)) == (["weights"], 0o700)
    assert names(tmp_path) == ["run"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give a folder to somebody else")
def test_root_leaves_a_folder_to_its_owner(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    os.chown(folder, 1234, 2345)
    fill(folder, "new")
    assert (folder.stat().st_uid, folder.stat().st_gid) == (1234, 2345)


@pytest.mark.parametrize("there", [True, False])
def test_link_to_a_folder_stays_a_link(tmp_path, there):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to("disk/run")
    if there:
        fill(tmp_path / "disk" / "run", "old")
    fill(tmp_path / "run", "new")
    assert (tmp_path / "run").readlink() == Path("disk/run")
    assert (tmp_path / "disk" / "run" / "weights").read_text() == "new"
    assert names(tmp_path / "disk") == ["run"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_error_while_replacing_leaves_the_old_folder(tmp_path, error):
    fill(tmp_path / "run", "old")
    with pytest.raises(error), replacing(tmp_path / "run") as scratch:  # noqa: PT012 - it is raised here
        (scratch / "weights").write_text("half")
        raise error
    assert (tmp_path / "run" / "weights").read_text() == "old"
    assert names(tmp_path) == ["run"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_folder_that_cannot_take_the_old_one_s_place_leaves_it(tmp_path, monkeypatch, error):
    fill(tmp_path / "run", "old")
    rename, calls = Path.rename, []

    def second_fails(self, target):
        calls.append(self)
        if len(calls) == 2:
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(error):
        fill(tmp_path / "run", "new")
    assert (tmp_path / "run" / "weights").read_text() == "old"
    assert names(tmp_path) == ["run"]


def test_file_in_the_place_is_an_error_before_any_work(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(NotADirectoryError, match="run"):
        fill(tmp_path / "run", "new")
    assert (tmp_path / "run").read_text() == "a file"
    assert names(tmp_path) == ["run"]


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number), "run/model.bin")


@pytest.mark.parametrize(
    "error",
    [
        os_error(errno.ENOSPC),
        os_error(errno.EDQUOT),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("basic_ios::clear: iostream error"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0\nframe #0"),
    ],
)
def test_a_failed_write_is_told_in_a_line(error):
    reason = failed_write(error)
    assert reason and "\n" not in reason


@pytest.mark.parametrize(
    "error",
    [
        os_error(errno.ENOENT),
        os_error(errno.EACCES),
        SafetensorError("Error while deserializing header: HeaderTooLarge"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        NotImplementedError("iostream error"),
        ValueError("No space left on device"),
    ],
)
def test_other_errors_are_left_alone(error):
    assert failed_write(error) is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_write_to_a_full_device_is_told_in_a_line():
    with pytest.raises(OSError) as failure, Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"0")
    assert "No space left" in (failed_write(failure.value) or "")
