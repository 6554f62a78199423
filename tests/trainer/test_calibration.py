"""Temperatures: a known one is found again, and overconfidence is cured on examples not fitted on."""

import numpy as np
import pytest
from scipy.special import softmax

from trainer import calibration, metrics


def honest(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return labels drawn from the very probabilities that the logits stand for."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (count, 4))
    odds = softmax(logits, axis=1).cumsum(1)
    return (random.random((count, 1)) > odds).sum(1).clip(max=3), logits


@pytest.mark.parametrize("known", [0.3, 1.0, 4.0])
def test_a_known_temperature_is_recovered(known):
    truth, logits = honest(4000)
    assert calibration.temperature(truth, logits * known) == pytest.approx(known, rel=0.08)


def test_a_temperature_does_not_depend_on_the_order():
    truth, logits = honest(200)
    assert calibration.temperature(truth[::-1], logits[::-1]) == pytest.approx(
        calibration.temperature(truth, logits), rel=1e-6
    )


@pytest.mark.parametrize(("factor", "bound"), [(0.1, 0.05), (-10, 20)])
def test_perfect_and_hopeless_logits_get_the_lowest_and_highest_temperature(factor, bound):
    truth = np.arange(40) % 4
    assert calibration.temperature(truth, factor * np.eye(4)[truth]) == pytest.approx(bound, rel=0.01)


def test_nothing_to_fit_on_is_refused():
    with pytest.raises(ValueError, match="no held-out examples"):
        calibration.temperature(np.zeros(0, int), np.zeros((0, 4)))


def test_cross_fitting_cures_overconfidence():
    truth, logits = honest(1200)
    found = calibration.cross_fitted(truth, logits * 5, np.arange(1200) % 6)
    assert found["temperature"] == pytest.approx(5, rel=0.15)
    assert found["ece_before"] > 0.1
    assert found["ece_after"] < found["ece_before"] / 3


def test_a_fold_is_measured_with_the_temperature_of_the_others():
    # One fold is honest, the other five times too sure: each other's temperature makes both worse or no better.
    truth, logits = honest(1200)
    folds = np.arange(1200) % 2
    logits[folds == 1] *= 5
    crossed = calibration.cross_fitted(truth, logits, folds)["ece_after"]
    own = np.concatenate([logits[folds == 0], logits[folds == 1] / 5])
    fitted_on_itself = metrics.calibration_error(
        np.concatenate([truth[folds == 0], truth[folds == 1]]), softmax(own, axis=1)
    )
    assert crossed > 3 * fitted_on_itself


def test_one_fold_alone_leaves_nothing_to_fit_on():
    truth, logits = honest(20)
    with pytest.raises(ValueError, match="no held-out examples"):
        calibration.cross_fitted(truth, logits, np.zeros(20, int))
