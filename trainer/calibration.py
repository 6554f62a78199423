"""Temperature scaling (Guo et al. 2017): one number, fitted on held-out logits, that makes 0.8 mean eight in ten."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from trainer.metrics import calibration_error

COLDEST, HOTTEST = 0.05, 20.0
LEAST_PROBABILITY = 1e-12
RIGHT_SHARE = 0.75
"""From the operating point on, so many answers are right: three of four."""
LEAST_POINT, MOST_POINT = 0.01, 0.99
Int = NDArray[np.integer[Any]]
Logits = NDArray[np.floating[Any]]


def temperature(truth: Int, logits: Logits, weights: Logits | None = None) -> float:
    """Return what to divide ``logits`` (n, labels) by, so that the likelihood of ``truth`` (n,) is greatest.

    Args:
        truth: (n,) labels.
        logits: (n, labels).
        weights: how much each example counts (n,); all alike by default.

    Raises:
        ValueError: nothing to fit on.
    """
    if not len(truth):
        raise ValueError("no held-out examples to calibrate on")
    rows = np.arange(len(truth))

    def loss(log_t: float) -> float:
        found = log_softmax(logits / np.exp(log_t), axis=1)[rows, truth]
        return float(-np.average(np.maximum(found, np.log(LEAST_PROBABILITY)), weights=weights))

    bounds = (np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def operating_point(truth: Int, probabilities: Logits, weights: Logits) -> float:
    """Return the least confidence from which on ``RIGHT_SHARE`` of the answers are right; below it nobody should rely.

    Args:
        truth: (n,) labels.
        probabilities: (n, labels).
        weights: how much each example counts (n,).
    """
    confidence = probabilities.max(1)
    order = np.argsort(-confidence, kind="stable")
    right = np.cumsum((weights * (probabilities.argmax(1) == truth))[order]) / np.cumsum(weights[order])
    enough = np.flatnonzero(right >= RIGHT_SHARE)
    point = confidence[order[enough[-1]]] if len(enough) else MOST_POINT
    return float(np.clip(point, LEAST_POINT, MOST_POINT))


def held_out(validation: Int, validation_logits: Logits, truth: Int, logits: Logits) -> dict[str, float]:
    """Return the temperature fitted on validation examples, and the calibration error of others before and after."""
    fitted = temperature(validation, validation_logits)
    point = operating_point(validation, softmax(validation_logits / fitted, axis=1), np.ones(len(validation)))
    return _errors(fitted, point, truth, logits, logits / fitted)


def cross_fitted(truth: Int, logits: Logits, folds: Int) -> dict[str, float]:
    """Return the temperature fitted on everything, and the calibration error before and after.

    The error after is measured on examples whose fold the temperature was not fitted on. Folds count alike, however
    many examples they have: they may be corpora of different sizes.

    Args:
        truth: (n,) labels.
        logits: (n, labels), none from a network that was trained on the example.
        folds: (n,) the part that each example belongs to.
    """
    _, fold, counts = np.unique(folds, return_inverse=True, return_counts=True)
    weights = 1 / counts[fold]
    scaled = np.empty_like(logits)
    for number in range(len(counts)):
        here = fold == number
        scaled[here] = logits[here] / temperature(truth[~here], logits[~here], weights[~here])
    point = operating_point(truth, softmax(scaled, axis=1), weights)
    return _errors(temperature(truth, logits, weights), point, truth, logits, scaled)


def _errors(fitted: float, point: float, truth: Int, before: Logits, after: Logits) -> dict[str, float]:
    return {
        "temperature": round(fitted, 4),
        "operating_point": round(point, 4),
        "ece_before": round(calibration_error(truth, softmax(before, axis=1)), 4),
        "ece_after": round(calibration_error(truth, softmax(after, axis=1)), 4),
    }
