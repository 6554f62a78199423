"""Files, folders and patterns → the recordings meant, in order, and what was left out."""

from __future__ import annotations

import glob
import os
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge_runtime.errors import AudioError, AudioNotFoundError
from edge_runtime.system.paths import refused, status

STDIN = "-"
SUFFIXES = frozenset(
    f".{s}"
    for s in (
        *("wav", "wave", "bwf", "rf64", "w64", "flac", "ogg", "oga", "opus"),
        *("mp3", "mp2", "mpga", "mpa", "aif", "aiff", "aifc", "au", "snd", "caf"),
    )
)
"""What is looked for in folders; a file that is named is read whatever its name."""
UNSUPPORTED_SUFFIXES = frozenset(
    f".{s}"
    for s in (
        *("m4a", "m4b", "mp4", "m4v", "mov", "3gp", "3g2", "aac", "amr", "awb", "wma", "wmv", "asf", "webm", "mka"),
        *("mkv", "avi", "flv", "f4v", "mpg", "mpeg", "vob", "ogv", "rm", "ra", "ape", "wv", "tta", "ac3"),
        *("eac3", "dts", "spx", "gsm", "voc", "sph", "qcp", "dss"),
    )
)
"""What holds sound too, in formats that are not read here."""


@dataclass(frozen=True)
class Found:
    """What a name means.

    Attributes:
        files: the recordings, in order.
        unreadable: folders that could not be searched.
        skipped: how many files there are of each suffix whose format is not read here.
    """

    files: Sequence[str]
    unreadable: Sequence[AudioError | AudioNotFoundError] = ()
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def note(self) -> str | None:
        """What to say of the files that were passed over; None where there are none."""
        total = self.skipped.total()
        if not total:
            return None
        kinds = ", ".join(f"{suffix} {count}" for suffix, count in sorted(self.skipped.items()))
        files, them = ("1 file", "it") if total == 1 else (f"{total} files", "them")
        return f"{files} passed over that cannot be read here ({kinds}); convert {them}: ffmpeg -i IN OUT.wav"


def find_recordings(name: str) -> Found:
    """Return the recordings that ``name`` means.

    Args:
        name: a file; a folder, which is searched with all that is below it; a pattern such as ``calls/**/*.wav``; or
            ``-``. Hidden files and folders are left out, other than those named; links to folders are not followed.

    Raises:
        AudioNotFoundError: a folder or pattern without recordings. A file that is missing is for its reader to find.
        AudioError: a folder that cannot be searched.
    """
    if name != STDIN and _is_folder(name):
        return _below(name)
    if name == STDIN or not glob.has_magic(name) or os.path.lexists(name):
        return Found([name])
    matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - relative names stay as they are
    files = [match for match in matches if not _is_folder(match)]
    if not files:
        _check_searchable(_before_magic(name))
        raise AudioNotFoundError(f"{name}: no recordings there")
    return Found(files)


def _is_folder(name: str) -> bool:
    try:
        found = status(name)
    except OSError:  # its reader says why
        return False
    return found is not None and stat.S_ISDIR(found.st_mode)


def _below(folder: str) -> Found:
    files: list[str] = []
    unreadable: list[AudioError | AudioNotFoundError] = []

    def keep(error: OSError) -> None:
        unreadable.append(refused(error.filename, error, wanted="folder"))

    skipped: Counter[str] = Counter()
    for place, folders, names in os.walk(folder, onerror=keep):
        folders[:] = [f for f in folders if not f.startswith(".")]
        for name in names:
            suffix = Path(name).suffix.lower()
            if not name.startswith(".") and suffix in SUFFIXES:
                files.append(os.path.join(place, name))  # noqa: PTH118 - names stay as they were given
            elif not name.startswith(".") and suffix in UNSUPPORTED_SUFFIXES:
                skipped[suffix] += 1
    found = Found(sorted(files), unreadable, skipped)
    if not files and not unreadable:
        raise AudioNotFoundError(f"{folder}: no recordings there; {found.note or ', '.join(sorted(SUFFIXES))}")
    return found


def _check_searchable(folder: str) -> None:
    try:
        os.scandir(folder).close()
    except (OSError, ValueError) as error:
        raise refused(folder, error, wanted="folder") from error


def _before_magic(pattern: str) -> str:
    """Return the folder in which a pattern is looked for."""
    folder = Path(pattern)
    while glob.has_magic(str(folder)):
        folder = folder.parent
    return str(folder)
