"""Samples → named inputs of a slot's graph: to calibrate it with, and to judge its conversion by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerFast

from edge_runtime.classifier import LONGEST_TEXT
from export.precision.eight_bits import Feed
from export.precision.judge import Agreement
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
    slot: str, exact: Path, tried: Samples, labels: Sequence[str], tokenizer: PreTrainedTokenizerFast | None
) -> tuple[Agreement, float | None] | None:
    """Return what measures a branch's conversion, and its limit; None for what is no branch, or has nothing to run on.

    With 50 labelled samples or more accuracy is measured, and the limit is the user's (None); with fewer no clear label
    may change (0).
    """
    if slot not in {"speech_emotion", "text_emotion"}:
        return None
    items = [s for s in tried.items if (s.waveform is not None if slot in HEARD else bool(s.words))]
    known = [s for s in items if s.label in labels]
    if len(known) >= ENOUGH:
        truth = [labels.index(s.label) for s in known if s.label is not None]
        return Agreement(exact, feeds(slot, known, tokenizer), truth=truth), None
    found = feeds(slot, items, tokenizer)
    return (Agreement(exact, found, margin=CLEAR), 0.0) if found else None
