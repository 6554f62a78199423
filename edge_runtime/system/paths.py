"""What a path leads to; and where it leads nowhere, why."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from edge_runtime.errors import AudioError, AudioNotFoundError

NOTHING_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}


def status(path: str | os.PathLike[str]) -> os.stat_result | None:
    """Return the status of what ``path`` leads to, links followed; None where nothing is there.

    Raises:
        OSError: that cannot be told: permission is denied, links go round in a circle, a disk fails.
    """
    try:
        return Path(path).stat()
    except (OSError, ValueError) as error:
        if is_missing(error):
            return None
        raise


def is_missing(error: OSError | ValueError) -> bool:
    """Whether ``error``, of opening a path, means that nothing is there."""
    return not isinstance(error, OSError) or error.errno in NOTHING_THERE  # a ValueError: a null character


def why(path: str | os.PathLike[str], error: OSError | ValueError, *, wanted: str = "file") -> str:
    """Return the reason of ``error`` in words, such as "no such file" or "cannot be read (permission denied)".

    Args:
        path: what was to be opened.
        error: what came of it.
        wanted: what was expected there.
    """
    reason = str(error.strerror or error).lower() if isinstance(error, OSError) else "no name that a file can have"
    if not is_missing(error):
        return f"cannot be read ({reason})"
    if not isinstance(error, FileNotFoundError):
        return f"no such {wanted} ({reason})"
    if os.path.islink(path):  # noqa: PTH114 - which takes any name
        return f"no such {wanted} (a link to {os.fsdecode(os.readlink(path))}, which is not there)"  # noqa: PTH115
    return f"no such {wanted}"


def refused(
    path: str | os.PathLike[str], error: OSError | ValueError, *, wanted: str = "file"
) -> AudioError | AudioNotFoundError:
    """Return the error for a path that was to lead to audio; the arguments are those of ``why``."""
    kind = AudioNotFoundError if is_missing(error) else AudioError
    return kind(f"{os.fsdecode(path)}: {why(path, error, wanted=wanted)}")
