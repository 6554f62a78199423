"""Targets: weights that even out groups, and smoothed labels."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.targets import group_weights, one_hot

groups = st.lists(st.sampled_from("abcd"), min_size=1, max_size=40)


@given(groups)
def test_every_group_weighs_alike_and_the_mean_is_one(names):
    weights = group_weights(names)
    sums = defaultdict(float)
    for name, weight in zip(names, weights, strict=True):
        sums[name] += float(weight)
    assert weights.mean() == pytest.approx(1, rel=1e-4)
    assert min(sums.values()) == pytest.approx(max(sums.values()), rel=1e-4)


@given(groups)
def test_power_zero_weighs_nothing(names):
    assert np.allclose(group_weights(names, 0.0), 1.0)


def test_half_the_power_goes_half_the_way():
    weights = group_weights(["a"] * 16 + ["b"] * 4, 0.5)
    assert weights[-1] / weights[0] == pytest.approx(2)
    assert (group_weights(["a"] * 16 + ["b"] * 4)[-1] / group_weights(["a"] * 16 + ["b"] * 4)[0]) == pytest.approx(4)


def test_groups_may_be_of_any_kind():
    assert group_weights([("x", "sad"), ("x", "sad"), ("y", "sad")]) == pytest.approx([0.75, 0.75, 1.5])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.floats(0, 0.9))
def test_targets_are_distributions_that_prefer_the_label(labels, smoothing):
    found = one_hot(np.array(labels), 4, smoothing=smoothing)
    assert found.shape == (len(labels), 4)
    assert found.sum(1) == pytest.approx(np.ones(len(labels)), abs=1e-5)
    assert (found.argmax(1) == labels).all()
    assert found.min() == pytest.approx(smoothing / 4, abs=1e-6)


def test_without_smoothing_a_target_is_the_label():
    assert one_hot(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
