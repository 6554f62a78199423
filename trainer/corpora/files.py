"""The files of a corpus; a folder that cannot be searched is an error, as it would cost data in silence."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from edge_runtime.system.paths import is_missing, why
from trainer.errors import CorpusError


def files_below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Return the files in ``folder`` and all that is below it, sorted; hidden ones are left out.

    Where there is no folder there are no files.

    Args:
        folder: where to look.
        suffixes: of the files wanted, in lower case, with the dot.

    Raises:
        CorpusError: a folder cannot be searched.
    """
    found = []
    for place, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(path for path in found if path.suffix.lower() in suffixes)


def check_searchable(path: Path) -> None:
    """Refuse a file or folder that is not there, or a folder that cannot be searched.

    Raises:
        CorpusError: it is so.
    """
    try:
        path.stat()
        if path.is_dir():
            os.scandir(path).close()
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path}: {why(path, error, wanted='file or folder')}") from error


def _refuse(error: OSError) -> None:
    if is_missing(error):
        return
    raise CorpusError(f"{error.filename}: {why(error.filename, error, wanted='folder')}") from error
