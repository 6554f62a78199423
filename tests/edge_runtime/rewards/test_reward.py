from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime import EmotionValues, IEmoNetError, Prediction, RewardError, Scores
from edge_runtime.rewards.reward import delta, posterior, reward_by_change, reward_by_response

LABELS = ("angry", "happy", "neutral", "sad")
F = EmotionValues({"angry": -1, "happy": 1, "neutral": 0, "sad": -0.5})
ROUNDING = 1e-9

shares = st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda values: sum(values) > 0.01)
distributions = shares.map(lambda values: {k: v / sum(values) for k, v in zip(LABELS, values, strict=True)})
certain = st.sampled_from(LABELS).map(lambda label: {other: float(other == label) for other in LABELS})
answers = distributions | certain


@st.composite
def mappings(draw: st.DrawFn) -> EmotionValues:
    low, high = sorted(draw(st.lists(st.floats(-100, 100), min_size=2, max_size=2, unique=True)))
    return EmotionValues({label: draw(st.floats(low, high)) for label in LABELS}, low, high)


def prediction(scores: dict[str, float]) -> Prediction:
    label = max(scores, key=scores.__getitem__) if scores else None
    return Prediction(label, None, scores, None, None, None, (), 1.0, {})


def test_equation_1_is_the_paper_s():
    now = {"angry": 0.5, "happy": 0.1, "neutral": 0.2, "sad": 0.2}
    before = {"angry": 0.1, "happy": 0.4, "neutral": 0.4, "sad": 0.1}
    estimated_now = {"angry": 0.3, "happy": 0.2, "neutral": 0.3, "sad": 0.2}
    estimated_before = {"angry": 0.1, "happy": 0.3, "neutral": 0.6, "sad": 0.0}
    # ΔP: angry +0.4, happy -0.3, sad +0.1; ΔP_est: angry +0.2, happy -0.1, sad +0.2
    by_hand = -1 * (0.4 - 0.2) + 1 * (-0.3 - -0.1) - 0.5 * (0.1 - 0.2)
    assert reward_by_response(F, now, before, estimated_now, estimated_before) == pytest.approx(by_hand)


def test_equation_2_is_the_paper_s():
    now = {"angry": 0.5, "happy": 0.1, "neutral": 0.2, "sad": 0.2}
    before = {"angry": 0.1, "happy": 0.4, "neutral": 0.4, "sad": 0.1}
    assert reward_by_change(F, now, before, 0.25) == pytest.approx(-0.4 - 0.3 - 0.05 - 0.25)


@given(mappings(), answers, answers, answers, answers)
def test_rewards_stay_in_their_bounds(f, now, before, estimated_now, estimated_before):
    room = ROUNDING * max(1, abs(f.low), abs(f.high))
    width = f.high - f.low
    assert f.low - room <= f(now) <= f.high + room
    assert abs(f(delta(now, before))) <= width + room
    assert abs(reward_by_response(f, now, before, estimated_now, estimated_before)) <= 2 * width + room
    estimate = max(-width, min(width, f(delta(estimated_now, estimated_before))))
    assert abs(reward_by_change(f, now, before, estimate)) <= 2 * width + room


def test_the_bounds_are_reached():
    f = EmotionValues({"angry": -3, "happy": 5}, low=-3, high=5)
    angry, happy = {"angry": 1.0, "happy": 0.0}, {"angry": 0.0, "happy": 1.0}
    assert reward_by_change(f, happy, angry) == 8
    assert reward_by_change(f, angry, happy, 8) == -16
    assert reward_by_response(f, happy, angry, angry, happy) == 16


@given(mappings(), answers, answers, answers, answers)
def test_equation_1_is_equation_2_with_the_estimate_s_own_reward(f, now, before, estimated_now, estimated_before):
    width = f.high - f.low
    estimate = max(-width, min(width, f(delta(estimated_now, estimated_before))))
    one = reward_by_response(f, now, before, estimated_now, estimated_before)
    assert one == pytest.approx(reward_by_change(f, now, before, estimate), abs=1e-7)


@given(answers, answers, st.floats(-10, 10))
def test_a_constant_added_to_f_changes_no_delta(now, before, constant):
    moved = EmotionValues({k: v + constant for k, v in F.values.items()}, -20, 20)
    assert moved(delta(now, before)) == pytest.approx(F(delta(now, before)), abs=1e-7)


