"""How the answers of a converted bundle differ from those of the exact one, on the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.pipeline import IEmoNet
from edge_runtime.prediction import Scores
from export.evaluation.agreement import Float, accuracy, label_agreement
from export.evaluation.data import EvaluationSet, Sample
from export.evaluation.limits import MIN_LABELLED
from trainer.text.wer import word_error_rate

OUTPUTS = ("speech", "text", "fused")


@dataclass(frozen=True)
class Answer:
    """A bundle's answer to one sample.

    Attributes:
        scores: by output (``OUTPUTS``); None, or no entry, where there is none.
        transcript: what was recognised; None where no sound was given.
        timings_ms: by slot.
    """

    scores: Mapping[str, Scores | None]
    transcript: str | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)


def classify(model: IEmoNet, samples: Sequence[Sample]) -> list[Answer]:
    """Return the answers of ``model``: speech and fused of each sample's sound, text of its given transcript."""
    slots = model.bundle.slots
    answers = []
    for sample in samples:
        scores: dict[str, Scores | None] = {}
        transcript = None
        waveform = sample.waveform
        if waveform is not None and "vad" in slots:
            found = model(waveform, SAMPLE_RATE)
            scores |= {"speech": found.speech, "fused": Scores(found.label, found.scores) if found.label else None}
            transcript = found.transcript or ""
        if sample.transcript and "text_emotion" in slots:
            scores["text"] = model.classify_text(sample.transcript)
        answers.append(Answer(scores, transcript))
    return answers


def pair(
    output: str, before: Sequence[Answer], after: Sequence[Answer], labels: Sequence[str]
) -> tuple[list[int], Float, Float]:
    """Return the rows for which both have an answer, and both's scores (rows, labels)."""
    both = [
        (row, a.scores.get(output), b.scores.get(output)) for row, (a, b) in enumerate(zip(before, after, strict=True))
    ]
    there = [(row, one, other) for row, one, other in both if one is not None and other is not None]
    scores = np.array(
        [[[given.scores[label] for label in labels] for given in (one, other)] for _, one, other in there]
    ).reshape(-1, 2, len(labels))
    return [row for row, _, _ in there], scores[:, 0], scores[:, 1]


def differences(
    exact: Sequence[Answer], other: Sequence[Answer], evaluation: EvaluationSet, labels: Sequence[str]
) -> dict[str, Any]:
    """Return how ``other`` differs from ``exact``: labels, scores, transcripts, and accuracy where it is known."""
    found: dict[str, Any] = {"samples": evaluation.source}
    for output in OUTPUTS:
        rows, before, after = pair(output, exact, other, labels)
        if rows:
            truth = [evaluation.samples[row].label for row in rows]
            found[output] = _differences(before, after, truth, labels)
            found[output]["answers_lost"] = sum(a.scores.get(output) is not None for a in exact) - len(rows)
    spoken = [
        (a.transcript, b.transcript or "") for a, b in zip(exact, other, strict=True) if (a.transcript or "").strip()
    ]
    if spoken:
        rate = word_error_rate([a or "" for a, _ in spoken], [b for _, b in spoken])
        found["transcripts"] = {"n": len(spoken), "word_error_rate_against_exact": round(rate, 4)}
    return found


def _differences(before: Float, after: Float, truth: Sequence[str | None], labels: Sequence[str]) -> dict[str, Any]:
    agreement = label_agreement(before, after)
    known = np.array([label in labels for label in truth])
    found: dict[str, Any] = {
        "n": agreement.n,
        "same_label": round(agreement.same_label, 4),
        "clear_labels_changed": agreement.clear_labels_changed,
        "mean_score_difference": round(agreement.mean_difference, 5),
        "labelled": int(known.sum()),
    }
    if known.sum() < MIN_LABELLED:
        return found
    right = np.array([labels.index(label) for label in truth if label in labels])
    one, other = before[known].argmax(1), after[known].argmax(1)
    was, now = accuracy(right, one), accuracy(right, other)
    lost = _answers_lost(right, one, other, len(labels))
    for name, answers_lost in (("wa", lost.sum()), ("ua", lost.clip(min=0).sum())):
        found[name] = {
            "exact": round(was[name], 4),
            "now": round(now[name], 4),
            "points_lost": round(100 * (was[name] - now[name]), 2),
            "answers_lost": int(answers_lost),
        }
    return found


def _answers_lost(
    right: NDArray[np.intp], before: NDArray[np.intp], after: NDArray[np.intp], labels: int
) -> NDArray[np.float64]:
    """Return, of each label, how many answers were right and are no longer; a gain elsewhere is another label's."""
    change = (before == right).astype(np.float64) - (after == right)
    result: NDArray[np.float64] = np.bincount(right, change, labels).astype(np.float64)
    return result
