"""Plain speech that is called an emotion, counted."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.common.plain_speech import SURE, of_all, shares

CALM, MOVED, SURELY_MOVED = [0.7, 0.3], [0.4, 0.6], [1 - SURE, SURE]


def test_emotions_count_and_sure_ones_apart_as_the_mean_over_networks() -> None:
    one = np.array([CALM, MOVED, SURELY_MOVED, SURELY_MOVED])
    other = np.array([CALM] * 4)
    assert shares([one], 0) == {"n": 4, "called_emotional": 0.75, "and_sure": 0.5, "confidence": 0.725}
    assert shares([one, other], 0)["called_emotional"] == pytest.approx(0.375, abs=1e-4)
    assert shares([one], 1)["and_sure"] == 0


def test_all_recordings_count_alike_whatever_their_corpus() -> None:
    few, many = shares([np.array([MOVED])], 0), shares([np.array([CALM] * 3)], 0)
    whole = of_all([few, many])
    assert (whole["n"], whole["called_emotional"], whole["and_sure"]) == (4, 0.25, 0)
    assert whole["confidence"] == pytest.approx((0.6 + 3 * 0.7) / 4)
