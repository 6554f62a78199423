"""Where something is written: a file changes as a whole or not at all, and what is no file is written into."""

from __future__ import annotations

import errno
import io
import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

CLOSED_FOLDER = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Open what ``path`` names, to write it anew.

    A regular file holds what it held before until the block has ended without an error. It keeps its owner and mode,
    and a link to it stays a link; another name of the same file, a hard link, keeps what was there. Where the file
    cannot be replaced (its folder is closed, it is mounted by itself, it is somebody else's) it is overwritten once
    everything is there. A pipe or a device is written into.

    Raises:
        OSError: it cannot be written.
    """
    opened = opened_through(path)
    if opened is not None:
        with io.BufferedWriter(opened) as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    scratch, beside = _scratch(target)
    try:
        with scratch.open("wb") as file:
            yield file
        _put(scratch, target, beside=beside)
    finally:
        scratch.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` in UTF-8, with its line ends as they are; see ``writing``."""
    with writing(path) as file:
        file.write(text.encode("utf-8"))


def check_writable(path: Path) -> None:
    """Say before a long piece of work what ``writing`` would say after it.

    Raises:
        OSError: it cannot be written.
    """
    kind = _kind(path)
    folder = Path(os.path.realpath(path)).parent
    if kind is None and not folder.is_dir():
        raise _error(errno.ENOENT, folder)
    if kind == stat.S_IFDIR:
        raise _error(errno.EISDIR, path)
    if not _may_write(folder if kind is None else path):
        raise _error(errno.EACCES, path)


def opened_through(path: Path) -> io.FileIO | None:
    """Open ``path`` where nothing of its can be replaced: a pipe, a device, or what this process has open already.

    Returns:
        A file without a buffer that goes on where the opened one is, or None for a regular file and where nothing is.

    Raises:
        OSError: it cannot be opened.
    """
    kind = _kind(path)
    number = _descriptor(path)
    if number is not None:
        sys.stdout.flush()  # what was printed before comes first
        return io.FileIO(os.dup(number), "wb")
    if kind in {None, stat.S_IFREG}:
        return None
    return io.FileIO(path, "wb")


def _kind(path: Path) -> int | None:
    """Return the type of what ``path`` leads to, or None where nothing is."""
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except FileNotFoundError:
        return None


def _descriptor(path: Path) -> int | None:
    """Return the number of the open file that ``path`` stands for, as /dev/stdout and /dev/fd/63 do."""
    folders = {"/dev/fd", os.path.realpath("/proc/self/fd")}
    while True:
        if path.name.isdecimal() and os.path.realpath(path.parent) in folders:
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()


def _scratch(target: Path) -> tuple[Path, bool]:
    """Return a new, empty file, and whether it can take the place of ``target``: with its owner and mode, beside it."""
    old = target.stat() if target.exists() else None
    if old is not None and not _may_write(target):
        raise _error(errno.EACCES, target)  # a file that is protected; its folder would let it be replaced
    mode = 0o666 if old is None else stat.S_IMODE(old.st_mode)
    scratch = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        os.close(os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
    except OSError as error:
        if old is None or error.errno not in CLOSED_FOLDER:
            error.filename = str(target)
            raise
    else:
        if old is None or _alike(scratch, target, old):
            return scratch, True
        scratch.unlink()
    number, name = tempfile.mkstemp()
    os.close(number)
    return Path(name), False


def _alike(scratch: Path, target: Path, old: os.stat_result) -> bool:
    """Give ``scratch`` the owner and mode of ``target``; return whether that is allowed."""
    new = scratch.stat()
    try:
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            os.chown(scratch, old.st_uid, old.st_gid)
        shutil.copystat(target, scratch)
    except OSError:
        return False
    return True


def _put(scratch: Path, target: Path, *, beside: bool) -> None:
    if beside:
        try:
            os.replace(scratch, target)
        except OSError as error:
            if error.errno != errno.EBUSY:  # which a file is that was mounted into a container
                raise
        else:
            return
    with scratch.open("rb") as new, target.open("r+b") as old:
        size, before = scratch.stat().st_size, target.stat().st_size
        if size > before and hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(old.fileno(), 0, size)  # a full disk must show before anything is overwritten
            except OSError:
                with suppress(OSError):
                    old.truncate(before)
                raise
        shutil.copyfileobj(new, old)
        old.truncate()


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))
