"""What a conversion changed, and when that is too much."""

from dataclasses import replace

import numpy as np
import pytest

from export.evaluation import compare as verification
from export.evaluation.compare import Answers, advice, compare, shortfalls
from export.evaluation.data import Sample, Samples

LABELS = ("glad", "grim")


def answers(view: str, scores: list[list[float]], rows: list[int] | None = None) -> Answers:
    every = {v: [] for v in verification.VIEWS}
    empty = {v: np.zeros((0, 2)) for v in verification.VIEWS}
    return Answers(every | {view: rows or list(range(len(scores)))}, empty | {view: np.array(scores)}, [])


def samples(labels: list[str | None]) -> Samples:
    return Samples("some", [Sample(None, "words", label) for label in labels])


def test_accuracy_is_compared_where_enough_labels_are_known():
    truth = ["glad"] * 150 + ["grim"] * 150
    right = [[0.9, 0.1]] * 150 + [[0.1, 0.9]] * 150
    wrong = [*right[:285], *[[0.9, 0.1]] * 15]
    found = compare(answers("words", right), answers("words", wrong), samples(truth), LABELS)
    words = found["words"]
    assert (words["n"], words["labelled"], words["same_label"], words["clear_labels_changed"]) == (300, 300, 0.95, 15)
    assert words["wa"] == {"exact": 1.0, "now": 0.95, "points_lost": 5.0, "answers_lost": 15}
    assert words["ua"]["points_lost"] == 5.0
    assert words["mean_score_difference"] == pytest.approx(0.8 * 15 / 300)
    assert shortfalls(found, limit_points=5.0) == []
    said = shortfalls(found, limit_points=4.9)
    assert [text.split(":")[0] for text in said] == ["words", "words"]
    assert "5.00 points" in said[0]
    assert "--limit-points 5 allows that much" in advice(found, "int8")


def lost(of: int, wrong: int, labelled: bool = True) -> list[str]:
    """Return what falls short where so many of so many answers, all right before, are wrong."""
    right = [[0.9, 0.1]] * of
    truth = ["glad" if labelled else None] * of
    now = [*right[wrong:], *[[0.1, 0.9]] * wrong]
    return shortfalls(compare(answers("words", right), answers("words", now), samples(truth), LABELS), limit_points=1.0)


@pytest.mark.parametrize(
    ("of", "by_chance"), [(5, 0), (16, 1), (40, 2), (50, 2), (96, 3), (200, 3), (300, 3), (400, 4), (500, 5)]
)
def test_what_few_labelled_samples_lose_counts_once_it_is_no_chance(of, by_chance):
    assert lost(of, by_chance) == []
    assert lost(of, by_chance + 1)


@pytest.mark.parametrize("of", [5, 16, 40, 50, 96, 500])
def test_a_ruined_graph_falls_short_on_any_number_of_samples(of):
    assert lost(of, of // 2)


def test_without_labels_none_may_change_by_chance():
    assert lost(16, 0, labelled=False) == []
    assert lost(16, 1, labelled=False) == ["words: 1 of 16 clear labels changed"]


def test_a_limit_of_nothing_allows_nothing_by_chance():
    right = answers("words", [[0.9, 0.1]] * 60)
    now = answers("words", [*[[0.9, 0.1]] * 59, [0.1, 0.9]])
    assert shortfalls(compare(right, now, samples(["glad"] * 60), LABELS), limit_points=0.0)


def test_a_rare_label_that_is_lost_is_not_made_up_for_by_another():
    truth = ["glad"] * 290 + ["grim"] * 10
    before = [*[[0.9, 0.1]] * 280, *[[0.1, 0.9]] * 20]
    now = [[0.9, 0.1]] * 300
    found = compare(answers("voice", before), answers("voice", now), samples(truth), LABELS)
    assert (found["voice"]["wa"]["answers_lost"], found["voice"]["ua"]["answers_lost"]) == (0, 10)
    assert [text.split(" falls")[0] for text in shortfalls(found, limit_points=1.0)] == ["voice: UA"]


def test_where_no_accuracy_is_measured_a_limit_in_points_is_not_offered():
    found = compare(
        answers("words", [[0.9, 0.1]] * 16), answers("words", [[0.1, 0.9]] * 16), samples([None] * 16), LABELS
    )
    said = advice(found, "int8")
    assert "--limit-points" not in said
    assert "--evaluate names a corpus of 50 or more labelled utterances" in said
    assert "--fp32" in said and "--fp32" not in advice(found, "fp32")


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
