"""Voice activity: found in speech, not in silence or noise, at any level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.inference.session import Session
from edge_runtime.inference.vad import (
    CONTEXT_SAMPLES,
    ENCODER_HOP,
    MIN_SPEECH_WINDOWS,
    THRESHOLD,
    WINDOW,
    StreamingVad,
    probabilities_to_mask,
    speech_mask,
)

RATE = 16_000


@pytest.fixture(scope="module")
def vad(bundle_folder: Path) -> Session:
    return Session(bundle_folder / "vad.onnx")


def test_speech_is_found(vad: Session, speech: np.ndarray) -> None:
    assert speech_mask(vad, speech).mean() > 0.8


def test_silence_around_speech_is_not_speech(vad: Session, speech: np.ndarray) -> None:
    silence = np.zeros(2 * RATE, np.float32)
    mask = speech_mask(vad, np.concatenate([silence, speech, silence]))
    assert not mask[: int(1.9 * RATE) // ENCODER_HOP].any()
    assert not mask[-int(1.5 * RATE) // ENCODER_HOP :].any()
    assert mask.any()


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.01, 0.3])
def test_silence_and_white_noise_are_not_speech(vad: Session, level: float) -> None:
    noise = np.random.default_rng(1).normal(0, 1, 3 * RATE).astype(np.float32) * np.float32(level)
    assert not speech_mask(vad, noise).any()


@pytest.mark.parametrize("gain", [0.1, 0.01, 2.0])
def test_level_does_not_matter(vad: Session, speech: np.ndarray, gain: float) -> None:
    quieter = speech_mask(vad, speech * np.float32(gain))
    assert (quieter == speech_mask(vad, speech)).mean() > 0.98


@pytest.mark.parametrize("samples", [1, WINDOW - 1, WINDOW, WINDOW + 1])
def test_each_window_that_begins_is_run(samples: int) -> None:
    runs: list[int] = []

    def graph(*, input: np.ndarray, h: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        runs.append(len(input))
        return {"speech_probs": np.zeros(len(input), np.float32), "hn": h, "cn": c}

    speech_mask(graph, np.zeros(samples, np.float32))  # type: ignore[arg-type]
    assert runs == [-(-samples // WINDOW)] * 2


class Scream:
    """Finds speech, as likely as told, at a peak of 0.05, and none at a higher one."""

    def __init__(self, likely: float) -> None:
        self.likely, self.peaks = likely, set[float]()

    def __call__(self, *, input: np.ndarray, h: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        peak = round(float(np.abs(input).max()), 6)
        self.peaks.add(peak)
        return {"speech_probs": np.full(len(input), self.likely if peak == 0.05 else 0.0, np.float32), "hn": h, "cn": c}


@pytest.mark.parametrize(("likely", "found"), [(0.31, True), (0.29, False)])
def test_scream_is_found_at_a_low_level_and_a_lower_threshold(likely: float, found: bool) -> None:
    scream, waveform = Scream(likely), np.tile(np.array([0.9, -0.9], np.float32), 5 * WINDOW)
    assert speech_mask(scream, waveform).any() == found  # type: ignore[arg-type]
    assert scream.peaks == {0.5, 0.05}


@pytest.mark.parametrize(("likely", "found"), [(0.31, True), (0.29, False)])
def test_stream_finds_a_scream_where_a_recording_does(likely: float, found: bool) -> None:
    scream, window = Scream(likely), np.tile(np.array([0.9, -0.9], np.float32), WINDOW // 2)
    assert (StreamingVad(scream)(window[None])[0] >= THRESHOLD) == found  # type: ignore[arg-type]
    assert scream.peaks == {0.5, 0.05}


def test_peak_of_a_stream_halves_in_two_seconds() -> None:
    peaks: list[float] = []

    def graph(*, input: np.ndarray, h: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        peaks.append(float(np.abs(input).max()))
        return {"speech_probs": np.zeros(len(input), np.float32), "hn": h, "cn": c}

    stream = StreamingVad(graph)  # type: ignore[arg-type]
    stream(np.full((1, WINDOW), 0.8, np.float32))
    for _ in range(62):
        stream(np.zeros((1, WINDOW), np.float32))
    stream(np.full((1, WINDOW), 0.1, np.float32))
    assert peaks[:2] == pytest.approx([0.5, 0.05])
    assert peaks[-2:] == pytest.approx([0.5 * 0.1 / 0.4, 0.05 * 0.1 / 0.4], rel=0.02)  # 63 windows are 2.02 s


def test_stream_takes_the_likelier_of_two_passes_each_with_a_memory_of_its_own() -> None:
    def graph(*, input: np.ndarray, h: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        """Has heard as many windows as ``h`` says, and as ``c`` says below 0."""
        usual = float(np.abs(input).max()) > 0.1
        assert (c == -h).all()
        likely = 0.4 if usual else 0.12
        return {"speech_probs": np.full(1, likely + 0.01 * h.max(), np.float32), "hn": h + 1, "cn": c - 1}

    stream, window = StreamingVad(graph), np.full((1, WINDOW), 0.5, np.float32)  # type: ignore[arg-type]
    assert [*stream(window), *stream(window), *stream(window)] == pytest.approx([0.4, 0.41, 0.42])


def test_stream_gives_each_window_behind_the_end_of_the_one_before() -> None:
    frames: list[np.ndarray] = []

    def graph(*, input: np.ndarray, h: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        frames.append(input[0])
        return {"speech_probs": np.zeros(1, np.float32), "hn": h, "cn": c}

    stream, waveform = StreamingVad(graph), np.linspace(0.5, 0.1, 2 * WINDOW, dtype=np.float32)  # type: ignore[arg-type]
    stream(waveform[None, :WINDOW])
    stream(waveform[None, WINDOW:])
    first, _, second, _ = frames  # two passes each
    np.testing.assert_allclose(first, np.concatenate([np.zeros(CONTEXT_SAMPLES), waveform[:WINDOW]]))
    np.testing.assert_allclose(second / second[-1], waveform[WINDOW - CONTEXT_SAMPLES :] / waveform[-1], rtol=1e-5)


def test_probability_of_a_stream_is_at_most_one() -> None:
    def graph(*, input: np.ndarray, h: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        return {"speech_probs": np.ones(1, np.float32), "hn": h, "cn": c}

    assert StreamingVad(graph)(np.full((1, WINDOW), 0.5, np.float32)) == [1]  # type: ignore[arg-type]


def test_speech_that_the_first_pass_finds_needs_no_second_pass() -> None:
    heard: list[float] = []

    def voice(*, input: np.ndarray, h: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        heard.append(float(np.abs(input).max()))
        return {"speech_probs": np.full(len(input), THRESHOLD, np.float32), "hn": h, "cn": c}

    assert speech_mask(voice, np.ones(5 * WINDOW, np.float32)).all()  # type: ignore[arg-type]
    assert heard == [0.5]


def test_frame_holds_a_window_behind_the_end_of_the_one_before() -> None:
    seen: list[np.ndarray] = []

    def graph(*, input: np.ndarray, h: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        seen.append(input)
        return {"speech_probs": np.zeros(len(input), np.float32), "hn": h, "cn": c}

    waveform = np.linspace(-0.5, 0.5, 2 * WINDOW, dtype=np.float32)
    speech_mask(graph, waveform)  # type: ignore[arg-type]
    first, second = seen[0]
    np.testing.assert_allclose(first, np.concatenate([np.zeros(CONTEXT_SAMPLES), waveform[:WINDOW]]))
    np.testing.assert_allclose(second, waveform[WINDOW - CONTEXT_SAMPLES :])


def test_fewer_than_three_windows_are_not_speech() -> None:
    probabilities = np.zeros(50, np.float32)
    probabilities[10 : 10 + MIN_SPEECH_WINDOWS - 1] = 1
    assert not probabilities_to_mask(probabilities, 50 * WINDOW).any()
    probabilities[10 + MIN_SPEECH_WINDOWS - 1] = 1
    assert probabilities_to_mask(probabilities, 50 * WINDOW).any()


def test_three_windows_at_a_probability_of_a_half_are_speech() -> None:
    probabilities = np.zeros(50, np.float32)
    probabilities[10:13] = 0.5
    assert probabilities_to_mask(probabilities, 50 * WINDOW).any()
    assert not probabilities_to_mask(probabilities - 0.01, 50 * WINDOW).any()
    probabilities[12] = 0
    assert not probabilities_to_mask(probabilities, 50 * WINDOW).any()


def test_pauses_between_speech_are_in_the_mask_and_the_ends_are_not() -> None:
    probabilities = np.zeros(100, np.float32)
    probabilities[[20, 21, 79]] = THRESHOLD
    states = probabilities_to_mask(probabilities, 100 * WINDOW)
    first, last = np.flatnonzero(states)[[0, -1]]
    assert states[first : last + 1].all()
    assert first == 20 * WINDOW // ENCODER_HOP
    assert last == 80 * WINDOW // ENCODER_HOP - 1


def test_mask_of_no_samples_is_empty() -> None:
    assert len(probabilities_to_mask(np.zeros(0, np.float32), 0)) == 0


@given(st.integers(1, 100_000), st.integers(0, 99))
def test_mask_is_as_long_as_the_states_of_the_encoder_and_contiguous(samples: int, seed: int) -> None:
    windows = -(-samples // WINDOW)
    probabilities = np.random.default_rng(seed).uniform(0, 1, windows).astype(np.float32)
    states = probabilities_to_mask(probabilities, samples)
    assert len(states) == -(-samples // ENCODER_HOP)
    assert np.count_nonzero(np.diff(np.pad(states, 1).astype(int))) in {0, 2}
    assert states.any() == ((probabilities >= THRESHOLD).sum() >= MIN_SPEECH_WINDOWS)
