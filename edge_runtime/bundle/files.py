"""The files of a bundle: regular, of the size and content that the manifest states, and none of them a bomb."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_runtime.errors import BundleError
from edge_runtime.system.paths import is_missing, status, why

LARGEST_MANIFEST = 4 << 20
LARGEST_TOKENIZER = 64 << 20
LARGEST_GRAPH = 2 << 30
"""Bytes. Nothing larger is read: a manifest has kilobytes, a tokenizer megabytes, and no ONNX file exceeds 2 GB."""


def is_file(path: Path) -> bool:
    """Whether a regular file is at ``path``.

    Raises:
        BundleError: that cannot be told: the folder may not be read, say.
    """
    try:
        found = status(path)
    except OSError as error:
        raise BundleError(f"{path}: {why(path, error)}") from error
    return found is not None and stat.S_ISREG(found.st_mode)


def manifest_text(path: Path) -> str:
    """Return the text of the manifest at ``path``.

    Raises:
        BundleError: it is too large, or cannot be read.
        ValueError: it is no text.
    """
    _size(path, LARGEST_MANIFEST)
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BundleError(f"{path}: {why(path, error)}") from error


def checked(folder: Path, entry: Mapping[str, Any], largest: int) -> Path:
    """Return the path of the file that ``entry`` names, after checking that it is the one meant.

    A link is followed, as stores of models are made of links; what it leads to has to have the stated checksum.

    Args:
        folder: the bundle's.
        entry: ``file``, its name; ``sha256``; and ``bytes``, its size, if stated.
        largest: bytes that a file of its kind may have.

    Raises:
        BundleError: it is missing, too large, of another size or content, no regular file, or outside ``folder``.
        KeyError, TypeError: ``entry`` is not what it should be.
    """
    name = entry["file"]
    if not isinstance(name, str):
        raise TypeError(f"{name!r} where a file's name is expected")
    if not name or Path(name).name != name or "\\" in name or "\0" in name or name in {".", ".."}:
        raise BundleError(f"{folder}: {name!r} is not a plain file name inside the bundle")
    path = folder / name
    size = _size(path, largest)
    if size != entry.get("bytes", size):
        raise BundleError(
            f"{path}: {size} bytes, and the manifest states {entry['bytes']}; fetch or export the bundle again"
        )
    if _sha256(path) != entry["sha256"]:
        raise BundleError(f"{path}: sha256 differs from the manifest's; fetch or export the bundle again")
    return path


def _size(path: Path, largest: int) -> int:
    """Return how many bytes are in ``path``, without opening it: reading a pipe or a device may never end."""
    try:
        found = path.stat()
    except OSError as error:
        missing = f"missing ({error.strerror}); fetch or export the bundle again"
        raise BundleError(f"{path}: {missing if is_missing(error) else why(path, error)}") from error
    if not stat.S_ISREG(found.st_mode):
        raise BundleError(f"{path}: not a regular file")
    if found.st_size > largest:
        raise BundleError(f"{path}: {found.st_size} bytes; no file of its kind has more than {largest}")
    return found.st_size


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise BundleError(f"{path}: {why(path, error)}") from error
    return digest.hexdigest()
