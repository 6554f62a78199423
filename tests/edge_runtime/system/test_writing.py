"""What is written: files change as a whole, links stay links, and pipes and devices are written into."""

from __future__ import annotations

import errno
import os
import resource
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_runtime.system.writing import check_writable, write_text, writing


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file grow beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def device(folder: Path, minor: int, name: str) -> Path:
    """A device: a node of its own where that is allowed, so that a fault here never harms the system's."""
    path = folder / name
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        path.open("wb").close()
    except OSError:
        path.unlink(missing_ok=True)
        path.symlink_to(f"/dev/{name}")
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_new_file_has_the_mode_that_the_user_s_mask_leaves(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_text(tmp_path / "new.csv", "ä\r\nb\n")
    finally:
        os.umask(before)
    assert (tmp_path / "new.csv").read_bytes() == "ä\r\nb\n".encode()
    assert mode(tmp_path / "new.csv") == 0o666 & ~umask
    assert names(tmp_path) == {"new.csv"}


@pytest.mark.parametrize("old", [0o600, 0o640, 0o666])
def test_file_that_is_replaced_keeps_its_mode(tmp_path: Path, old: int) -> None:
    path = tmp_path / "private.csv"
    path.write_text("old, and longer than what is new")
    path.chmod(old)
    write_text(path, "new")
    assert (path.read_text(), mode(path)) == ("new", old)
    assert names(tmp_path) == {"private.csv"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give a file to somebody else")
def test_root_leaves_a_file_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text("old")
    path.chmod(0o640)
    os.chown(path, 1234, 2345)
    write_text(path, "new")
    found = path.stat()
    assert (path.read_text(), found.st_uid, found.st_gid, mode(path)) == ("new", 1234, 2345, 0o640)


def test_old_content_stays_until_all_is_written_and_when_that_fails(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old")
    with writing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    with pytest.raises(KeyboardInterrupt), writing(path) as file:  # noqa: PT012 - it is raised here
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_text() == "new"
    assert names(tmp_path) == {"t.csv"}


def test_name_as_long_as_the_system_allows_can_be_written(tmp_path: Path) -> None:
    write_text(tmp_path / ("x" * 255), "new")
    assert names(tmp_path) == {"x" * 255}


def test_link_stays_a_link_and_its_target_changes(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "links").mkdir()
    target = tmp_path / "real" / "t.csv"
    target.write_text("old")
    target.chmod(0o600)
    near, far = tmp_path / "real" / "near.csv", tmp_path / "links" / "far.csv"
    near.symlink_to("t.csv")
    far.symlink_to("../real/near.csv")
    write_text(far, "new")
    assert [str(link.readlink()) for link in (near, far)] == ["t.csv", "../real/near.csv"]
    assert (target.read_text(), mode(target)) == ("new", 0o600)
    assert names(tmp_path / "links") == {"far.csv"}
    assert names(tmp_path / "real") == {"t.csv", "near.csv"}


def test_link_to_nothing_stays_and_its_target_is_made(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.csv").symlink_to("real/t.csv")
    write_text(tmp_path / "link.csv", "new")
    assert (tmp_path / "link.csv").readlink() == Path("real/t.csv")
    assert (tmp_path / "real" / "t.csv").read_text() == "new"


def test_links_that_lead_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for call in (check_writable, lambda path: write_text(path, "new")):
        with pytest.raises(OSError, match="symbolic links"):
            call(tmp_path / "a")


def test_hard_link_keeps_the_old_content(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("old")
    (tmp_path / "backup.csv").hardlink_to(tmp_path / "t.csv")
    write_text(tmp_path / "t.csv", "new")
    assert ((tmp_path / "t.csv").read_text(), (tmp_path / "backup.csv").read_text()) == ("new", "old")


def test_pipe_with_a_name_is_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()
    write_text(pipe, "x" * 300_000)
    reader.join()
    assert heard == ["x" * 300_000]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert names(tmp_path) == {"pipe"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_device_is_written_into_and_stays_a_device(tmp_path: Path) -> None:
    null, full = device(tmp_path, 3, "null"), device(tmp_path, 7, "full")
    write_text(null, "new")
    with pytest.raises(OSError, match="No space left"):
        write_text(full, "new")
    assert all(stat.S_ISCHR(path.stat().st_mode) for path in (null, full))
    assert names(tmp_path) == {"null", "full"}


def test_pipe_that_a_shell_opened_is_written_into() -> None:
    reading, writing_end = os.pipe()
    write_text(Path(f"/dev/fd/{writing_end}"), "new")
    os.close(writing_end)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"new"


def test_file_that_a_shell_opened_grows_where_it_was(tmp_path: Path) -> None:
    """As in ``{ edge-iemonet timeline … --csv /dev/stdout; echo end; } >> log``: nothing around it is lost."""
    log = tmp_path / "log"
    log.write_text("before\n")
    with log.open("ab", buffering=0) as file:
        (tmp_path / "link").symlink_to(f"/dev/fd/{file.fileno()}")
        write_text(tmp_path / "link", "new\n")
        file.write(b"end\n")
    assert log.read_text() == "before\nnew\nend\n"
    assert names(tmp_path) == {"log", "link"}


def test_file_in_a_closed_folder_is_overwritten(as_ordinary_user: Path) -> None:
    closed = as_ordinary_user / "closed"
    closed.mkdir()
    path = closed / "t.csv"
    path.write_text("old, and longer than what is new")
    closed.chmod(0o555)
    check_writable(path)
    write_text(path, "new")
    with pytest.raises(PermissionError, match=r"other\.csv"):
        write_text(closed / "other.csv", "new")
    with pytest.raises(PermissionError):
        check_writable(closed / "other.csv")
    assert path.read_text() == "new"
    assert names(closed) == {"t.csv"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root may make a file of somebody else")
def test_file_of_somebody_else_is_overwritten_and_stays_theirs(as_ordinary_user: Path) -> None:
    path = as_ordinary_user / "theirs.csv"
    ordinary = os.geteuid()
    os.seteuid(0)
    path.write_text("old")
    path.chmod(0o666)
    os.seteuid(ordinary)
    write_text(path, "new")
    assert (path.read_text(), path.stat().st_uid, mode(path)) == ("new", 0, 0o666)
    assert names(as_ordinary_user) == {"theirs.csv"}


def test_file_that_is_protected_is_refused(as_ordinary_user: Path) -> None:
    path = as_ordinary_user / "protected.csv"
    path.write_text("old")
    path.chmod(0o444)
    for call in (check_writable, lambda path: write_text(path, "new")):
        with pytest.raises(PermissionError, match=r"protected\.csv"):
            call(path)
    assert path.read_text() == "old"
    assert names(as_ordinary_user) == {"protected.csv"}


def test_file_that_is_mounted_by_itself_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``docker run --volume out.csv:/out.csv`` does; the system lets no file take its place."""

    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    path = tmp_path / "t.csv"
    path.write_text("old, and longer than what is new")
    monkeypatch.setattr(os, "replace", busy)
    write_text(path, "new")
    assert path.read_text() == "new"
    assert names(tmp_path) == {"t.csv"}


@pytest.mark.parametrize("folder_mode", [0o755, 0o555])
def test_full_disk_leaves_the_old_content(as_ordinary_user: Path, folder_mode: int) -> None:
    folder = as_ordinary_user / "folder"
    folder.mkdir()
    path = folder / "t.csv"
    path.write_text("old")
    folder.chmod(folder_mode)
    with full_disk(1000), pytest.raises(OSError, match="too large"), writing(path) as file:
        file.write(b"new" * 1000)
    assert path.read_text() == "old"
    assert names(folder) == {"t.csv"}


def test_overwriting_on_a_full_disk_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is there, as a copy elsewhere, and the file itself cannot grow."""

    def busy(*_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    path = tmp_path / "t.csv"
    path.write_text("old")
    monkeypatch.setattr(os, "replace", busy)
    with full_disk(1_000_000), pytest.raises(OSError, match="too large"):
        write_text(path, "new" * 1000)
    assert path.read_text() == "old"
    assert names(tmp_path) == {"t.csv"}


@pytest.mark.parametrize(
    ("place", "message"),
    [("no/t.csv", "No such file"), ("folder", "Is a directory"), ("text/t.csv", "Not a directory")],
)
def test_place_where_no_file_can_be_is_an_error(tmp_path: Path, place: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("")
    calls: list[Callable[[Path], None]] = [check_writable, lambda path: write_text(path, "new")]
    for call in calls:
        with pytest.raises(OSError, match=message):
            call(tmp_path / place)
    assert names(tmp_path) == {"folder", "text"}


def test_no_other_module_puts_a_file_in_another_s_place(repository: Path) -> None:
    packages = ("edge_runtime", "trainer", "export", "benchmarks", "examples")
    files = [file for name in packages for file in (repository / name).rglob("*.py") if "build" not in file.parts]
    assert [file.name for file in files if "os.replace(" in file.read_text(encoding="utf-8")] == ["writing.py"]
