"""Files, folders and patterns → the recordings meant, in order."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from edge_runtime.errors import AudioNotFoundError

STANDARD_INPUT = "-"
SUFFIXES = frozenset(
    f".{s}" for s in ("wav", "flac", "ogg", "oga", "opus", "mp3", "aif", "aiff", "aifc", "au", "snd", "caf", "w64")
)
"""What is looked for in folders; a file that is named is read whatever its name."""


def recordings(names: Iterable[str]) -> Iterator[str]:
    """Yield the recordings that ``names`` mean.

    Args:
        names: files; folders, which are searched with all that is below them; patterns such as ``calls/**/*.wav``;
            and ``-``. Hidden files and folders are left out, other than those named.

    Raises:
        AudioNotFoundError: a folder or pattern without recordings. A file that is missing is for its reader to find.
    """
    for name in names:
        if name != STANDARD_INPUT and _is_folder(name):
            found = sorted(_below(name))
        elif name == STANDARD_INPUT or not glob.has_magic(name) or os.path.lexists(name):
            found = [name]
        else:
            matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - relative names stay as they are
            found = [file for match in matches for file in ([match] if not _is_folder(match) else [])]
        if not found:
            raise AudioNotFoundError(f"{name}: no recordings there ({', '.join(sorted(SUFFIXES))})")
        yield from found


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):  # too long, or with a null character
        return False


def _below(folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(".")]
        for file in files:
            if not file.startswith(".") and Path(file).suffix.lower() in SUFFIXES:
                yield os.path.join(place, file)  # noqa: PTH118 - names stay as they were given
