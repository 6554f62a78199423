"""Answers → metrics as the paper counts them, worked out by hand, and a row for each answer."""

import csv
import json

import numpy as np
import pytest

from trainer.corpora.protocols import Fold
from trainer.corpora.utterance import Utterance
from trainer.experiment import report
from trainer.experiment.fold import ANSWERS, FoldRun
from trainer.modality import Truth

LABELS = ("calm", "furious")
TRUTH = np.array([0, 0, 1, 1, 0, 1, 0, 1])
ALL_TRUTH = Truth(TRUTH, LABELS, ["own"] * 8)
NONE = np.zeros(0, np.intp)
WIDE = 3.0


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch):
    monkeypatch.setattr("trainer.metrics.RESAMPLES", 50)


def unit(folder, fold: Fold, right: list[bool], branch: str = "text") -> FoldRun:
    """Return a finished unit that answers ``right`` or wrong to each of the rows held apart and tested."""
    folder.mkdir(parents=True)
    asked = np.concatenate([fold.validation, fold.test])
    guess = np.where(right, TRUTH[asked], 1 - TRUTH[asked])
    np.savez(folder / ANSWERS, **{branch: WIDE * np.eye(2, dtype=np.float32)[guess]})
    return FoldRun(folder, fold, 0)


@pytest.fixture
def crossed(tmp_path):
    """Return two runs of two folds, of accuracies 1 and 1/2, then 3/4 and 3/4."""
    one, two = Fold("one", np.arange(4, 8), NONE, np.arange(4)), Fold("two", np.arange(4), NONE, np.arange(4, 8))
    rights = [[[1, 1, 1, 1], [1, 1, 0, 0]], [[1, 1, 1, 0], [0, 1, 1, 1]]]
    return [
        [unit(tmp_path / f"{r}{f}", fold, rights[r][f]) for f, fold in enumerate((one, two))] for r in range(2)
    ]  # fmt: skip


def test_over_folds_the_deviation_is_that_of_folds_averaged_over_runs(crossed):
    wa = report.metrics(crossed, ALL_TRUTH)["text"]["wa"]
    assert wa["mean"] == pytest.approx(0.75)
    assert wa["by_run"] == [0.75, 0.75]
    assert wa["std"] == pytest.approx((0.25 + 0.0) / 2)  # of 1 and 1/2, and of 3/4 twice


def test_counts_are_over_all_runs_and_parts(crossed):
    found = report.metrics(crossed, ALL_TRUTH)["text"]
    assert (found["n"], found["runs"], found["folds"]) == (8, 2, 2)
    assert np.sum(found["confusion"]) == 16 and np.trace(found["confusion"]) == 12
    low, high = found["wa"]["interval"]
    assert low <= 0.75 <= high
    json.dumps(found)


def test_a_unit_whose_answers_are_always_right_has_no_deviation(tmp_path):
    fold = Fold("one", np.arange(4), NONE, np.arange(4, 8))
    other = Fold("two", np.arange(4, 8), NONE, np.arange(4))
    units = [[unit(tmp_path / f.name, f, [True] * 4) for f in (fold, other)]]
    found = report.metrics(units, ALL_TRUTH)["text"]
    for name in ("wa", "ua", "f1"):
        assert (found[name]["mean"], found[name]["std"], found[name]["interval"]) == (1.0, 0.0, [1.0, 1.0])


@pytest.fixture
def official(tmp_path):
    """Return three runs on an official split of accuracies 1, 1/2 and 3/4, with two rows held apart."""
    fold = Fold("test", np.array([0, 1]), np.array([2, 3]), np.arange(4, 8))
    rights = [[1, 1, 1, 1, 1, 1], [1, 0, 1, 1, 0, 0], [1, 1, 0, 1, 1, 1]]
    return [[unit(tmp_path / str(r), fold, right)] for r, right in enumerate(rights)]


def test_with_an_official_split_the_deviation_is_that_of_runs(official):
    found = report.metrics(official, ALL_TRUTH)["text"]
    assert found["wa"]["by_run"] == [1.0, 0.5, 0.75]
    assert found["wa"]["mean"] == pytest.approx(0.75)
    assert found["wa"]["std"] == pytest.approx(np.std([1.0, 0.5, 0.75]), abs=1e-4)
    assert found["n"] == 4  # those held apart are not tested


