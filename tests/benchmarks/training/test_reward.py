"""Regret under each form of reward, small."""

from __future__ import annotations

import json

import pytest

from benchmarks.training import reward


def test_every_condition_is_measured_and_the_plots_are_among_them() -> None:
    result, curves = reward.measure(seeds=2, dialogues=25)
    assert len(result["rows"]) == len(reward.LINGERING) * len(reward.EXPLORING)
    assert len(curves) == 4
    last = result["rows"][-1]
    assert (last["lingering"], last["explores"]) == (0.95, "by habit")
    found = curves["lingering mood, explores by habit"]["delta"]
    assert found.shape == (2, 25)
    assert last["forms"]["delta"]["regret"]["mean"] == pytest.approx(found[:, -1].mean())
    json.dumps(result)
