"""What is said of measured times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.common.timing import line, paired, percentiles, rounds


def test_percentiles_lie_between_the_nearest_samples():
    assert percentiles(range(1, 102)) == {"p50": 51.0, "p95": 96.0, "p99": 100.0}
    assert percentiles([1.0, 2.0]) == {"p50": 1.5, "p95": 1.95, "p99": 1.99}


def test_rounds_take_turns_and_begin_with_another_each():
    assert list(rounds("abc", 2)) == [(0, "a"), (0, "b"), (0, "c"), (1, "b"), (1, "c"), (1, "a")]


@given(st.integers(1, 5), st.integers(0, 20))
def test_every_name_has_its_turn_in_every_round(names, count):
    order = list(rounds(range(names), count))
    assert sorted(order) == [(n, name) for n in range(count) for name in range(names)]


def test_ratios_are_of_pairs_not_of_medians():
    # Of the medians it would be 30 / 20: half of the pairs ran while the machine was slow.
    assert paired([10, 100, 20], [40, 200, 30])["median"] == 2.0
    assert paired([1, 1, 1, 1], [1, 2, 3, 4]) == {"median": 2.5, "quartiles": [1.75, 3.25]}


@pytest.mark.parametrize(("mine", "theirs"), [([], []), ([1.0], [1.0, 2.0])])
def test_samples_that_are_not_paired_are_refused(mine, theirs):
    with pytest.raises(ValueError, match="not pairs"):
        paired(mine, theirs)


def test_a_straight_cost_has_no_bend_and_its_knee_where_both_parts_are_alike():
    cost = line({1.0: 30.0, 2.0: 40.0, 4.0: 60.0})
    assert cost["fixed_ms"] == 20.0 and cost["ms_per_second"] == 10.0
    assert cost["knee_s"] == 2.0 and cost["bend"] == 1.0
    assert cost["slopes"] == {"1 to 2 s": 10.0, "2 to 4 s": 10.0}


def test_a_cost_that_grows_faster_bends_upwards():
    assert line({s: s**2 for s in (1.0, 2.0, 4.0)})["bend"] == 2.0
