"""Fusion beside the voice: gains, calibration and plain speech, of answers whose outcome is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.fused.measure import measure
from benchmarks.report import fused_page
from trainer.experiment.stacking import Answers, BranchLogits

LABELS = ("neutral", "happy", "sad", "angry")


def answers(corpus: str, labels: list[int], voice: list[int], fused: list[int], sureness: float = 2.0) -> Answers:
    """Return answers whose likeliest labels are ``voice`` and ``fused``."""
    logits = [(sureness * np.eye(4)[guess]).astype(np.float32) for guess in (voice, fused)]
    count = np.zeros(len(labels), np.intp)
    rows = BranchLogits(logits[0][:, None], np.array(labels), count, [corpus] * len(labels), np.arange(len(labels)))
    return Answers(rows, logits[1])


@pytest.fixture(scope="module")
def found() -> dict:
    truth = [0, 1, 2, 3] * 5
    half = [0, 1, 0, 1] * 5
    own = [
        answers("ravdess", truth, half, [0, 1, 2, 1] * 5),
        answers("savee", truth, half, half),
        answers("emogator", truth, half, [0] * 20),
    ]
    pairs = [answers(name, truth, half, truth) for name in ("ravdess", "savee", "emogator")]
    plain = [answers("librispeech", [5] * 4, [0, 0, 3, 3], [0, 0, 0, 3], sureness=50.0)]
    return measure({"fusion_own_sentence": own, "fusion": pairs, "plain": plain}, LABELS)


def test_each_corpus_has_both_and_the_least_gain_is_named(found: dict) -> None:
    assert (found["corpora"]["ravdess"]["voice"]["ua"], found["corpora"]["ravdess"]["fused"]["ua"]) == (0.5, 0.75)
    assert found["mean"]["voice"]["ua"] == 0.5
    assert found["mean"]["fused"]["ua"] == 0.625  # bursts count apart
    assert found["mean"]["least_gain"] == 0
    assert found["mean"]["least_gain_with_an_agreeing_sentence"] == 0.5
    assert found["corpora"]["emogator"]["fused"]["ua"] == 0.25


def test_calibration_is_that_of_the_other_corpora(found: dict) -> None:
    """SAVEE's voice is right in half of its answers, and RAVDESS', whose temperature it gets, as well."""
    assert found["corpora"]["savee"]["voice"]["ece"] == pytest.approx(0.0, abs=0.01)
    assert found["corpora"]["savee"]["fused"]["confidence"] == pytest.approx(0.75, abs=0.01)
    assert found["corpora"]["savee"]["fused"]["ece"] == pytest.approx(0.25, abs=0.01)


def test_plain_speech_is_counted(found: dict) -> None:
    plain = found["plain"]["librispeech"]
    assert plain["n"] == 4
    assert plain["voice"] == {"called_emotional": 0.5, "and_sure": 0.5}
    assert plain["fused"] == {"called_emotional": 0.25, "and_sure": 0.25}


def test_the_page_has_a_row_for_each_corpus(found: dict) -> None:
    scores = dict.fromkeys(LABELS, 0.1) | {"sad": 0.7}
    example = {"file": "jfk.wav", "bundle_version": "1", "fused": scores, "voice": scores, "words": None}
    page = fused_page.page({**found, "date": "2026-11-26", "example": example})
    assert "| RAVDESS | 20 | 0.500 | 0.750 | +25.0 |" in page
    assert "| LibriSpeech | 4 | 50.0% | 25.0% | 50.0% | 25.0% |" in page
    assert "voice sad 70%, fused sad 70%" in page
