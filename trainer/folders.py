"""Folders that appear whole or not at all, and whether an error is a write that failed."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
TORCH = ("iostream error", "inline_container.cc", "PytorchStreamWriter")
"""torch.save raises a RuntimeError that names no cause; one of these is in its message."""


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside ``folder`` to fill; it takes that one's place, mode and owner when all went well.

    When anything is raised, what was there stays and nothing is left beside it. A link to a folder stays a link.

    Raises:
        OSError: a file is there, or the folder cannot be replaced.
    """
    target = Path(os.path.realpath(folder))
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    target.parent.mkdir(parents=True, exist_ok=True)
    new, old = (target.with_name(f".{secrets.token_hex(8)}.tmp") for _ in range(2))
    new.mkdir()
    try:
        yield new
        if target.exists():
            _resemble(new, target)
            target.rename(old)
            try:
                new.rename(target)
            except BaseException:
                old.rename(target)
                raise
            shutil.rmtree(old, ignore_errors=True)
        else:
            new.rename(target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _resemble(new: Path, old: Path) -> None:
    found = old.stat()
    if hasattr(os, "chown"):
        with suppress(PermissionError):  # it may be somebody else's
            os.chown(new, found.st_uid, found.st_gid)
    new.chmod(stat.S_IMODE(found.st_mode))


def failed_write(error: Exception) -> str | None:
    """Return in a line which write failed, most likely on a full disk; None where ``error`` is something else."""
    if isinstance(error, OSError) and error.errno in FULL:
        return str(error)
    if isinstance(error, SafetensorError) and "I/O error" in str(error):
        return str(error)
    if type(error) is RuntimeError and any(mark in str(error) for mark in TORCH):
        return f"torch could not write a file ({str(error).splitlines()[0]})"
    return None
