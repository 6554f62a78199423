"""Cutting recordings into utterances: nothing lost, nothing too long, at pauses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.audio import SAMPLE_RATE
from edge_runtime.segment import EARLIEST_CUT_S, LONGEST_S, SHORTEST_REST_S, Utterance, utterances
from edge_runtime.vad import STATE, WINDOW


class Loudness:
    """Takes the loudness of a window for the probability of speech in it."""

    def probabilities(self, waveform: np.ndarray, peak: float = 0.5) -> np.ndarray:
        padded = np.pad(np.abs(waveform), (0, -len(waveform) % WINDOW))
        return padded.reshape(-1, WINDOW).mean(axis=1)


def cut(*blocks: np.ndarray) -> list[Utterance]:
    return list(utterances(blocks, Loudness()))  # type: ignore[arg-type]


def loud(seconds: float) -> np.ndarray:
    return np.ones(int(seconds * SAMPLE_RATE), np.float32)


@settings(max_examples=40, deadline=None)
@given(
    samples=st.integers(1, 50 * SAMPLE_RATE),
    seed=st.integers(0, 99),
    borders=st.lists(st.floats(0, 1), max_size=8),
)
def test_utterances_cover_the_recording_in_order_however_it_comes(
    samples: int, seed: int, borders: list[float]
) -> None:
    rng = np.random.default_rng(seed)
    levels = rng.uniform(0, 1, samples // 4_000 + 1).astype(np.float32)
    recording = np.repeat(levels, 4_000)[:samples] * rng.uniform(0.9, 1, samples).astype(np.float32)

    found = cut(*np.split(recording, sorted(int(b * samples) for b in borders)))

    np.testing.assert_array_equal(np.concatenate([u.waveform for u in found]), recording)
    assert found[0].start_s == 0
    assert [u.start_s for u in found[1:]] == pytest.approx([u.end_s for u in found[:-1]], abs=1e-9)
    for utterance in found:
        assert 0 < len(utterance.waveform) <= LONGEST_S * SAMPLE_RATE
        assert len(utterance.spoken) == -(-len(utterance.waveform) // STATE)
    if len(found) > 1:
        assert min(u.end_s - u.start_s for u in found[:-1]) >= EARLIEST_CUT_S
        assert found[-1].end_s - found[-1].start_s >= SHORTEST_REST_S
    whole = cut(recording)
    assert [u.start_s for u in found] == [u.start_s for u in whole]
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_array_equal(one.spoken, other.spoken)


@pytest.mark.parametrize("pause_at", [6.0, 9.0, 12.0])
@pytest.mark.parametrize("seconds", [15.5, 20.0])
def test_a_pause_is_where_it_cuts(pause_at: float, seconds: float) -> None:
    recording = loud(seconds)
    recording[int(pause_at * SAMPLE_RATE) : int((pause_at + 0.6) * SAMPLE_RATE)] = 0
    first, second = cut(recording)
    assert pause_at < first.end_s < pause_at + 0.6
    assert second.end_s == seconds


def test_a_deeper_pause_wins_over_a_shallow_one() -> None:
    recording = loud(18)
    recording[7 * SAMPLE_RATE : 8 * SAMPLE_RATE] = 0.1
    recording[12 * SAMPLE_RATE : 13 * SAMPLE_RATE] = 0.4
    assert 7 < cut(recording)[0].end_s < 8


def test_a_pause_before_five_seconds_is_not_cut_at() -> None:
    recording = loud(18)
    recording[2 * SAMPLE_RATE : 3 * SAMPLE_RATE] = 0
    assert cut(recording)[0].end_s >= EARLIEST_CUT_S


@pytest.mark.parametrize("seconds", [0.0001, 0.02, 1.0, 14.9, LONGEST_S])
def test_what_is_short_is_one_utterance(seconds: float) -> None:
    assert len(cut(loud(seconds))) == 1


def test_a_sample_too_many_makes_two() -> None:
    assert len(cut(loud(LONGEST_S), np.ones(1, np.float32))) == 2


def test_nothing_gives_nothing() -> None:
    assert cut() == []
    assert cut(np.zeros(0, np.float32)) == []


def test_spoken_follows_the_voice_in_each_utterance() -> None:
    recording = np.concatenate([np.zeros(SAMPLE_RATE, np.float32), loud(2), np.zeros(SAMPLE_RATE, np.float32)])
    (utterance,) = cut(recording)
    spoken = np.flatnonzero(utterance.spoken) * STATE / SAMPLE_RATE
    assert spoken[0] == pytest.approx(1, abs=0.05)
    assert spoken[-1] == pytest.approx(3, abs=0.05)