@given(answers, answers)
def test_a_delta_sums_to_zero(now, before):
    assert math.fsum(delta(now, before).values()) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "low", "high", "message"),
    [
        ({"a": 0}, 1, 1, "p must be below q"),
        ({"a": 0}, 1, -1, "p must be below q"),
        ({"a": 0}, -math.inf, 1, "both finite"),
        ({"a": 0}, -1, math.nan, "both finite"),
        ({}, -1, 1, "no emotion"),
        ({"a": 1.01}, -1, 1, "'a' is worth 1.01, outside"),
        ({"a": math.nan}, -1, 1, "'a' is worth nan"),
        ({"a": math.inf}, -1, 1, "'a' is worth inf"),
    ],
)
def test_a_mapping_that_is_none_is_refused(values, low, high, message):
    with pytest.raises(RewardError, match=message):
        EmotionValues(values, low, high)


def test_a_mapping_must_be_over_the_classifier_s_emotions():
    with pytest.raises(RewardError, match="missing bored; unknown angry, sad"):
        EmotionValues(F.values, labels=("bored", "happy", "neutral"))


def test_a_mapping_cannot_be_altered_from_outside():
    values = {"angry": -1.0, "happy": 1.0}
    f = EmotionValues(values)
    values["angry"] = 99
    assert f.values["angry"] == -1


@given(answers)
def test_every_kind_of_answer_is_read_alike(scores):
    label = max(scores, key=scores.__getitem__)
    plain = posterior(scores, F)
    assert plain == posterior(Scores(label, scores), F) == posterior(prediction(scores), F)
    assert plain == pytest.approx(scores)
    assert sum(plain.values()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("nothing", [None, {}, prediction({})], ids=["None", "empty", "a prediction without speech"])
def test_nothing_heard_has_no_posterior(nothing):
    assert posterior(nothing, F) is None


@pytest.mark.parametrize("off", [-9e-4, 9e-4])
def test_a_sum_that_misses_one_by_less_than_a_thousandth_is_made_one(off):
    found = posterior({"angry": 0.5 + off, "happy": 0.5, "neutral": 0.0, "sad": 0.0}, F)
    assert sum(found.values()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("off", [-1.1e-3, 1.1e-3])
def test_a_sum_that_misses_one_by_more_than_a_thousandth_is_refused(off):
    with pytest.raises(RewardError, match="the scores sum to"):
        posterior({"angry": 0.5 + off, "happy": 0.5, "neutral": 0.0, "sad": 0.0}, F)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({"angry": 0.5, "happy": 0.5}, "missing neutral, sad"),
        ({"angry": 0.5, "happy": 0.5, "neutral": 0, "sad": 0, "bored": 0}, "unknown bored"),
        ({"angry": 0.5, "happy": 0.5, "neutral": 0.1, "sad": 0.1}, "sum to 1.2000"),
        ({"angry": 0.2, "happy": 0.2, "neutral": 0.1, "sad": 0.1}, "sum to 0.6000"),
        ({"angry": 1.2, "happy": -0.2, "neutral": 0, "sad": 0}, "'angry' is 1.2"),
        ({"angry": 1.0, "happy": -0.0005, "neutral": 0, "sad": 0}, "'happy' is -0.0005"),
        ({"angry": math.nan, "happy": 1, "neutral": 0, "sad": 0}, "'angry' is nan"),
        ({"angry": math.inf, "happy": 0, "neutral": 0, "sad": 0}, "'angry' is inf"),
    ],
)
def test_scores_that_are_no_distribution_are_refused(scores, message):
    with pytest.raises(RewardError, match=message):
        posterior(scores, F)


@pytest.mark.parametrize("estimate", [2.001, -2.001, math.nan, math.inf])
def test_an_estimated_reward_that_no_change_is_worth_is_refused(estimate):
    now = {"angry": 0.5, "happy": 0.5, "neutral": 0, "sad": 0}
    with pytest.raises(RewardError, match="clip it in the estimator"):
        reward_by_change(F, now, now, estimate)


def test_the_error_is_of_the_family():
    assert issubclass(RewardError, IEmoNetError) and issubclass(RewardError, ValueError)
