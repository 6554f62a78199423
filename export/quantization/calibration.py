"""Samples → named inputs of a slot's graph: to calibrate static int8, and to measure the error of quantization."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from edge_runtime.bundle.contract import TYPES
from edge_runtime.classifier import MAX_TEXT_TOKENS
from export.evaluation.agreement import CLEAR_MARGIN
from export.evaluation.data import EvaluationSet, Sample
from export.evaluation.limits import MIN_LABELLED, chance
from export.graphs.bundle_graphs import BundleGraphs
from export.graphs.torch_export import Graph
from export.quantization.error import Array, ErrorMetric, GraphError
from export.quantization.quantize import NamedFeed

FROM_WAVEFORM, FROM_TEXT = ("speech_encoder", "speech_emotion"), ("text_emotion",)


def calibration_feeds(graphs: BundleGraphs, calibration: EvaluationSet | None) -> dict[str, list[NamedFeed]]:
    """Return the inputs that each slot is calibrated with; nothing for slots that cannot be calibrated."""
    if calibration is None:
        return {}
    found = {slot: named_feeds(slot, calibration.samples, graphs) for slot in graphs.slots}
    speech = graphs.slots.get("speech_emotion")
    if isinstance(speech, Graph) and "hidden_states" in speech.inputs:
        del found["speech_emotion"]
    return {slot: feeds for slot, feeds in found.items() if feeds}


def named_feeds(slot: str, samples: Sequence[Sample], graphs: BundleGraphs) -> list[NamedFeed]:
    """Return the inputs of ``slot`` for each sample: its waveform, or its token ids; nothing for other slots.

    No text has a context: what is lost on utterances alone is what a limit is stated for.
    """
    if slot in FROM_WAVEFORM:
        return [{"waveform": waveform[None]} for s in samples if (waveform := s.waveform) is not None]
    tokenizer = graphs.tokenizers.get("text")
    if slot in FROM_TEXT and tokenizer is not None:
        texts = [s.transcript for s in samples if s.transcript]
        encoded = [tokenizer(text, truncation=True, max_length=MAX_TEXT_TOKENS)["input_ids"] for text in texts]
        graph = graphs.slots.get(slot)
        types = [TYPES] if isinstance(graph, Graph) and TYPES in graph.inputs else []
        return [
            {"input_ids": np.array([ids], np.int64), "attention_mask": np.ones((1, len(ids)), np.int64)}
            | {name: np.zeros((1, len(ids)), np.int64) for name in types}
            for ids in encoded
        ]
    return []


def error_metric(
    slot: str, exact: Path, evaluation: EvaluationSet, labels: Sequence[str], graphs: BundleGraphs, points: float
) -> tuple[ErrorMetric, float] | None:
    """Return the metric of a branch's quantization, and its limit; None for other slots, or without samples to run on.

    The metric takes the branch's scores and the answer that the bundle makes of them, whichever loses more, and
    follows the rules of ``export.evaluation.limits``: with 50 labelled samples or more accuracy may fall by
    ``points``; with fewer no clear label may change; and what few labelled samples lose may be chance.
    """
    if slot not in {"speech_emotion", "text_emotion"}:
        return None
    from_waveform = slot in FROM_WAVEFORM
    samples = [s for s in evaluation.samples if (s.audio is not None if from_waveform else bool(s.transcript))]
    labelled = [s for s in samples if s.label in labels]
    enough = len(labelled) >= MIN_LABELLED
    truth = [labels.index(s.label) for s in labelled if s.label is not None] if enough else None
    feeds = named_feeds(slot, labelled if enough else samples, graphs)
    if not feeds:
        return None
    metrics = [
        GraphError(exact, feeds, truth=truth, margin=CLEAR_MARGIN, answer=answer) for answer in _answers(slot, graphs)
    ]
    by_chance = 100 * chance(points, len(labelled)) / max(len(labelled), 1)
    return lambda path: max(metric(path) for metric in metrics), max(points, by_chance) if enough else by_chance


def _answers(slot: str, graphs: BundleGraphs) -> list[Callable[[Array, Array], Array]]:
    """Return what makes calibrated logits of a branch's logits and embedding: its own, and those of the bundle.

    In the bundle text alone passes through the fusion block, where that was trained to do without speech.
    """
    temperature = graphs.temperatures.get("text" if slot in FROM_TEXT else "speech", 1.0)
    found: list[Callable[[Array, Array], Array]] = [lambda logits, _: logits / temperature]
    block = graphs.slots.get("fusion")
    alone = graphs.temperatures.get("fusion_text_only")
    if slot == "text_emotion" and alone is not None and isinstance(block, Graph):
        no_speech = torch.zeros_like(block.example[0][:1])

        @torch.no_grad()
        def fused(_: Array, embedding: Array) -> Array:
            rows = torch.from_numpy(embedding.astype(np.float32))
            present = torch.tensor([[0.0, 1.0]]).expand(len(rows), -1)
            logits: Array = block.module.eval()(no_speech.expand(len(rows), -1), rows, present).numpy()
            return logits / alone

        found.append(fused)
    return found
