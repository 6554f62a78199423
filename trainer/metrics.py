"""How well labels and probabilities fit: the paper's WA and UA, and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, recall_score

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


def calibration_error(truth: Int, probabilities: Float) -> float:
    """Expected calibration error: mean gap between confidence and accuracy over 15 bins of equal width."""
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == truth
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs(confidence[bins == b].sum() - correct[bins == b].sum()) for b in range(BINS)]
    return float(sum(gaps) / len(truth))


def softmax(logits: Float) -> Float:
    """Probabilities (n, labels) of logits."""
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Float = odds / odds.sum(axis=1, keepdims=True)
    return result


def report(truth: Int, logits: Float, labels: Sequence[str], *, seed: int = 0) -> dict[str, Any]:
    """Return WA, UA with a 95 % bootstrap interval, calibration error, confusion matrix and counts.

    Args:
        truth: (n,) indices into ``labels``.
        logits: (n, labels).
        labels: names.
        seed: of the bootstrap.
    """
    guess = logits.argmax(1)
    random = np.random.default_rng(seed)
    draws = []
    for _ in range(RESAMPLES):
        pick = random.integers(0, len(truth), len(truth))
        draws.append(unweighted_accuracy(truth[pick], guess[pick]))
    low, high = np.percentile(draws, [2.5, 97.5])
    return {
        "n": len(truth),
        "wa": round(weighted_accuracy(truth, guess), 4),
        "ua": round(unweighted_accuracy(truth, guess), 4),
        "ua_interval": [round(float(low), 4), round(float(high), 4)],
        "ece": round(calibration_error(truth, softmax(logits)), 4),
        "labels": list(labels),
        "confusion": confusion_matrix(truth, guess, labels=range(len(labels))).tolist(),
    }
