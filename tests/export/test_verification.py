"""What a conversion changed, and when that is too much."""

from dataclasses import replace

import numpy as np
import pytest

from export import verification
from export.samples import Sample, Samples
from export.verification import Answers, compare, shortfalls

LABELS = ("glad", "grim")


def answers(view: str, scores: list[list[float]], rows: list[int] | None = None) -> Answers:
    every = {v: [] for v in verification.VIEWS}
    empty = {v: np.zeros((0, 2)) for v in verification.VIEWS}
    return Answers(every | {view: rows or list(range(len(scores)))}, empty | {view: np.array(scores)}, [])


def samples(labels: list[str | None]) -> Samples:
    return Samples("some", [Sample(None, "words", label) for label in labels])


def test_accuracy_is_compared_where_enough_labels_are_known():
    truth = ["glad"] * 30 + ["grim"] * 30
    right = [[0.9, 0.1]] * 30 + [[0.1, 0.9]] * 30
    wrong = [*right[:57], [0.9, 0.1], [0.9, 0.1], [0.9, 0.1]]
    found = compare(answers("words", right), answers("words", wrong), samples(truth), LABELS)
    words = found["words"]
    assert (words["n"], words["same_label"], words["clear_labels_changed"]) == (60, 0.95, 3)
    assert words["wa"] == {"exact": 1.0, "now": 0.95, "points_lost": 5.0}
    assert words["ua"]["points_lost"] == 5.0
    assert words["mean_score_difference"] == pytest.approx(0.8 * 3 / 60)
    assert shortfalls(found, limit_points=5.0) == []
    said = shortfalls(found, limit_points=4.9)
    assert [text.split(":")[0] for text in said] == ["words", "words"]
    assert "5.00 points" in said[0]


def test_what_gets_better_is_no_shortfall():
    truth = ["glad"] * 60
    found = compare(
        answers("voice", [[0.1, 0.9]] * 60), answers("voice", [[0.9, 0.1]] * 60), samples(truth), LABELS
    )  # fmt: skip
    assert found["voice"]["wa"]["points_lost"] == -100.0
    assert shortfalls(found, limit_points=0.0) == []


@pytest.mark.parametrize(("margin", "short"), [(0.04, False), (0.3, True)])
def test_without_labels_only_a_clear_label_may_not_change(margin, short):
    before = [[0.5 + margin / 2, 0.5 - margin / 2]] * 4
    found = compare(answers("words", before), answers("words", [[0.4, 0.6]] * 4), samples([None] * 4), LABELS)
    assert "wa" not in found["words"]
    assert bool(shortfalls(found, limit_points=1.0)) == short


def test_an_answer_that_goes_missing_is_a_shortfall():
    before, after = answers("voice", [[0.9, 0.1]] * 3), answers("voice", [[0.9, 0.1]] * 2, rows=[0, 2])
    found = compare(before, after, samples([None] * 3), LABELS)
    assert (found["voice"]["n"], found["voice"]["answers_lost"]) == (2, 1)
    assert shortfalls(found, limit_points=1.0) == ["voice: 1 answers are missing"]


def test_transcripts_are_compared_by_words():
    before = replace(answers("voice", [[0.9, 0.1]]), transcripts=["one two three four", ""])
    after = replace(before, transcripts=["one two tree four", "something"])
    found = compare(before, after, samples([None]), LABELS)
    assert found["transcripts"] == {"n": 1, "word_error_rate_against_exact": 0.25}
