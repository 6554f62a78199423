"""Writes a bundle's files: each graph exact and converted, each exact one compared with torch, both sets on samples."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_runtime.bundle.bundle import MANIFEST, Bundle
from edge_runtime.inference.onnx_runtime import ort
from edge_runtime.pipeline import IEmoNet
from export import torch_parity
from export.assemble import Composition
from export.evaluation import compare, regression
from export.evaluation.data import Samples
from export.evaluation.limits import Limits
from export.graphs.silero_vad import faster
from export.graphs.torch_export import check, write
from export.quantization.calibration import judge
from export.quantization.config import Recipe
from export.quantization.eight_bits import Feed as NamedFeed
from export.quantization.mixed_precision import convert_within
from export.quantization.quantize import convert
from trainer.errors import ExportError

KEPT_FP32 = ("vad", "fusion")
"""Slots that a lower precision neither shrinks nor speeds up by anything that matters."""


class Writer:
    """The files of a bundle that is being made."""

    def __init__(
        self,
        folder: Path,
        exact: Path,
        recipe: Recipe,
        *,
        calibration: Mapping[str, Sequence[NamedFeed]] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Write into ``folder``, and the exact graphs beside it into ``exact``.

        Args:
            folder: of the bundle.
            exact: an empty folder.
            recipe: the precision of what is converted.
            calibration: for static int8, inputs of each slot; one that has none is converted dynamically.
            say: is told what is being tried.
        """
        self.folder, self.exact, self.recipe = folder, exact, recipe
        self._calibration, self._say = calibration or {}, say
        self.differences: dict[str, float] = {}
        self.kept: dict[str, dict[str, Any]] = {}
        self.slots: dict[str, str] = {}
        self.tokenizers: set[str] = set()

    def write(self, made: Composition, labels: Sequence[str], tried: Samples, limits: Limits) -> None:
        """Write every graph and tokenizer of ``made``.

        Args:
            made: what to write.
            labels: the bundle's.
            tried: what a branch's conversion is measured on.
            limits: what it may lose; where it loses more, layers that matter most stay exact.

        Raises:
            ExportError: a graph cannot be written, or differs from torch on real inputs.
        """
        for slot, graph in made.slots.items():
            exact = self.exact / f"{slot}.onnx"
            if isinstance(graph, Path):
                shutil.copyfile(graph, exact)
            else:
                write(graph, exact)
                self.differences[slot] = max((check(graph, feed, exact) for feed in made.feeds[slot]), default=0.0)
            self.slots[slot] = self._convert(slot, made, labels, tried, limits)
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

    def verify(self, manifest: dict[str, Any], made: Composition, tried: Samples, limits: Limits) -> None:
        """Add ``verification`` to ``manifest``, and write it, if the bundle keeps within ``limits``.

        Args:
            manifest: all else that it says.
            made: what was written.
            tried: what both sets of graphs are run on.
            limits: how far they may differ.

        Raises:
            ExportError: the exact graphs do not say what torch says, or the converted ones lose too much.
        """
        write_manifest(self.folder, manifest)
        write_manifest(self.exact, manifest | self._stated(self.exact))
        models = [IEmoNet(Bundle.read(folder), device="cpu", threads=1) for folder in (self.exact, self.folder)]
        exact, final = (compare.answers(model, tried) for model in models)
        apart = torch_parity.check(made, exact, tried)
        found = compare.compare(exact, final, tried, manifest["labels"])
        short = compare.shortfalls(found, limit_points=limits.points)
        manifest["verification"] = {
            "exact_graphs_differ_from_torch_by": {slot: float(f"{d:.1e}") for slot, d in self.differences.items()},
            "exact_bundle_differs_from_torch_by": float(f"{apart:.1e}"),
            "converted": found,
            "kept_exact": self.kept,
            "limit_points": limits.points,
            "shortfall": short,
            "built_in_answers": regression.record(models[1]),
        }
        if short and not limits.allow_shortfall:
            raise ExportError(
                f"{self.recipe.precision} loses too much: {'; '.join(short)}. "
                f"{compare.advice(found, self.recipe.precision)}"
            )
        write_manifest(self.folder, manifest)

    def _convert(self, slot: str, made: Composition, labels: Sequence[str], tried: Samples, limits: Limits) -> str:
        """Convert the exact graph of ``slot``; of a branch, leave exact what has to be for the limit to be met."""
        graph = made.slots[slot]
        exact, final = self.exact / f"{slot}.onnx", self.folder / f"{slot}.onnx"
        if slot in KEPT_FP32 or isinstance(graph, Path) or "hidden_states" in graph.inputs:
            convert(exact, final, Recipe("fp32"))
            faster(final, slot)
            return "fp32"
        feeds = self._calibration.get(slot) if self.recipe.static else None
        recipe = self.recipe if feeds or not self.recipe.static else replace(self.recipe, static=False)
        judged = judge(slot, exact, tried, labels, made, limits.points) if recipe.precision != "fp32" else None
        if judged is None:
            convert(exact, final, recipe, feeds)
            return recipe.precision
        loss, limit = judged
        found = convert_within(exact, final, recipe, loss, limit, feeds=feeds, progress=self._say)
        if found.kept:
            self.kept[slot] = {
                "layers": list(found.kept),
                "points_lost_before": round(found.before.points, 2),
                "points_lost": round(found.after.points, 2),
            }
        return recipe.precision

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
