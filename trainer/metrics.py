"""How well labels and probabilities fit: the paper's WA and UA, and calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, f1_score, recall_score

BINS = 15
RESAMPLES = 1000

Float = NDArray[np.floating[Any]]
Int = NDArray[np.integer[Any]]


def weighted_accuracy(truth: Int, guess: Int) -> float:
    """WA (section 5.3): correctly classified samples over all samples."""
    return float(np.mean(truth == guess))


def unweighted_accuracy(truth: Int, guess: Int) -> float:
    """UA (section 5.3): the mean over classes of each class' recall."""
    return float(recall_score(truth, guess, labels=np.unique(truth), average="macro"))


def macro_f1(truth: Int, guess: Int) -> float:
    """Macro F1: the mean over classes of the harmonic mean of precision and recall."""
    return float(f1_score(truth, guess, labels=np.unique(truth), average="macro", zero_division=0))


def scores(truth: Int, guess: Int) -> dict[str, float]:
    """Return WA, UA (which is macro recall) and macro F1."""
    return {
        "wa": weighted_accuracy(truth, guess),
        "ua": unweighted_accuracy(truth, guess),
        "f1": macro_f1(truth, guess),
    }


def confusion(truth: Int, guess: Int, classes: int) -> NDArray[np.int64]:
    """Return how often each label (row) was called what (column)."""
    result: NDArray[np.int64] = confusion_matrix(truth, guess, labels=range(classes))
    return result


def intervals(truth: Int, guesses: Int, *, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Return 95 % bootstrap intervals of WA, UA and macro F1, averaged over runs.

    Utterances are drawn anew, not runs: the interval says what another sample of as many utterances could give.

    Args:
        truth: (n,) labels.
        guesses: (runs, n).
        seed: of the bootstrap.
    """
    random = np.random.default_rng(seed)
    classes = int(max(truth.max(), guesses.max())) + 1
    cells = truth * classes + guesses
    draws = []
    for _ in range(RESAMPLES):
        pick = random.integers(0, len(truth), len(truth))
        counts = np.stack([np.bincount(c[pick], minlength=classes**2) for c in cells]).reshape(-1, classes, classes)
        draws.append(_from_confusion(counts))
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(("wa", "ua", "f1"))}


def _from_confusion(counts: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Return WA, UA and macro F1 of confusion matrices (runs, classes, classes), averaged over runs."""
    right, said, there = np.einsum("rii->ri", counts), counts.sum(1), counts.sum(2)
    present = there > 0
    share = present.sum(1)
    recall = np.divide(right, there, out=np.zeros(right.shape), where=present)
    f1 = np.divide(2 * right, said + there, out=np.zeros(right.shape), where=present)
    wa = right.sum(1) / there.sum(1)
    return np.array([wa.mean(), (recall.sum(1) / share).mean(), (f1.sum(1) / share).mean()])


def calibration_error(truth: Int, probabilities: Float) -> float:
    """Expected calibration error: mean gap between confidence and accuracy over 15 bins of equal width."""
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == truth
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs(confidence[bins == b].sum() - correct[bins == b].sum()) for b in range(BINS)]
    return float(sum(gaps) / len(truth))
