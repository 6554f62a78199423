"""Samples → named inputs of a slot's graph: to calibrate it with, and to judge its conversion by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from edge_runtime.classifier import MAX_TEXT_TOKENS
from export.assemble import Composition
from export.evaluation.compare import CLEAR, ENOUGH
from export.evaluation.data import Sample, Samples
from export.evaluation.limits import chance
from export.graphs.torch_export import Graph
from export.quantization.eight_bits import Feed
from export.quantization.error import Agreement, Array, Judge

HEARD, READ = ("speech_encoder", "speech_emotion"), ("text_emotion",)


def feeds(slot: str, items: Sequence[Sample], tokenizer: PreTrainedTokenizerFast | None) -> list[Feed]:
    """Return what ``slot`` takes of each sample: its waveform, or its words' token ids; nothing for other slots."""
    if slot in HEARD:
        return [{"waveform": s.waveform[None]} for s in items if s.waveform is not None]
    if slot in READ and tokenizer is not None:
        encoded = [
            tokenizer(s.words, truncation=True, max_length=MAX_TEXT_TOKENS)["input_ids"] for s in items if s.words
        ]
        return [
            {"input_ids": np.array([ids], np.int64), "attention_mask": np.ones((1, len(ids)), np.int64)}
            for ids in encoded
        ]
    return []


def judge(
    slot: str, exact: Path, tried: Samples, labels: Sequence[str], made: Composition, points: float
) -> tuple[Judge, float] | None:
    """Return what measures a branch's conversion, and its limit; None for what is no branch, or has nothing to run on.

    It judges by the branch's scores and by the answer that the bundle makes of them, whichever loses more, and by the
    rules of ``export.evaluation.compare``: with 50 labelled samples or more accuracy may fall by ``points``; with
    fewer no clear label may change; and what few labelled samples lose may be chance.
    """
    if slot not in {"speech_emotion", "text_emotion"}:
        return None
    items = [s for s in tried.items if (s.waveform is not None if slot in HEARD else bool(s.words))]
    known = [s for s in items if s.label in labels]
    enough = len(known) >= ENOUGH
    truth = [labels.index(s.label) for s in known if s.label is not None] if enough else None
    found = feeds(slot, known if enough else items, made.tokenizers.get("text"))
    if not found:
        return None
    judges = [Agreement(exact, found, truth=truth, margin=CLEAR, answer=answer) for answer in _answers(slot, made)]
    by_chance = 100 * chance(points, len(known)) / max(len(known), 1)
    return lambda path: max(judge(path) for judge in judges), max(points, by_chance) if enough else by_chance


def _answers(slot: str, made: Composition) -> list[Callable[[Array, Array], Array]]:
    """Return what makes calibrated logits of a branch's logits and embedding: its own, and those of the bundle.

    In the bundle words alone pass through the fusion block, where it was trained to do without the voice.
    """
    temperature = made.calibration.get("text" if slot in READ else "speech", 1.0)
    found: list[Callable[[Array, Array], Array]] = [lambda logits, _: logits / temperature]
    block = made.slots.get("fusion")
    alone = made.calibration.get("fusion_text_only")
    if slot == "text_emotion" and alone is not None and isinstance(block, Graph):
        silence = torch.zeros_like(block.example[0][:1])

        @torch.no_grad()
        def fused(_: Array, embedding: Array) -> Array:
            rows = torch.from_numpy(embedding.astype(np.float32))
            present = torch.tensor([[0.0, 1.0]]).expand(len(rows), -1)
            logits: Array = block.module.eval()(silence.expand(len(rows), -1), rows, present).numpy()
            return logits / alone

        found.append(fused)
    return found
