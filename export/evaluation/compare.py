"""Whether a converted bundle still is the model that was trained: measured on samples, held to limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jiwer
import numpy as np
from numpy.typing import NDArray

from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.pipeline import IEmoNet
from edge_runtime.prediction import Scores
from export.evaluation.data import Samples
from export.evaluation.limits import chance
from trainer.metrics import unweighted_accuracy, weighted_accuracy

VIEWS = ("voice", "words", "fused")
CLEAR = 0.1
"""A label whose two best scores lie closer than this may change where no accuracy can be measured."""
ENOUGH = 50
"""Fewer labelled samples than this measure no accuracy."""

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What a bundle says of samples: for each view the rows that it answers and their scores (n, labels)."""

    rows: dict[str, list[int]]
    scores: dict[str, Float]
    transcripts: list[str]


def answers(model: IEmoNet, samples: Samples) -> Answers:
    """Return what ``model`` says of ``samples``: what can be heard is heard, what can only be read is read."""
    rows: dict[str, list[int]] = {view: [] for view in VIEWS}
    scores: dict[str, list[list[float]]] = {view: [] for view in VIEWS}
    transcripts = []

    def note(view: str, row: int, found: Scores | None) -> None:
        if found is not None:
            rows[view].append(row)
            scores[view].append([found.scores[label] for label in model.labels])

    reads, hears = "text_emotion" in model.bundle.slots, "vad" in model.bundle.slots
    for row, sample in enumerate(samples.items):
        if sample.waveform is not None and hears:
            heard = model(sample.waveform, SAMPLE_RATE)
            note("voice", row, heard.speech)
            note("fused", row, Scores(heard.label, heard.scores) if heard.label else None)
            transcripts.append(heard.transcript or "")
        if sample.words and reads:
            note("words", row, model.classify_text(sample.words))
    width = len(model.labels)
    return Answers(rows, {view: np.array(found).reshape(-1, width) for view, found in scores.items()}, transcripts)


def compare(exact: Answers, other: Answers, samples: Samples, labels: Sequence[str]) -> dict[str, Any]:
    """Return how ``other`` differs from ``exact``: labels, scores, transcripts, and accuracy where it is known."""
    found: dict[str, Any] = {"samples": samples.source}
    for view in VIEWS:
        if exact.rows[view] != other.rows[view]:
            both = [row for row in exact.rows[view] if row in other.rows[view]]
        else:
            both = exact.rows[view]
        if both:
            before, after = (
                a.scores[view][[i for i, row in enumerate(a.rows[view]) if row in set(both)]] for a in (exact, other)
            )
            truth = [samples.items[row].label for row in both]
            found[view] = _view(before, after, truth, labels)
            found[view]["answers_lost"] = len(exact.rows[view]) - len(both)
    spoken = [(a, b) for a, b in zip(exact.transcripts, other.transcripts, strict=True) if a.strip()]
    if spoken:
        rate = jiwer.wer([a for a, _ in spoken], [b for _, b in spoken])
        found["transcripts"] = {"n": len(spoken), "word_error_rate_against_exact": round(float(rate), 4)}
    return found


def _view(before: Float, after: Float, truth: Sequence[str | None], labels: Sequence[str]) -> dict[str, Any]:
    one, other = before.argmax(1), after.argmax(1)
    best = np.sort(before, axis=1)
    clear = best[:, -1] - best[:, -2] >= CLEAR
    view: dict[str, Any] = {
        "n": len(before),
        "same_label": round(float(np.mean(one == other)), 4),
        "clear_labels_changed": int(np.sum((one != other) & clear)),
        "mean_score_difference": round(float(np.abs(before - after).mean()), 5),
    }
    known = np.array([label in labels for label in truth])
    view["labelled"] = int(known.sum())
    if known.sum() >= ENOUGH:
        right = np.array([labels.index(label) for label in truth if label in labels])
        # Of each label, how many answers were right and are no longer; what is gained elsewhere is another label's.
        lost = np.bincount(right, (one[known] == right) * 1.0 - (other[known] == right), len(labels))
        for name, score, answers_lost in (
            ("wa", weighted_accuracy, lost.sum()),
            ("ua", unweighted_accuracy, lost.clip(min=0).sum()),
        ):
            was, now = score(right, one[known]), score(right, other[known])
            view[name] = {
                "exact": round(was, 4),
                "now": round(now, 4),
                "points_lost": round(100 * (was - now), 2),
                "answers_lost": int(answers_lost),
            }
    return view


def shortfalls(found: dict[str, Any], *, limit_points: float) -> list[str]:
    """Return, in words, where a comparison exceeds its limits; nothing where it holds.

    Args:
        found: as ``compare`` returns it.
        limit_points: WA and UA that may be lost, in points, where they were measured; what few samples lose may be
            chance (``export.evaluation.limits.chance``). Elsewhere no clear label may change, of labelled samples none
            but by chance, nor the answer to a sample go missing.
    """
    said = []
    for view in VIEWS:
        figures = found.get(view)
        if figures is None:
            continue
        by_chance = chance(limit_points, figures["labelled"])
        if "wa" in figures:
            said += [
                f"{view}: {name.upper()} falls by {figures[name]['points_lost']:.2f} points "
                f"({figures[name]['exact']:.4f} to {figures[name]['now']:.4f}), and {limit_points:g} are allowed"
                for name in ("wa", "ua")
                if figures[name]["points_lost"] > limit_points and figures[name]["answers_lost"] > by_chance
            ]
        elif figures["clear_labels_changed"] > by_chance:
            said.append(f"{view}: {figures['clear_labels_changed']} of {figures['n']} clear labels changed")
        if figures["answers_lost"] and "wa" not in figures:
            said.append(f"{view}: {figures['answers_lost']} answers are missing")
    return said


def advice(found: dict[str, Any], precision: str) -> str:
    """Return what helps where a comparison exceeds its limits."""
    measured = [view for view in VIEWS if "wa" in found.get(view, {})]
    other = "" if precision == "fp32" else "--fp32 loses nothing; "
    if measured:
        worst = max(found[view][name]["points_lost"] for view in measured for name in ("wa", "ua"))
        how = f"--limit-points {math.ceil(max(worst, 0.0))} allows that much; " if worst > 0 else ""
    else:
        how = (
            f"{found['samples']} is too little to measure accuracy on: --evaluate names a corpus of {ENOUGH} or more "
            "labelled utterances, such as the one that was trained on; "
        )
    return f"{other}{how}--allow-shortfall writes it all the same, and says so in its card"
