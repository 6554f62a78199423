"""Writes a bundle's files: each graph exact and converted, each exact one compared with torch, both sets on samples."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime as ort

from edge_runtime.bundle import MANIFEST, Bundle
from edge_runtime.errors import ExportError
from edge_runtime.pipeline import IEmoNet
from export import verification
from export.composition import Composition
from export.graphs import Graph, check, write
from export.limits import Limits
from export.quantise import int8, share_tables
from export.rewrite import faster
from export.samples import Samples

KEPT_FP32 = ("vad", "fusion")
"""Slots that a lower precision neither shrinks nor speeds up by anything that matters."""


class Writer:
    """The files of a bundle that is being made."""

    def __init__(self, folder: Path, exact: Path, precision: str) -> None:
        """Write into ``folder``, and the exact graphs beside it into ``exact``."""
        self.folder, self.exact, self.precision = folder, exact, precision
        self.differences: dict[str, float] = {}
        self.slots: dict[str, str] = {}
        self.tokenizers: set[str] = set()

    def write(self, made: Composition) -> None:
        """Write every graph and tokenizer of ``made``.

        Raises:
            ExportError: a graph cannot be written, or differs from torch on real inputs.
        """
        for slot, graph in made.slots.items():
            exact, final = self.exact / f"{slot}.onnx", self.folder / f"{slot}.onnx"
            if isinstance(graph, Path):
                shutil.copyfile(graph, exact)
            else:
                write(graph, exact)
                self.differences[slot] = max((check(graph, feed, exact) for feed in made.feeds[slot]), default=0.0)
            self.slots[slot] = self._convert(slot, graph, exact, final)
        for name, tokenizer in made.tokenizers.items():
            backend = tokenizer.backend_tokenizer
            backend.no_padding()
            backend.no_truncation()
            self.tokenizers.add(name)
            for folder in (self.folder, self.exact):
                backend.save(str(folder / f"{name}_tokenizer.json"), pretty=False)

    def keep(self, slot: str, graph: Path, precision: str) -> None:
        """Take over a graph of another bundle; it counts as exact."""
        for folder in (self.folder, self.exact):
            shutil.copyfile(graph, folder / f"{slot}.onnx")
        self.slots[slot] = precision

    def keep_tokenizer(self, name: str, path: Path) -> None:
        """Take over a tokenizer of another bundle."""
        for folder in (self.folder, self.exact):
            shutil.copyfile(path, folder / f"{name}_tokenizer.json")
        self.tokenizers.add(name)

    def manifest(self) -> dict[str, Any]:
        """Return what the manifest says of the files."""
        return self._stated(self.folder)

    def verify(self, manifest: dict[str, Any], tried: Samples, limits: Limits) -> None:
        """Add ``verification`` to ``manifest``, and write it, if the bundle keeps within ``limits``.

        Raises:
            ExportError: it does not.
        """
        write_manifest(self.folder, manifest)
        write_manifest(self.exact, manifest | self._stated(self.exact))
        exact, final = (
            verification.answers(IEmoNet(Bundle.read(folder), device="cpu", threads=1), tried)
            for folder in (self.exact, self.folder)
        )
        found = verification.compare(exact, final, tried, manifest["labels"])
        short = verification.shortfalls(found, limit_points=limits.points)
        manifest["verification"] = {
            "exact_graphs_differ_from_torch_by": {slot: float(f"{d:.1e}") for slot, d in self.differences.items()},
            "converted": found,
            "limit_points": limits.points,
            "shortfall": short,
        }
        if short and not limits.allow_shortfall:
            raise ExportError(
                f"{self.precision} loses too much: {'; '.join(short)}. Try another --target or --fp32, allow more with "
                "--limit-points, or write it all the same with --allow-shortfall"
            )
        write_manifest(self.folder, manifest)

    def _convert(self, slot: str, graph: Graph | Path, exact: Path, final: Path) -> str:
        small = slot in KEPT_FP32 or (isinstance(graph, Graph) and "hidden_states" in graph.inputs)
        precision = "fp32" if small else self.precision
        if precision == "int8":
            int8(exact, final)
        else:
            shutil.copyfile(exact, final)
            if slot == "transcript_decoder":
                share_tables(final)
        faster(final, slot)
        return precision

    def _stated(self, folder: Path) -> dict[str, Any]:
        return {
            "slots": {slot: slot_entry(folder / f"{slot}.onnx", self.slots[slot]) for slot in sorted(self.slots)},
            "tokenizers": {name: file_entry(folder / f"{name}_tokenizer.json") for name in sorted(self.tokenizers)},
        }


def slot_entry(graph: Path, precision: str) -> dict[str, Any]:
    """Return a manifest's entry of a graph: its file, and inputs and outputs as onnxruntime sees them."""
    session = ort.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    ends = (("inputs", session.get_inputs()), ("outputs", session.get_outputs()))
    signature = {
        key: [{"name": v.name, "dtype": v.type, "shape": list(v.shape)} for v in values] for key, values in ends
    }
    return {**file_entry(graph), "precision": precision, **signature}


def file_entry(path: Path) -> dict[str, Any]:
    """Return a manifest's entry of a file."""
    data = path.read_bytes()
    return {"file": path.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write ``bundle.json``."""
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
