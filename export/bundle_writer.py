"""Graphs → a bundle: written exact and quantized, compared with torch and with each other; all of it or nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_runtime.bundle.bundle import MANIFEST, SCHEMA, Bundle
from edge_runtime.inference.onnx_runtime import ort
from edge_runtime.pipeline import IEmoNet
from export import model_card, torch_parity
from export.evaluation import data, limits, regression
from export.evaluation.compare import classify, differences
from export.evaluation.data import EvaluationSet
from export.evaluation.limits import Limits
from export.graphs.bundle_graphs import BundleGraphs
from export.graphs.fuse import fuse
from export.graphs.silero_vad import optimize
from export.graphs.torch_export import check, write
from export.graphs.weights import halve_weights, move_weights, share_weights
from export.quantization import excluded_layers
from export.quantization.batch_decoder import write_batch_decoder
from export.quantization.calibration import FROM_TEXT, calibration_feeds, error_metric, named_feeds
from export.quantization.config import QuantizationConfig
from export.quantization.excluded_layers import FP32_SLOTS
from export.quantization.outliers import TEXT_CHANNELS
from export.quantization.quantize import quantize
from trainer import checkpoints
from trainer.errors import ExportError
from trainer.folders import replacing

DECODER, BATCHES = "transcript_decoder", "batch_decoder"


@dataclass(frozen=True)
class Options:
    """How a bundle is quantized and evaluated.

    Attributes:
        quantization: the precision.
        evaluation: what the bundle is evaluated on; None takes a few built-in recordings and sentences.
        limits: what it may lose; where a branch loses more, the layers that matter most are excluded.
        calibration: for static int8, speech and text that are not in ``evaluation``.
        force: replace a bundle that is there.
    """

    quantization: QuantizationConfig = QuantizationConfig()
    evaluation: EvaluationSet | None = None
    limits: Limits = Limits()
    calibration: EvaluationSet | None = None
    force: bool = False

    @property
    def samples(self) -> EvaluationSet:
        """What the bundle is evaluated on."""
        return self.evaluation or data.built_in()


def check_target(target: Path, *, force: bool) -> None:
    """Refuse to replace what is there, unless it is a bundle and ``force`` says so.

    Raises:
        ExportError: it exists.
    """
    if target.exists() and not force:
        raise ExportError(f"{target}: exists already; --force replaces it")
    if target.exists() and not (target / MANIFEST).is_file():
        raise ExportError(f"{target}: exists and is not a bundle, so it is not replaced; name another folder")


def write_bundle(
    target: Path,
    graphs: BundleGraphs,
    facts: Mapping[str, Any],
    evaluation: EvaluationSet,
    options: Options,
    base: Bundle | None = None,
) -> dict[str, Any]:
    """Write the bundle ``target`` and return its manifest.

    Args:
        target: the folder to write; it appears when everything in it is done.
        graphs: the graphs to write.
        facts: what the manifest says beside the files.
        evaluation: what the graphs are evaluated on.
        options: see ``Options``.
        base: a bundle whose other graphs and tokenizers are taken over byte for byte; they count as exact.

    Raises:
        ExportError: a graph cannot be written or differs from torch, or the bundle loses more than the limits allow.
    """
    with replacing(target) as scratch, tempfile.TemporaryDirectory() as exact:
        writer = _Writer(scratch, Path(exact), graphs, evaluation, options)
        if base is not None:
            writer.keep(base)
        writer.write(facts["labels"])
        manifest = {**facts, "schema": SCHEMA, "toolchain": checkpoints.versions(), **writer.files(scratch)}
        writer.verify(manifest)
        (scratch / model_card.FILE).write_text(model_card.render(manifest), encoding="utf-8")
    return manifest


class _Writer:
    """The files of a bundle that is being made, and the exact graphs beside it."""

    def __init__(
        self, folder: Path, exact: Path, graphs: BundleGraphs, evaluation: EvaluationSet, options: Options
    ) -> None:
        self.folder, self.exact = folder, exact
        self.graphs, self.evaluation, self.options = graphs, evaluation, options
        self.calibration = calibration_feeds(graphs, options.calibration)
        self.differences: dict[str, float] = {}
        self.excluded: dict[str, dict[str, Any]] = {}
        self.precisions: dict[str, str] = {}
        self.weights: dict[str, str] = {}
        self.tokenizers: set[str] = set()

    def keep(self, base: Bundle) -> None:
        """Take over what ``base`` has and the new graphs have not."""
        for slot, entry in base.slots.items():
            # A new decoder reads what its own encoder gives, and decodes batches by its own graph.
            replaced = slot in {"transcript_memory", BATCHES} and DECODER in self.graphs.slots
            if slot not in self.graphs.slots and not replaced:
                self.precisions[slot] = entry.precision
                for folder in (self.folder, self.exact):
                    shutil.copyfile(entry.path, folder / f"{slot}.onnx")
                    if entry.weights is not None:  # the graph knows them by their name
                        shutil.copyfile(entry.weights, folder / entry.weights.name)
                        self.weights[slot] = entry.weights.name
        for name, path in base.tokenizers.items():
            if name not in self.graphs.tokenizers:
                self.tokenizers.add(name)
                for folder in (self.folder, self.exact):
                    shutil.copyfile(path, folder / f"{name}_tokenizer.json")

    def write(self, labels: list[str]) -> None:
        """Write every graph, compared with torch on real inputs, and every tokenizer."""
        for slot, graph in self.graphs.slots.items():
            exact = self.exact / f"{slot}.onnx"
            if isinstance(graph, Path):
                shutil.copyfile(graph, exact)
            else:
                write(graph, exact)
                self.differences[slot] = check(graph, self.graphs.feeds[slot], exact)
            self.precisions[slot] = self._quantize(slot, labels)
            if slot == DECODER:  # before nodes are fused that it replaces
                for folder in (self.folder, self.exact):
                    write_batch_decoder(folder / f"{DECODER}.onnx", folder / f"{BATCHES}.onnx")
            if self._is_dynamic(slot):
                fuse(self.folder / f"{slot}.onnx")
            if move_weights(self.folder / f"{slot}.onnx", name := f"{slot}.weights"):
                self.weights[slot] = name
        if DECODER in self.graphs.slots:
            self.precisions[BATCHES] = self.precisions[DECODER]
            if DECODER in self.weights:
                share_weights(self.folder / f"{BATCHES}.onnx", self.folder / f"{DECODER}.onnx")
                self.weights[BATCHES] = self.weights[DECODER]
        for name, tokenizer in self.graphs.tokenizers.items():
            backend = tokenizer.backend_tokenizer
            backend.no_padding()
            backend.no_truncation()
            self.tokenizers.add(name)
            text = decoder_alone(backend.to_str()) if name == "transcript" else backend.to_str()
            for folder in (self.folder, self.exact):
                (folder / f"{name}_tokenizer.json").write_text(text, encoding="utf-8")

    def _is_dynamic(self, slot: str) -> bool:
        """Whether a graph that was written is in dynamic int8."""
        static = self.options.quantization.static and self.calibration.get(slot)
        return self.precisions[slot] == "int8" and not static

    def files(self, folder: Path) -> dict[str, Any]:
        """Return what the manifest says of the files in ``folder``."""
        return {
            "slots": {slot: self._slot(folder, slot) for slot in sorted(self.precisions)},
            "tokenizers": {name: file_entry(folder / f"{name}_tokenizer.json") for name in sorted(self.tokenizers)},
        }

    def _slot(self, folder: Path, slot: str) -> dict[str, Any]:
        entry = slot_entry(folder / f"{slot}.onnx", self.precisions[slot])
        weights = folder / self.weights[slot] if slot in self.weights else None
        return entry | ({"weights": file_entry(weights)} if weights is not None and weights.is_file() else {})

    def verify(self, manifest: dict[str, Any]) -> None:
        """Add ``verification`` to ``manifest``, and write it, if the bundle keeps within its limits.

        Raises:
            ExportError: the exact graphs do not answer as torch does, or the quantized ones lose too much.
        """
        write_manifest(self.folder, manifest)
        write_manifest(self.exact, manifest | self.files(self.exact))
        models = [IEmoNet(Bundle.read(folder), device="cpu", threads=1) for folder in (self.exact, self.folder)]
        exact, final = (classify(model, self.evaluation.samples) for model in models)
        parity = torch_parity.check(self.graphs, exact, self.evaluation)
        found = differences(exact, final, self.evaluation, manifest["labels"])
        allowed, precision = self.options.limits, self.options.quantization.precision
        violations = limits.accuracy_violations(found, limit_points=allowed.points)
        manifest["verification"] = {
            "exact_graphs_differ_from_torch_by": {slot: float(f"{d:.1e}") for slot, d in self.differences.items()},
            "exact_bundle_differs_from_torch_by": float(f"{parity:.1e}"),
            "converted": found,
            "kept_exact": self.excluded,
            "limit_points": allowed.points,
            "shortfall": violations,
            "built_in_answers": regression.snapshot(models[1]),
        }
        if violations and not allowed.allow_shortfall:
            raise ExportError(f"{precision} loses too much: {'; '.join(violations)}. {limits.advice(found, precision)}")
        write_manifest(self.folder, manifest)

    def _quantize(self, slot: str, labels: list[str]) -> str:
        """Quantize the exact graph of ``slot``, without the layers that the limit excludes; return its precision."""
        graph, config = self.graphs.slots[slot], self.options.quantization
        exact, final = self.exact / f"{slot}.onnx", self.folder / f"{slot}.onnx"
        if slot in FP32_SLOTS or isinstance(graph, Path) or "hidden_states" in graph.inputs:
            quantize(exact, final, QuantizationConfig("fp32"))
            optimize(final, slot)
            if slot not in FP32_SLOTS and not isinstance(graph, Path) and config.precision != "fp32":
                halve_weights(final)
            return "fp32"
        feeds = self.calibration.get(slot)
        config = replace(config, static=config.static and bool(feeds))
        if slot in FROM_TEXT:
            config = replace(config, exact_channels=TEXT_CHANNELS)
            feeds = feeds or named_feeds(slot, data.built_in().samples, self.graphs)
        points = self.options.limits.points
        measured = (
            error_metric(slot, exact, self.evaluation, labels, self.graphs, points)
            if config.precision != "fp32"
            else None
        )
        if measured is None:
            quantize(exact, final, config, feeds)
        else:
            found = excluded_layers.search(exact, final, config, *measured, feeds=feeds)
            if found.excluded:
                self.excluded[slot] = {
                    "layers": list(found.excluded),
                    "points_lost_before": round(found.before.points, 2),
                    "points_lost": round(found.after.points, 2),
                }
        return config.precision


def decoder_alone(tokenizer: str) -> str:
    """Return a tokenizer's file without the merges of byte pairs: ids become text without them, and it loads faster."""
    content = json.loads(tokenizer)
    if content["model"]["type"] == "BPE":
        content["model"]["merges"] = []
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


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
    content = path.read_bytes()
    return {"file": path.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write ``bundle.json``."""
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
