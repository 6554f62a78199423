"""What is inside a bundle, and what is wrong with it; as far as it can be told of a damaged one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from edge_runtime.bundle.bundle import MANIFEST, Bundle
from edge_runtime.bundle.files import is_file
from edge_runtime.errors import BundleNotFoundError, IEmoNetError
from export.graph_facts import GraphFacts, facts
from export.schema import faults
from trainer.errors import ExportError


@dataclass(frozen=True)
class Part:
    """A file that the manifest names.

    Attributes:
        stated: what the manifest says of it.
        bytes: its size; None where it is not there.
        graph: what was counted in it, if it is a graph.
        vocabulary: tokens that it knows, if it is a tokenizer.
    """

    stated: Mapping[str, Any]
    bytes: int | None
    graph: GraphFacts | None = None
    vocabulary: int | None = None


@dataclass
class Contents:
    """What is inside a bundle.

    Attributes:
        folder: where it is.
        manifest: all of ``bundle.json``; {} where it cannot be read.
        slots: the graphs that it names.
        tokenizers: the tokenizers that it names.
        files: bytes of every file in the folder, named in the manifest or not.
        problems: what is wrong, a line each.
    """

    folder: Path
    manifest: Mapping[str, Any] = field(default_factory=dict)
    slots: dict[str, Part] = field(default_factory=dict)
    tokenizers: dict[str, Part] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(self.files.values())

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        plain = asdict(self)
        return {**plain, "folder": str(self.folder), "bytes": self.bytes, "whole": not self.problems}


def look(folder: Path) -> Contents:
    """Return what is inside the bundle in ``folder``, and everything that is wrong with it.

    Raises:
        BundleNotFoundError: no such folder, or no manifest in it.
    """
    path = folder / MANIFEST
    if not is_file(path):
        raise BundleNotFoundError(f"{folder}: no bundle here, {MANIFEST} is missing")
    found = Contents(folder, files={f.name: f.stat().st_size for f in sorted(folder.iterdir()) if f.is_file()})
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        found.problems.append(f"{MANIFEST}: not JSON: {error}")
        return found
    found.problems += [f"{MANIFEST}: {fault}" for fault in faults(manifest)]
    found.manifest = manifest if isinstance(manifest, dict) else {}
    for slot, stated in _objects(found.manifest.get("slots")).items():
        found.slots[slot] = _part(found, stated, is_graph=True)
    for name, stated in _objects(found.manifest.get("tokenizers")).items():
        found.tokenizers[name] = _part(found, stated, is_graph=False)
    if not found.problems:
        found.problems += _refused(folder)
    return found


def _objects(value: Any) -> dict[str, Mapping[str, Any]]:
    return {k: v for k, v in value.items() if isinstance(v, dict)} if isinstance(value, dict) else {}


def _part(found: Contents, stated: Mapping[str, Any], *, is_graph: bool) -> Part:
    """Return what is known of a file; what is wrong with it is added to the problems."""
    name = stated.get("file")
    if not isinstance(name, str) or name not in found.files:
        if isinstance(name, str):
            found.problems.append(f"{name}: missing")
        return Part(stated, None)
    path, size = found.folder / name, found.files[name]
    if isinstance(stated.get("bytes"), int) and stated["bytes"] != size:
        found.problems.append(f"{name}: {size:,} bytes, and the manifest says {stated['bytes']:,}")
    try:
        if hashlib.sha256(path.read_bytes()).hexdigest() != stated.get("sha256"):
            found.problems.append(f"{name}: sha256 differs from the manifest's")
        if is_graph:
            return Part(stated, size, graph=facts(path))
        return Part(stated, size, vocabulary=_vocabulary(path))
    except (ExportError, OSError) as error:
        found.problems.append(str(error).replace(f"{path}: ", f"{name}: ", 1))
        return Part(stated, size)


def _vocabulary(path: Path) -> int:
    try:
        return int(Tokenizer.from_file(str(path)).get_vocab_size())
    except Exception as error:  # the library raises bare Exception
        raise ExportError(f"{path}: not a tokenizer file: {error}") from error


def _refused(folder: Path) -> list[str]:
    """Return why the runtime would not take the bundle, or a graph of it."""
    try:
        bundle = Bundle.read(folder)
    except IEmoNetError as error:
        return [str(error)]
    problems = []
    for slot in bundle.slots:
        try:
            bundle.open(slot, device="cpu", threads=1)
        except IEmoNetError as error:
            problems.append(str(error))
    return problems
