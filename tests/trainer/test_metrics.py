"""WA, UA, and calibration error, against figures worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from trainer import metrics

pytestmark = pytest.mark.usefixtures("fewer_resamples")
TRUTH = np.array([0, 0, 0, 0, 1, 1])
GUESS = np.array([0, 0, 0, 1, 1, 0])


@pytest.fixture(scope="module")
def fewer_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "RESAMPLES", 200)
        yield


def sure(guess: np.ndarray, classes: int = 2) -> np.ndarray:
    return 5.0 * np.eye(classes)[guess]


def test_wa_and_ua_are_those_computed_by_hand():
    assert metrics.weighted_accuracy(TRUTH, GUESS) == pytest.approx(4 / 6)
    assert metrics.unweighted_accuracy(TRUTH, GUESS) == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_the_majority_earns_wa_but_not_ua():
    truth = np.array([0] * 97 + [1, 2, 3])
    guess = np.zeros(100, int)
    assert metrics.weighted_accuracy(truth, guess) == pytest.approx(0.97)
    assert metrics.unweighted_accuracy(truth, guess) == pytest.approx(0.25)


def test_ua_is_over_the_classes_that_there_are():
    # Class 2 is guessed but never shown: it has no recall, and those that have one are both 1 and 1/2.
    assert metrics.unweighted_accuracy(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])) == pytest.approx(0.75)


def test_calibrated_scores_have_no_error():
    truth = np.array([0] * 8 + [1] * 2 + [0] * 6 + [1] * 4)
    probabilities = np.array([[0.8, 0.2]] * 10 + [[0.6, 0.4]] * 10)
    assert metrics.calibration_error(truth, probabilities) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("right", "error"), [(10, 0.0), (5, 0.5), (0, 1.0)])
def test_certainty_errs_by_what_it_gets_wrong(right, error):
    truth = np.array([0] * right + [1] * (10 - right))
    assert metrics.calibration_error(truth, np.array([[1.0, 0.0]] * 10)) == pytest.approx(error)


def test_too_little_confidence_is_an_error_too():
    assert metrics.calibration_error(np.zeros(10, int), np.array([[0.55, 0.45]] * 10)) == pytest.approx(0.45)


def drawn(data, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    n = data.draw(st.integers(1, 30))
    one, other = (data.draw(arrays.arrays(np.int64, n, elements=st.integers(0, classes - 1))) for _ in range(2))
    return one, other


def test_wa_ua_and_f1_are_those_computed_by_hand():
    # Of class 0: 3 of 4 found, 3 of 4 so called right; of class 1: 1 of 2, and 1 of 2.
    found = metrics.scores(TRUTH, GUESS)
    assert found == pytest.approx({"wa": 4 / 6, "ua": (3 / 4 + 1 / 2) / 2, "f1": (3 / 4 + 1 / 2) / 2})


@pytest.mark.filterwarnings("ignore:y_pred contains classes", "ignore:A single label")
@settings(max_examples=50)
@given(st.data())
def test_scores_are_sklearns_over_the_classes_that_there_are(data):
    truth, guess = drawn(data)
    found = metrics.scores(truth, guess)
    f1 = f1_score(truth, guess, labels=np.unique(truth), average="macro", zero_division=0)
    assert found["wa"] == pytest.approx(accuracy_score(truth, guess))
    assert found["ua"] == pytest.approx(balanced_accuracy_score(truth, guess))
    assert found["f1"] == pytest.approx(f1)


@settings(max_examples=50)
@given(st.data())
def test_confusion_counts_rows_of_truth_and_columns_of_guesses(data):
    truth, guess = drawn(data)
    counts = metrics.confusion(truth, guess, 5)
    assert counts.shape == (5, 5) and counts.sum() == len(truth)
    for i, j in np.ndindex(5, 5):
        assert counts[i, j] == np.sum((truth == i) & (guess == j))


@settings(max_examples=30)
@given(st.data())
def test_scores_of_a_confusion_matrix_are_those_of_its_answers(data):
    # What the intervals are drawn with, for speed, must be the very scores that they are of.
    truth, guess = drawn(data)
    counts = metrics.confusion(truth, guess, 5)
    expected = metrics.scores(truth, guess)
    np.testing.assert_allclose(metrics._from_confusion(counts[None]), [expected[k] for k in ("wa", "ua", "f1")])


def test_intervals_are_those_of_a_plain_bootstrap():
    random = np.random.default_rng(1)
    truth = random.integers(0, 3, 60)
    runs = np.stack([np.where(random.random(60) < 0.7, truth, random.integers(0, 3, 60)) for _ in range(2)])
    found = metrics.intervals(truth, runs, seed=4)
    random, draws = np.random.default_rng(4), []
    for _ in range(metrics.RESAMPLES):
        pick = random.integers(0, 60, 60)
        each = [metrics.scores(truth[pick], run[pick]) for run in runs]
        draws.append([np.mean([e[k] for e in each]) for k in ("wa", "ua", "f1")])
    for number, name in enumerate(("wa", "ua", "f1")):
        assert found[name] == pytest.approx(tuple(np.percentile([d[number] for d in draws], [2.5, 97.5])))
    assert found == metrics.intervals(truth, runs, seed=4)


def test_more_utterances_make_narrower_intervals_and_more_runs_do_not():
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 400)
    guess = np.where(random.random(400) < 0.75, truth, 1 - truth)

    def width(n: int, runs: int) -> float:
        low, high = metrics.intervals(truth[:n], np.stack([guess[:n]] * runs))["wa"]
        return high - low

    assert width(400, 1) < 0.6 * width(50, 1)
    assert width(50, 5) == pytest.approx(width(50, 1))


def test_without_errors_the_interval_has_no_width():
    assert metrics.intervals(TRUTH, TRUTH[None])["ua"] == (1.0, 1.0)


def test_confidence_is_compared_with_accuracy_in_fifteen_bins_of_equal_width():
    """Answers of 0.69 that are too sure and of 0.71 that are not sure enough: both in a bin from 2/3 to 11/15."""
    probabilities = np.array([[0.69, 0.31]] * 10 + [[0.71, 0.29]] * 10 + [[0.745, 0.255]] * 10)
    truth = np.array([0] * 4 + [1] * 6 + [0] * 10 + [0] * 10)
    too_sure, unsure, alone = 0.69 - 0.4, 1 - 0.71, 1 - 0.745
    expected = (abs(too_sure - unsure) + alone) / 3
    assert metrics.calibration_error(truth, probabilities) == pytest.approx(expected)
