"""What a conversion changed, and when that is too much."""

import pytest

from edge_runtime.prediction import Scores
from export.evaluation.compare import Answer, differences
from export.evaluation.data import EvaluationSet, Sample
from export.evaluation.limits import accuracy_violations, advice

LABELS = ("glad", "grim")


def answers(output: str, scores: list[list[float] | None]) -> list[Answer]:
    given = (None if row is None else Scores("", dict(zip(LABELS, row, strict=True))) for row in scores)
    return [Answer({output: row}) for row in given]


def samples(labels: list[str | None]) -> EvaluationSet:
    return EvaluationSet("some", [Sample(None, "words", label) for label in labels])


def test_accuracy_is_compared_where_enough_labels_are_known():
    truth = ["glad"] * 150 + ["grim"] * 150
    right = [[0.9, 0.1]] * 150 + [[0.1, 0.9]] * 150
    wrong = [*right[:285], *[[0.9, 0.1]] * 15]
    found = differences(answers("text", right), answers("text", wrong), samples(truth), LABELS)
    text = found["text"]
    assert (text["n"], text["labelled"], text["same_label"], text["clear_labels_changed"]) == (300, 300, 0.95, 15)
    assert text["wa"] == {"exact": 1.0, "now": 0.95, "points_lost": 5.0, "answers_lost": 15}
    assert text["ua"]["points_lost"] == 5.0
    assert text["mean_score_difference"] == pytest.approx(0.8 * 15 / 300)
    assert accuracy_violations(found, limit_points=5.0) == []
    said = accuracy_violations(found, limit_points=4.9)
    assert [line.split(":")[0] for line in said] == ["text", "text"]
    assert "5.00 points" in said[0]
    assert "--limit-points 5 allows that much" in advice(found, "int8")


def lost(of: int, wrong: int, labelled: bool = True) -> list[str]:
    """Return what falls short where so many of so many answers, all right before, are wrong."""
    right = [[0.9, 0.1]] * of
    truth = ["glad" if labelled else None] * of
    now = [*right[wrong:], *[[0.1, 0.9]] * wrong]
    return accuracy_violations(
        differences(answers("text", right), answers("text", now), samples(truth), LABELS), limit_points=1.0
    )


@pytest.mark.parametrize(
    ("of", "by_chance"), [(5, 0), (16, 1), (40, 2), (50, 2), (96, 3), (200, 3), (300, 3), (400, 4), (500, 5)]
)
def test_a_loss_on_few_labelled_samples_counts_once_it_is_no_chance(of, by_chance):
    assert lost(of, by_chance) == []
    assert lost(of, by_chance + 1)


@pytest.mark.parametrize("of", [5, 16, 40, 50, 96, 500])
def test_a_ruined_graph_falls_short_on_any_number_of_samples(of):
    assert lost(of, of // 2)


def test_without_labels_no_clear_label_may_change_by_chance():
    assert lost(16, 0, labelled=False) == []
    assert lost(16, 1, labelled=False) == ["text: 1 of 16 clear labels changed"]


def test_a_limit_of_nothing_allows_nothing_by_chance():
    right = answers("text", [[0.9, 0.1]] * 60)
    now = answers("text", [*[[0.9, 0.1]] * 59, [0.1, 0.9]])
    assert accuracy_violations(differences(right, now, samples(["glad"] * 60), LABELS), limit_points=0.0)


def test_a_rare_label_that_is_lost_is_not_made_up_for_by_another():
    truth = ["glad"] * 290 + ["grim"] * 10
    before = [*[[0.9, 0.1]] * 280, *[[0.1, 0.9]] * 20]
    now = [[0.9, 0.1]] * 300
    found = differences(answers("speech", before), answers("speech", now), samples(truth), LABELS)
    assert (found["speech"]["wa"]["answers_lost"], found["speech"]["ua"]["answers_lost"]) == (0, 10)
    assert [line.split(" falls")[0] for line in accuracy_violations(found, limit_points=1.0)] == ["speech: UA"]


def test_where_no_accuracy_is_measured_a_limit_in_points_is_not_offered():
    found = differences(
        answers("text", [[0.9, 0.1]] * 16), answers("text", [[0.1, 0.9]] * 16), samples([None] * 16), LABELS
    )
    said = advice(found, "int8")
    assert "--limit-points" not in said
    assert "--evaluate names a corpus of 50 or more labelled utterances" in said
    assert "--fp32" in said and "--fp32" not in advice(found, "fp32")


def test_a_gain_is_no_violation():
    truth = ["glad"] * 60
    found = differences(
        answers("speech", [[0.1, 0.9]] * 60), answers("speech", [[0.9, 0.1]] * 60), samples(truth), LABELS
    )  # fmt: skip
    assert found["speech"]["wa"]["points_lost"] == -100.0
    assert accuracy_violations(found, limit_points=0.0) == []


@pytest.mark.parametrize(("margin", "short"), [(0.04, False), (0.3, True)])
def test_without_labels_only_a_clear_label_may_not_change(margin, short):
    before = [[0.5 + margin / 2, 0.5 - margin / 2]] * 4
    found = differences(answers("text", before), answers("text", [[0.4, 0.6]] * 4), samples([None] * 4), LABELS)
    assert "wa" not in found["text"]
    assert bool(accuracy_violations(found, limit_points=1.0)) == short


def test_an_answer_that_goes_missing_is_a_violation():
    before, after = answers("speech", [[0.9, 0.1]] * 3), answers("speech", [[0.9, 0.1], None, [0.9, 0.1]])
    found = differences(before, after, samples([None] * 3), LABELS)
    assert (found["speech"]["n"], found["speech"]["answers_lost"]) == (2, 1)
    assert accuracy_violations(found, limit_points=1.0) == ["speech: 1 answers are missing"]


def test_transcripts_are_compared_by_words():
    before = [Answer({}, transcript) for transcript in ("One two three four.", "", None)]
    after = [Answer({}, transcript) for transcript in ("one two tree four", "something", None)]
    found = differences(before, after, samples([None] * 3), LABELS)
    assert found["transcripts"] == {"n": 1, "word_error_rate_against_exact": 0.25}
