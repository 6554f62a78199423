"""TOML files: settings, and lists of things that are known, such as corpora and pretrained weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, TypeVar

import dacite

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises:
        OSError: the file cannot be read.
        tomllib.TOMLDecodeError: it is no TOML; a ``ValueError``.
    """
    tables: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return tables


def read_entries(path: Path, kind: type[T]) -> dict[str, T]:
    """Return the blocks of a TOML file by their names; ``kind`` is a dataclass with the field ``name``.

    Raises:
        dacite.DaciteError: a block lacks a field, has another, or a value of another type.
    """
    strict = dacite.Config(strict=True, cast=[tuple])
    return {name: dacite.from_dict(kind, {"name": name, **block}, strict) for name, block in read_toml(path).items()}
