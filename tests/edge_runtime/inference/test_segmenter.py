"""Cutting sound into utterances: at pauses, nothing too long, nothing lost, however it comes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.inference.segmenter import (
    LONG_SILENCE_DURATION_S,
    MAX_SPEECH,
    MAX_SPEECH_DURATION_S,
    MIN_SILENCE_DURATION_S,
    MIN_UTTERANCE_S,
    SPEECH_PAD_S,
    Segmenter,
    Utterance,
    utterances,
)
from edge_runtime.inference.session import Session
from edge_runtime.inference.vad import CONTEXT_SAMPLES, ENCODER_HOP, WINDOW

A_WINDOW = WINDOW / SAMPLE_RATE


class Loudness:
    """Takes twice the loudness of a window for the probability of speech in it."""

    def __call__(self, *, input: np.ndarray, h: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        probabilities = np.minimum(2 * np.abs(input[:, CONTEXT_SAMPLES:]).mean(axis=1), 1).astype(np.float32)
        return {"speech_probs": probabilities, "hn": h, "cn": c}


def in_portions(recording: np.ndarray, *sizes: int) -> list[Utterance]:
    segmenter, found, begin, turn = Segmenter(Loudness()), [], 0, 0  # type: ignore[arg-type]
    while begin < len(recording):
        found += segmenter.feed(recording[begin : begin + sizes[turn % len(sizes)]])
        begin += sizes[turn % len(sizes)]
        turn += 1
    return [*found, *segmenter.flush()]


def cut(recording: np.ndarray) -> list[Utterance]:
    return in_portions(recording, max(1, len(recording)))


def loud(seconds: float) -> np.ndarray:
    return np.ones(int(seconds * SAMPLE_RATE), np.float32)


def silent(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * SAMPLE_RATE), np.float32)


def spans(found: Sequence[Utterance]) -> list[tuple[float, float]]:
    return [(u.start_s, u.end_s) for u in found]


def assert_same(found: Sequence[Utterance], expected: Sequence[Utterance]) -> None:
    assert spans(found) == spans(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.waveform, other.waveform)
        np.testing.assert_array_equal(one.speech_mask, other.speech_mask)


@st.composite
def conversations(draw: st.DrawFn) -> np.ndarray:
    """Voices and pauses of any length, and a background that is not heard."""
    lengths = draw(st.lists(st.tuples(st.floats(0.01, 20), st.floats(0, 3)), min_size=1, max_size=6))
    parts = [np.concatenate([loud(voice), silent(pause)]) for voice, pause in lengths]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    recording = np.concatenate([silent(draw(st.floats(0, 2))), *parts])
    return (recording * rng.uniform(0.6, 1, len(recording))).astype(np.float32)


@settings(max_examples=40)
@given(recording=conversations(), sizes=st.lists(st.integers(1, 200_000), min_size=1, max_size=5))
@example(recording=np.concatenate([loud(4), silent(1), loud(0.7)]), sizes=[1])
def test_portions_of_any_size_give_what_the_whole_gives(recording: np.ndarray, sizes: list[int]) -> None:
    if min(sizes) < 64 and len(recording) > 200_000:
        sizes = [size + 64 for size in sizes]  # a million calls would only take long
    assert_same(in_portions(recording, *sizes), cut(recording))


@settings(max_examples=60)
@given(recording=conversations())
@example(recording=np.concatenate([loud(0.96), silent(1.04), loud(1)]))
def test_utterances_have_the_length_of_the_paper_are_in_order_and_lose_no_speech(recording: np.ndarray) -> None:
    found = cut(recording)
    taken = np.zeros(len(recording), bool)
    for utterance in found:
        begin = round(utterance.start_s * SAMPLE_RATE)
        end = begin + len(utterance.waveform)
        np.testing.assert_array_equal(utterance.waveform, recording[begin:end])
        assert not taken[begin:end].any()
        taken[begin:end] = True
        assert len(utterance.speech_mask) == -(-len(utterance.waveform) // ENCODER_HOP)
        assert utterance.speech_mask.any()
        assert utterance.finished
        assert utterance.end_s - utterance.start_s <= MAX_SPEECH_DURATION_S
        assert utterance.start_s < utterance.speech_end_s <= utterance.end_s + ENCODER_HOP / SAMPLE_RATE
    assert spans(found) == sorted(spans(found))
    short = [i for i, u in enumerate(found[:-1]) if u.end_s - u.start_s < MIN_UTTERANCE_S]
    silences = [found[i + 1].start_s - found[i].end_s for i in short]
    assert min(silences, default=math.inf) >= LONG_SILENCE_DURATION_S - 2 * SPEECH_PAD_S - 2 * A_WINDOW
    # A voice of at least four windows is no click: it is heard, and nothing but the edges of its windows is left out.
    left_out = np.flatnonzero(~taken & (np.abs(recording) > 0))
    runs = np.split(left_out, np.flatnonzero(np.diff(left_out) > 1) + 1)
    assert max(map(len, runs)) < 4 * WINDOW


def test_silence_belongs_to_no_utterance_but_for_the_padding() -> None:
    (utterance,) = cut(np.concatenate([silent(5), loud(4), silent(5)]))
    assert utterance.start_s == pytest.approx(5 - SPEECH_PAD_S, abs=2 * A_WINDOW)
    assert utterance.end_s == pytest.approx(9 + SPEECH_PAD_S, abs=2 * A_WINDOW)
    assert utterance.speech_end_s == pytest.approx(9, abs=2 * A_WINDOW)


@pytest.mark.parametrize("pause", [MIN_SILENCE_DURATION_S + 2 * A_WINDOW, 0.8, 4.0])
def test_pause_of_half_a_second_ends_an_utterance_of_three_seconds(pause: float) -> None:
    first, second = cut(np.concatenate([loud(4), silent(pause), loud(4)]))
    assert first.end_s == pytest.approx(4 + SPEECH_PAD_S, abs=2 * A_WINDOW)
    assert second.start_s == pytest.approx(4 + pause - SPEECH_PAD_S, abs=2 * A_WINDOW)


def test_pause_shorter_than_half_a_second_does_not_split() -> None:
    assert len(cut(np.concatenate([loud(4), silent(MIN_SILENCE_DURATION_S - 2 * A_WINDOW), loud(4)]))) == 1


def test_short_speech_is_joined_to_speech_within_a_second() -> None:
    (utterance,) = cut(np.concatenate([loud(1), silent(LONG_SILENCE_DURATION_S - 3 * A_WINDOW), loud(4), silent(2)]))
    assert utterance.end_s - utterance.start_s > 5.5


def test_short_speech_stands_alone_where_none_follows_within_a_second() -> None:
    found = cut(np.concatenate([loud(4), silent(2), loud(0.6), silent(2), loud(4)]))
    assert len(found) == 3
    assert found[1].end_s - found[1].start_s == pytest.approx(0.6 + 2 * SPEECH_PAD_S, abs=3 * A_WINDOW)


@pytest.mark.parametrize(("voice", "pause", "count"), [(4, 0.45, 1), (4, 0.6, 2), (1, 0.9, 1), (1, 1.1, 2)])
def test_pause_that_ends_an_utterance_is_half_a_second_after_three_seconds_of_speech_and_else_one(
    voice: float, pause: float, count: int
) -> None:
    assert len(cut(np.concatenate([loud(voice), silent(pause), loud(voice)]))) == count


def test_padding_is_a_quarter_of_a_second_and_the_whole_at_most_15_s() -> None:
    (alone,) = cut(np.concatenate([silent(5), loud(4), silent(5)]))
    assert (alone.start_s, alone.end_s) == pytest.approx((4.75, 9.25), abs=2 * A_WINDOW)
    first, _ = cut(np.concatenate([loud(11.9), loud(0.3) * 0, loud(7)]))
    assert first.end_s == pytest.approx(12, abs=0.2)
    whole, *rest = utterances([loud(15)], Loudness())  # type: ignore[arg-type]
    assert (whole.end_s, rest) == (15, [])


def test_utterance_is_given_as_soon_as_the_pause_is_long_enough() -> None:
    segmenter = Segmenter(Loudness())  # type: ignore[arg-type]
    assert list(segmenter.feed(np.concatenate([loud(4), silent(MIN_SILENCE_DURATION_S - 2 * A_WINDOW)]))) == []
    assert len(list(segmenter.feed(silent(4 * A_WINDOW)))) == 1
    assert list(segmenter.flush()) == []


def test_speech_without_a_pause_is_split_where_speech_is_least_likely() -> None:
    recording = loud(18)
    recording[6 * SAMPLE_RATE : 7 * SAMPLE_RATE] = 0.7
    recording[int(9.0 * SAMPLE_RATE) : int(9.3 * SAMPLE_RATE)] = 0
    first, second = cut(recording)
    assert 9.0 < first.end_s < 9.3
    assert second.start_s == first.end_s
    assert second.end_s == 18


def test_one_quiet_window_is_no_split_point() -> None:
    recording = loud(18)
    recording[200 * WINDOW : 201 * WINDOW] = 0  # about 6.4 s
    recording[300 * WINDOW : 306 * WINDOW] = 0.3  # about 9.6 s, for 0.2 s
    first, _ = cut(recording)
    assert first.end_s == pytest.approx(303 * A_WINDOW)


def test_split_point_is_three_seconds_from_either_end() -> None:
    recording = loud(18)
    for at in (2.0, 13.0):
        recording[int(at * SAMPLE_RATE) : int((at + 0.3) * SAMPLE_RATE)] = 0
    first, _ = cut(recording)
    assert MIN_UTTERANCE_S <= first.end_s <= MAX_SPEECH_DURATION_S - MIN_UTTERANCE_S


@pytest.mark.parametrize("recording", [silent(0), silent(0.01), silent(40), silent(3) + 1e-4])
def test_silence_gives_no_utterance(recording: np.ndarray) -> None:
    assert cut(recording) == []


def test_speech_at_the_end_of_a_stream_is_given_to_its_last_sample() -> None:
    (utterance,) = cut(np.concatenate([silent(1), loud(2)])[:-100])
    assert round(utterance.end_s * SAMPLE_RATE) == 3 * SAMPLE_RATE - 100


def test_no_more_than_one_utterance_is_kept_in_memory() -> None:
    segmenter = Segmenter(Loudness())  # type: ignore[arg-type]
    for part in (loud(100), silent(100), loud(0.5), silent(100)):
        list(segmenter.feed(part))
        assert len(segmenter._windows) <= MAX_SPEECH
        assert segmenter._rest.base is None
        assert all(window.base is None for window in segmenter._windows)


def test_no_later_utterance_begins_before_the_watermark() -> None:
    segmenter = Segmenter(Loudness())  # type: ignore[arg-type]
    recording = np.concatenate([silent(2), loud(20), silent(0.7), loud(1), silent(3), loud(5)])
    settled = 0.0
    for begin in range(0, len(recording), 3_000):
        for utterance in segmenter.feed(recording[begin : begin + 3_000]):
            assert utterance.start_s >= settled
        assert segmenter.watermark_s >= settled
        settled = segmenter.watermark_s
    (last,) = segmenter.flush()
    assert last.start_s >= settled


def test_provisional_utterances_grow_and_leave_the_final_ones_as_they_are() -> None:
    recording = np.concatenate([silent(1), loud(5), silent(2), loud(1.5), silent(2)])
    segmenter = Segmenter(Loudness(), provisional_s=1)  # type: ignore[arg-type]
    found = [u for part in np.array_split(recording, 50) for u in segmenter.feed(part)] + list(segmenter.flush())
    assert_same([u for u in found if u.finished], cut(recording))
    before_the_first = found[: next(i for i, u in enumerate(found) if u.finished)]
    assert len(before_the_first) == 5
    assert len({u.start_s for u in before_the_first}) == 1
    lengths = [len(u.waveform) / SAMPLE_RATE for u in before_the_first]
    assert lengths == pytest.approx([1, 2, 3, 4, 5], abs=0.05)


@pytest.mark.parametrize("seconds", [0.0001, 0.02, 1.0, 14.9, MAX_SPEECH_DURATION_S])
def test_recording_of_at_most_15_s_is_one_utterance_with_its_silence(seconds: float) -> None:
    recording = loud(seconds)
    recording[: len(recording) // 3] = 0
    (utterance,) = utterances([recording[:5], recording[5:]], Loudness())  # type: ignore[arg-type]
    np.testing.assert_array_equal(utterance.waveform, recording)


def test_recording_one_sample_longer_than_15_s_is_segmented() -> None:
    recording = np.concatenate([loud(MAX_SPEECH_DURATION_S), np.ones(1, np.float32)])
    found = list(utterances(np.array_split(recording, 7), Loudness()))  # type: ignore[arg-type]
    assert_same(found, cut(recording))
    assert len(found) == 2


def test_recording_without_samples_has_no_utterance() -> None:
    assert list(utterances([], Loudness())) == []  # type: ignore[arg-type]
    assert list(utterances([np.zeros(0, np.float32)], Loudness())) == []  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def silero(bundle_folder: Path) -> Session:
    return Session(bundle_folder / "vad.onnx")


def speech_seconds(session: Session, waveform: np.ndarray) -> tuple[int, float]:
    segmenter = Segmenter(session)
    found = [*segmenter.feed(waveform), *segmenter.flush()]
    return len(found), sum(u.speech_mask.sum() for u in found) * ENCODER_HOP / SAMPLE_RATE


@pytest.mark.parametrize("gain", [1.0, 0.02, 0.003, 1.9])
def test_real_speech_is_found_at_any_level(silero: Session, speech: np.ndarray, gain: float) -> None:
    rng = np.random.default_rng(0)
    room = rng.normal(0, 2e-5, 5 * SAMPLE_RATE).astype(np.float32)
    count, seconds = speech_seconds(silero, np.concatenate([room, speech * np.float32(gain), room]))
    assert count >= 2
    assert seconds > 8


def test_a_quiet_answer_to_a_loud_question_is_found(silero: Session, speech: np.ndarray) -> None:
    question, answer = speech[: 4 * SAMPLE_RATE], speech[7 * SAMPLE_RATE :] * np.float32(0.03)
    segmenter = Segmenter(silero)
    found = [*segmenter.feed(np.concatenate([question, silent(1.5), answer, silent(2)])), *segmenter.flush()]
    assert any(u.start_s > 5 for u in found)


def test_real_speech_in_portions_gives_the_same_utterances(silero: Session, speech: np.ndarray) -> None:
    whole = Segmenter(silero)
    expected = [*whole.feed(speech), *whole.flush()]
    for size in (160, 5_000, 33_333):
        segmenter = Segmenter(silero)
        found = [u for begin in range(0, len(speech), size) for u in segmenter.feed(speech[begin : begin + size])]
        assert_same([*found, *segmenter.flush()], expected)


@pytest.mark.parametrize("level", [1e-4, 0.01, 0.3])
def test_noise_alone_is_no_speech(silero: Session, level: float) -> None:
    noise = np.random.default_rng(1).normal(0, level, 20 * SAMPLE_RATE).astype(np.float32)
    assert speech_seconds(silero, noise) == (0, 0)


def test_duration_of_an_utterance_is_that_of_its_samples() -> None:
    assert Utterance(1.25, silent(3.5), np.ones(175, np.bool_)).duration_s == 3.5
