"""The numbers that a fusion is told of the words."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.inference.asr import Transcript
from edge_runtime.inference.evidence import NAMES, NO_SOUND, Evidence
from edge_runtime.inference.segmenter import Utterance


def utterance(states: int, spoken: int) -> Utterance:
    mask = np.zeros(states, np.bool_)
    mask[states - spoken :] = True
    return Utterance(0.0, np.zeros(states * 320, np.float32), mask)


def test_words_count_for_the_seconds_that_are_spoken_and_log_probabilities_are_the_recogniser_s() -> None:
    found = Evidence.of(Transcript(" ask  not\nwhat ", -0.25, True, -1.5), utterance(states=200, spoken=50))
    assert found == Evidence(-0.25, -1.5, words_per_s=3.0, spoken_share=0.25)
    assert tuple(asdict(found)) == NAMES


def test_words_that_are_given_are_certain() -> None:
    found = Evidence.of(Transcript("ask not", 0.0, True), utterance(100, 100))
    assert (found.mean_log_probability, found.lowest_log_probability, found.spoken_share) == (0.0, 0.0, 1.0)
    assert (NO_SOUND.mean_log_probability, NO_SOUND.lowest_log_probability, NO_SOUND.spoken_share) == (0.0, 0.0, 1.0)


@given(
    states=st.integers(1, 750), share=st.floats(0, 1), text=st.text(), mean=st.floats(-11, 0), lowest=st.floats(-11, 0)
)
def test_they_are_numbers_within_bounds(states: int, share: float, text: str, mean: float, lowest: float) -> None:
    spoken = max(1, round(states * share))
    found = Evidence.of(Transcript(text, mean, True, lowest), utterance(states, spoken))
    assert all(np.isfinite(value) for value in asdict(found).values())
    assert 0 < found.spoken_share <= 1
    assert found.words_per_s == pytest.approx(len(text.split()) / (0.02 * spoken))
