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
Int = NDArray[np.integer[Any]]
Logits = NDArray[np.floating[Any]]


def temperature(truth: Int, logits: Logits) -> float:
    """Return what to divide ``logits`` (n, labels) by, so that the likelihood of ``truth`` (n,) is greatest.

    Raises:
        ValueError: nothing to fit on.
    """
    if not len(truth):
        raise ValueError("no held-out examples to calibrate on")
    rows = np.arange(len(truth))

    def loss(log_t: float) -> float:
        found = log_softmax(logits / np.exp(log_t), axis=1)[rows, truth]
        return float(-np.maximum(found, np.log(LEAST_PROBABILITY)).mean())

    bounds = (np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def held_out(validation: Int, validation_logits: Logits, truth: Int, logits: Logits) -> dict[str, float]:
    """Return the temperature fitted on validation examples, and the calibration error of others before and after."""
    fitted = temperature(validation, validation_logits)
    return _errors(fitted, truth, logits, logits / fitted)


def cross_fitted(truth: Int, logits: Logits, folds: Int) -> dict[str, float]:
    """Return the temperature fitted on everything, and the calibration error before and after.

    The error after is measured on examples whose fold the temperature was not fitted on.

    Args:
        truth: (n,) labels.
        logits: (n, labels), none from a network that was trained on the example.
        folds: (n,) the part that each example belongs to.
    """
    scaled = np.empty_like(logits)
    for fold in np.unique(folds):
        here = folds == fold
        scaled[here] = logits[here] / temperature(truth[~here], logits[~here])
    return _errors(temperature(truth, logits), truth, logits, scaled)


def _errors(fitted: float, truth: Int, before: Logits, after: Logits) -> dict[str, float]:
    return {
        "temperature": round(fitted, 4),
        "ece_before": round(calibration_error(truth, softmax(before, axis=1)), 4),
        "ece_after": round(calibration_error(truth, softmax(after, axis=1)), 4),
    }
