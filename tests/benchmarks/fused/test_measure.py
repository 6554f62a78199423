"""Fusion beside the voice: gains, calibration and plain speech, of answers whose outcome is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from benchmarks.fused.measure import measure
from benchmarks.report import fused_page
from trainer.errors import ConfigError
from trainer.experiment.stacking import Answers, BranchLogits

LABELS = ("neutral", "happy", "sad", "angry")
TRUTH, HALF, MOST = [0, 1, 2, 3] * 5, [0, 1, 0, 1] * 5, [0, 1, 2, 1] * 5
CORPORA = ("ravdess", "savee", "emogator")
LONG_ENOUGH_S = 30.0


def guesses(labels: Sequence[int], sureness: float) -> np.ndarray:
    """Return logits whose likeliest labels are these."""
    return (sureness * np.eye(4)[labels]).astype(np.float32)


def answers(
    corpus: str, labels: list[int], voice: list[int], fused: list[int], *, compared: list[int] | None = None,
    first: int = 0, sureness: float = 2.0,
) -> Answers:  # fmt: skip
    """Return answers whose likeliest labels are ``voice`` and ``fused``, of the rows from ``first`` on."""
    alone = guesses(voice, sureness)
    rows = BranchLogits(
        alone[:, None],
        np.array(labels),
        np.zeros(len(labels), np.intp),
        [corpus] * len(labels),
        first + np.arange(len(labels)),
        guesses(voice if compared is None else compared, sureness),
    )
    return Answers(rows, guesses(fused, sureness))


def of_case(fused: Sequence[list[int]], **how: Any) -> list[Answers]:
    return [
        answers(name, TRUTH, HALF, guess, first=20 * n, **how)
        for n, (name, guess) in enumerate(zip(CORPORA, fused, strict=True))
    ]


UNMET = {
    "fusion_own_sentence": of_case([MOST, HALF, [0] * 20]),
    "fusion": of_case([TRUTH] * 3),
    "fusion_compared": of_case([TRUTH] * 3, compared=MOST),
    "plain": [answers("librispeech", [5] * 4, [0, 0, 3, 3], [0, 0, 0, 3], first=60, sureness=50.0)],
}
KNOWN = {**UNMET, "fusion_own_sentence": of_case([TRUTH] * 3)}
BASELINES = np.repeat(np.float32([LONG_ENOUGH_S, LONG_ENOUGH_S, 0.0]), [20, 20, 24])


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return measure(UNMET, KNOWN, LABELS, BASELINES)


def test_each_corpus_has_both_and_the_least_gain_is_named(found: dict[str, Any]) -> None:
    assert (found["corpora"]["ravdess"]["voice"]["ua"], found["corpora"]["ravdess"]["fused"]["ua"]) == (0.5, 0.75)
    assert found["mean"]["voice"]["ua"] == 0.5
    assert found["mean"]["fused"]["ua"] == 0.625  # bursts count apart
    assert found["mean"]["least_gain"] == 0
    assert found["mean"]["with_an_agreeing_sentence"]["least_gain"] == 0.5


def test_the_calibration_error_over_all_recordings_leaves_bursts_out(found: dict[str, Any]) -> None:
    """Of ravdess 3 of 4 answers are right and of savee 2 of 4; each has the confidence that fits the other."""
    mean = found["mean"]
    assert mean["ece_over_all_recordings"]["fused"] == pytest.approx(0.25, abs=0.01)
    assert mean["beside_a_baseline"]["ece_over_all_recordings"]["fused"] < 0.01  # all are right
    assert found["corpora"]["emogator"]["fused"]["ua"] == 0.25


def test_calibration_is_that_of_the_other_corpora(found: dict[str, Any]) -> None:
    """SAVEE's voice is right in half of its answers, and RAVDESS', whose temperature it gets, as well."""
    assert found["corpora"]["savee"]["voice"]["ece"] == pytest.approx(0.0, abs=0.01)
    assert found["corpora"]["savee"]["fused"]["confidence"] == pytest.approx(0.75, abs=0.01)
    assert found["corpora"]["savee"]["fused"]["ece"] == pytest.approx(0.25, abs=0.01)


def test_one_corpus_alone_is_refused_as_its_temperature_is_that_of_others() -> None:
    alone = {**UNMET, "fusion_own_sentence": [UNMET["fusion_own_sentence"][number] for number in (0, 2)]}
    with pytest.raises(ConfigError, match="name two or more"):
        measure(alone, KNOWN, LABELS, BASELINES)


def test_a_baseline_stands_beside_the_same_recordings_without_one(found: dict[str, Any]) -> None:
    beside = found["corpora"]["ravdess"]["beside_a_baseline"]
    assert (beside["n"], beside["voice"]["ua"], beside["fused"]["ua"]) == (20, 0.75, 1.0)
    assert beside["without"] == {"n": 20, "voice": 0.5, "fused": 0.75}
    mean = found["mean"]["beside_a_baseline"]
    assert (mean["corpora"], mean["voice"]["ua"], mean["without"]["fused"]) == (2, 0.75, 0.625)
    assert "beside_a_baseline" not in found["corpora"]["emogator"]


def test_a_baseline_counts_for_the_recordings_that_have_enough_of_it_in_corpora_where_most_have() -> None:
    some = BASELINES.copy()
    some[:9] = LONG_ENOUGH_S - 1
    found = measure(UNMET, KNOWN, LABELS, some)["corpora"]["ravdess"]["beside_a_baseline"]
    assert found["n"] == found["without"]["n"] == 11
    some[:11] = 0
    found = measure(UNMET, KNOWN, LABELS, some)
    # One corpus is left, and there is no other whose temperature it could get.
    assert "beside_a_baseline" not in found["mean"]
    assert all("beside_a_baseline" not in corpus for corpus in found["corpora"].values())


def test_unknown_speakers_of_known_corpora_have_the_same_figures(found: dict[str, Any]) -> None:
    known = found["unknown_speakers"]
    assert known["corpora"].keys() == found["corpora"].keys()
    assert known["corpora"]["savee"]["fused"]["ua"] == known["mean"]["fused"]["ua"] == 1
    assert known["mean"]["beside_a_baseline"]["fused"]["ua"] == 1


def test_plain_speech_is_counted(found: dict[str, Any]) -> None:
    plain = found["plain"]["librispeech"]
    assert {key: plain["voice"][key] for key in ("n", "called_emotional", "and_sure")} == {
        "n": 4, "called_emotional": 0.5, "and_sure": 0.5
    }  # fmt: skip
    assert (plain["fused"]["called_emotional"], plain["fused"]["and_sure"]) == (0.25, 0.25)
    assert plain["fused"]["confidence"] == pytest.approx(1, abs=0.01)


def page_of(found: dict[str, Any]) -> str:
    scores = dict.fromkeys(LABELS, 0.1) | {"sad": 0.7}
    example = {"file": "jfk.wav", "bundle_version": "1", "fused": scores, "voice": scores, "words": None}
    return fused_page.page({**found, "date": "2026-11-26", "example": example})


def test_the_page_has_a_row_for_each_corpus(found: dict[str, Any]) -> None:
    page = page_of(found)
    assert "| RAVDESS | 20 | 0.500 | 0.750 | +25.0 |" in page
    assert "| LibriSpeech | 4 | 50.0% | 25.0% | 50.0% | 25.0% |" in page
    assert "voice sad 70%, fused sad 70%" in page
    assert "of the fused answers is 0.2" in page and "0.000 beside a baseline" in page
    beside, _, speakers = page.partition("### Words beside a baseline")[2].partition("### Words of unknown")
    assert "| RAVDESS | 20 | 0.750 | 1.000 | +25.0 |" in beside and "| 0.500 | 0.750 |" in beside
    assert "EmoGator" not in beside
    assert "| SAVEE | 20 | 0.500 | 1.000 | +50.0 |" in speakers and "| 0.750 | 1.000 |" in speakers


def test_the_page_has_no_table_of_baselines_where_nobody_has_one() -> None:
    page = page_of(measure(UNMET, KNOWN, LABELS, np.zeros_like(BASELINES)))
    assert "Words beside a baseline" not in page
    assert "| SAVEE | 20 | 0.500 | 1.000 | +50.0 |" in page