def test_with_an_official_split_the_temperature_is_fitted_on_what_was_held_apart(official):
    sure = report.metrics(official[:1], ALL_TRUTH)["text"]["calibration"]
    unsure = report.metrics(official[1:2], ALL_TRUTH)["text"]["calibration"]
    assert sure["temperature"] == pytest.approx(0.05, abs=0.1)  # all right: as sure as can be
    assert unsure["temperature"] > 10  # half right: no better than chance
    assert unsure["ece_after"] < unsure["ece_before"]


def test_nothing_held_apart_leaves_nothing_to_calibrate_on(tmp_path):
    fold = Fold("test", np.arange(4), NONE, np.arange(4, 8))
    found = report.metrics([[unit(tmp_path / "u", fold, [True] * 4)]], ALL_TRUTH)["text"]
    assert found["calibration"] is None


def test_scores_of_each_corpus_are_its_own(tmp_path):
    """The first corpus is always right, the second half of the time."""
    fold = Fold("one", np.arange(4, 8), NONE, np.arange(4))
    other = Fold("two", np.arange(4), NONE, np.arange(4, 8))
    parts = [unit(tmp_path / "1", fold, [True] * 4), unit(tmp_path / "2", other, [True, True, False, False])]
    truth = Truth(TRUTH, LABELS, ["first"] * 4 + ["second"] * 4)
    found = report.metrics([parts], truth)["text"]["by_corpus"]
    assert (found["first"]["wa"], found["second"]["wa"]) == (1.0, 0.5)
    assert (found["first"]["n"], found["second"]["n"]) == (4, 4)


def test_answers_to_augmented_copies_are_scored_apart(tmp_path):
    fold = Fold("test", NONE, np.arange(4), np.arange(4, 8))
    one = unit(tmp_path / "u", fold, [True] * 8)
    wrong = np.eye(2, dtype=np.float32)[1 - TRUTH[4:]]
    right = np.eye(2, dtype=np.float32)[TRUTH[4:]]
    np.savez(one.folder / ANSWERS, **one.answers(), text_augmented=np.stack([right, wrong, right], 1))
    found = report.metrics([[one]], ALL_TRUTH)
    assert set(found) == {"text"}
    assert found["text"]["wa"]["mean"] == 1.0
    assert found["text"]["augmented"]["wa"] == pytest.approx(2 / 3, abs=1e-4)
    report.write_predictions(tmp_path / "p.csv", [[one]], UTTERANCES, LABELS)
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 1 + 4


UTTERANCES = [Utterance(f"u,{i}", "own", LABELS[t], f"s{i % 2}") for i, t in enumerate(TRUTH)]


def test_predictions_have_a_row_for_each_run_and_tested_utterance(official, tmp_path):
    path = tmp_path / "predictions.csv"
    report.write_predictions(path, official, UTTERANCES, LABELS)
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 4
    assert [row["id"] for row in rows[:4]] == ["u,4", "u,5", "u,6", "u,7"]
    assert {row["run"] for row in rows} == {"1", "2", "3"} and {row["part"] for row in rows} == {"test"}
    right = [[row["guess"] == row["label"] for row in rows if row["run"] == run] for run in "123"]
    assert right == [[True] * 4, [True, True, False, False], [False, True, True, True]]
    p = float(rows[0]["p(calm)"])
    assert p == pytest.approx(1 / (1 + np.exp(-WIDE)), abs=1e-4) and rows[0]["label"] == "calm"
    assert not list(tmp_path.glob(".*"))


def test_a_guess_is_the_greatest_logit_though_the_probabilities_tie(tmp_path):
    fold = Fold("test", np.arange(4), NONE, np.array([5]))
    one = unit(tmp_path / "u", fold, [True])
    close = np.array([[1e-8, 2e-8]], np.float32)
    np.savez(one.folder / ANSWERS, text=close)
    report.write_predictions(tmp_path / "p.csv", [[one]], UTTERANCES, LABELS)
    assert (tmp_path / "p.csv").read_text().splitlines()[1].split(",")[-3] == "furious"
    assert report.metrics([[one]], ALL_TRUTH)["text"]["wa"]["mean"] == 1.0


def test_pictures_are_drawn_for_each_branch(crossed, tmp_path):
    found = report.metrics(crossed, ALL_TRUTH)
    curve = [{"epoch": 0.5, "loss": 1.0}, {"epoch": 1.0, "loss": 0.5}]
    report.draw(tmp_path, found, [{"text": curve}, {"text": curve, "joint": curve}])
    for name in ("confusion-text.png", "curves.png"):
        assert (tmp_path / name).stat().st_size > 5000
