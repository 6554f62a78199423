"""Temperature scaling (Guo et al. 2017): one number, fitted on held-out logits, that makes 0.8 mean eight in ten."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from trainer.metrics import calibration_error, softmax

COLDEST, HOTTEST = 0.05, 20.0


def temperature(truth: NDArray[np.integer[Any]], logits: NDArray[np.floating[Any]]) -> float:
    """Return what to divide ``logits`` (n, labels) by, so that the likelihood of ``truth`` (n,) is greatest.

    Raises:
        ValueError: nothing to fit on.
    """
    if not len(truth):
        raise ValueError("no held-out examples to calibrate on")

    def loss(log_t: float) -> float:
        probabilities = softmax(logits / np.exp(log_t))
        return float(-np.log(np.maximum(probabilities[np.arange(len(truth)), truth], 1e-12)).mean())

    bounds = (np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def cross_fitted(
    truth: NDArray[np.integer[Any]], logits: NDArray[np.floating[Any]], folds: NDArray[np.integer[Any]]
) -> dict[str, float]:
    """Return the temperature fitted on everything, and the calibration error without and with one.

    The error with one is measured on examples whose fold the temperature was not fitted on.

    Args:
        truth: (n,) labels.
        logits: (n, labels), none from a network that was trained on the example.
        folds: (n,) the part that each example belongs to.
    """
    scaled = np.empty_like(logits)
    for fold in np.unique(folds):
        here = folds == fold
        scaled[here] = logits[here] / temperature(truth[~here], logits[~here])
    return {
        "temperature": round(temperature(truth, logits), 4),
        "ece_before": round(calibration_error(truth, softmax(logits)), 4),
        "ece_after": round(calibration_error(truth, softmax(scaled)), 4),
    }
