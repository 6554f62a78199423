"""Samples → named inputs of a slot's graph: to calibrate it with, and to judge its conversion by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from edge_runtime.classifier import LONGEST_TEXT
from export.composition import Composition
from export.graphs import Graph
from export.limits import chance
from export.precision.eight_bits import Feed
from export.precision.judge import Agreement, Array
from export.samples import Sample, Samples
from export.verification import CLEAR, ENOUGH

HEARD, READ = ("speech_encoder", "speech_emotion"), ("text_emotion",)


def feeds(slot: str, items: Sequence[Sample], tokenizer: PreTrainedTokenizerFast | None) -> list[Feed]:
    """Return what ``slot`` takes of each sample: its waveform, or its words' token ids; nothing for other slots."""
    if slot in HEARD:
        return [{"waveform": s.waveform[None]} for s in items if s.waveform is not None]
    if slot in READ and tokenizer is not None:
        encoded = [tokenizer(s.words, truncation=True, max_length=LONGEST_TEXT)["input_ids"] for s in items if s.words]
        return [
            {"input_ids": np.array([ids], np.int64), "attention_mask": np.ones((1, len(ids)), np.int64)}
            for ids in encoded
        ]
    return []


def judge(
    slot: str, exact: Path, tried: Samples, labels: Sequence[str], made: Composition, points: float
) -> tuple[Agreement, float] | None:
    """Return what measures a branch's conversion, and its limit; None for what is no branch, or has nothing to run on.

    It judges by the scores that the bundle will give, as ``export.verification`` does in the end, and by its rules:
    with 50 labelled samples or more accuracy may fall by ``points``; with fewer no clear label may change; and what
    few labelled samples lose may be chance.
    """
    if slot not in {"speech_emotion", "text_emotion"}:
        return None
    items = [s for s in tried.items if (s.waveform is not None if slot in HEARD else bool(s.words))]
    known = [s for s in items if s.label in labels]
    tokenizer, answer = made.tokenizers.get("text"), _answer(slot, made)
    by_chance = 100 * chance(points, len(known)) / max(len(known), 1)
    if len(known) >= ENOUGH:
        truth = [labels.index(s.label) for s in known if s.label is not None]
        return Agreement(exact, feeds(slot, known, tokenizer), truth=truth, answer=answer), max(points, by_chance)
    found = feeds(slot, items, tokenizer)
    return (Agreement(exact, found, margin=CLEAR, answer=answer), by_chance) if found else None


def _answer(slot: str, made: Composition) -> Callable[[Array, Array], Array]:
    """Return what makes the bundle's answer of a branch's logits and embedding: calibrated logits.

    Words alone pass through the fusion block, where it was trained to do without the voice.
    """
    block = made.slots.get("fusion")
    alone = made.calibration.get("fusion_text_only")
    if slot == "text_emotion" and alone is not None and isinstance(block, Graph):
        silence = torch.zeros_like(block.example[0])

        @torch.no_grad()
        def fused(_: Array, embedding: Array) -> Array:
            rows = torch.from_numpy(embedding.astype(np.float32))
            given = silence[:1].expand(len(rows), -1), rows, torch.tensor([[0.0, 1.0]]).expand(len(rows), -1)
            logits: Array = block.module.eval()(*given).numpy()
            return logits / alone

        return fused
    temperature = made.calibration.get("text" if slot in READ else "speech", 1.0)
    return lambda logits, _: logits / temperature
