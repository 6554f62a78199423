"""Voice activity: found in speech, not in silence or noise, at any level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.inference.session import Session
from edge_runtime.inference.streaming_vad import VoiceStream
from edge_runtime.inference.vad import (
    LEAST_WINDOWS,
    LOOK_BACK,
    STATE,
    THRESHOLD,
    WINDOW,
    VoiceActivity,
    spoken_part,
    spoken_states,
)

RATE = 16_000


@pytest.fixture(scope="module")
def vad(bundle_folder: Path) -> VoiceActivity:
    return VoiceActivity(Session(bundle_folder / "vad.onnx"))


@pytest.fixture(scope="module")
def speech(jfk: Path) -> np.ndarray:
    return soundfile.read(jfk, dtype="float32")[0]


def spoken(vad: VoiceActivity, waveform: np.ndarray) -> np.ndarray:
    return spoken_states(vad.probabilities(waveform), len(waveform))


def test_speech_is_found(vad: VoiceActivity, speech: np.ndarray) -> None:
    probabilities = vad.probabilities(speech)
    assert probabilities.shape == (-(-len(speech) // WINDOW),)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert spoken(vad, speech).mean() > 0.8


def test_silence_around_speech_is_not_spoken(vad: VoiceActivity, speech: np.ndarray) -> None:
    states = spoken(vad, np.concatenate([np.zeros(2 * RATE, np.float32), speech, np.zeros(2 * RATE, np.float32)]))
    assert not states[: int(1.9 * RATE) // STATE].any()
    assert not states[-int(1.5 * RATE) // STATE :].any()
    assert states.any()


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.01, 0.3])
def test_silence_and_white_noise_are_not(vad: VoiceActivity, level: float) -> None:
    noise = np.random.default_rng(1).normal(0, 1, 3 * RATE).astype(np.float32) * np.float32(level)
    assert not spoken(vad, noise).any()


@pytest.mark.parametrize("gain", [0.1, 0.01, 2.0])
def test_level_does_not_matter(vad: VoiceActivity, speech: np.ndarray, gain: float) -> None:
    quieter = spoken(vad, speech * np.float32(gain))
    assert (quieter == spoken(vad, speech)).mean() > 0.98


@pytest.mark.parametrize("samples", [1, WINDOW - 1, WINDOW, WINDOW + 1])
def test_any_length_gives_a_probability_for_each_window_begun(vad: VoiceActivity, samples: int) -> None:
    assert len(vad.probabilities(np.zeros(samples, np.float32))) == -(-samples // WINDOW)


class Scream:
    """Hears a voice, as likely as told, in what is played at a peak of 0.05, and none in what is louder."""

    def __init__(self, likely: float) -> None:
        self.likely, self.peaks = likely, set[float]()

    def __call__(self, *, input: np.ndarray, h: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        peak = round(float(np.abs(input).max()), 6)
        self.peaks.add(peak)
        return {"speech_probs": np.full(len(input), self.likely if peak == 0.05 else 0.0, np.float32), "hn": h, "cn": c}


@pytest.mark.parametrize(("likely", "heard"), [(0.31, True), (0.29, False)])
def test_a_scream_is_heard_when_played_softly_and_at_a_lower_threshold(likely: float, heard: bool) -> None:
    scream, waveform = Scream(likely), np.tile(np.array([0.9, -0.9], np.float32), 5 * WINDOW)
    assert spoken_part(VoiceActivity(scream), waveform).any() == heard  # type: ignore[arg-type]
    assert scream.peaks == {0.5, 0.05}


@pytest.mark.parametrize(("likely", "heard"), [(0.31, True), (0.29, False)])
def test_a_stream_hears_a_scream_where_a_recording_does(likely: float, heard: bool) -> None:
    scream, window = Scream(likely), np.tile(np.array([0.9, -0.9], np.float32), WINDOW // 2)
    assert (VoiceStream(scream)(window) >= THRESHOLD) == heard  # type: ignore[arg-type]
    assert scream.peaks == {0.5, 0.05}


def test_a_stream_forgets_half_of_the_loudest_in_two_seconds() -> None:
    peaks: list[float] = []

    def graph(*, input: np.ndarray, h: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        peaks.append(float(np.abs(input).max()))
        return {"speech_probs": np.zeros(len(input), np.float32), "hn": h, "cn": c}

    stream = VoiceStream(graph)  # type: ignore[arg-type]
    stream(np.full(WINDOW, 0.8, np.float32))
    for _ in range(62):
        stream(np.zeros(WINDOW, np.float32))
    stream(np.full(WINDOW, 0.1, np.float32))
    assert peaks[:2] == pytest.approx([0.5, 0.05])
    assert peaks[-2:] == pytest.approx([0.5 * 0.1 / 0.4, 0.05 * 0.1 / 0.4], rel=0.02)  # 63 windows are 2.02 s


def test_a_stream_listens_twice_each_with_a_memory_of_its_own_and_believes_the_likelier() -> None:
    def graph(*, input: np.ndarray, h: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        """Has heard as many windows as ``h`` says, and as ``c`` says below 0."""
        usual = float(np.abs(input).max()) > 0.1
        assert (c == -h).all()
        likely = 0.4 if usual else 0.12
        return {"speech_probs": np.full(1, likely + 0.01 * h.max(), np.float32), "hn": h + 1, "cn": c - 1}

    stream, window = VoiceStream(graph), np.full(WINDOW, 0.5, np.float32)  # type: ignore[arg-type]
    assert [stream(window) for _ in range(3)] == pytest.approx([0.4, 0.41, 0.42])


def test_a_voice_that_is_heard_as_it_is_is_not_played_softly() -> None:
    heard: list[float] = []

    def voice(*, input: np.ndarray, h: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        heard.append(float(np.abs(input).max()))
        return {"speech_probs": np.full(len(input), THRESHOLD, np.float32)}

    assert spoken_part(VoiceActivity(voice), np.ones(5 * WINDOW, np.float32)).all()  # type: ignore[arg-type]
    assert heard == [0.5]


def test_a_window_is_seen_with_the_end_of_the_one_before() -> None:
    seen: list[np.ndarray] = []

    def graph(*, input: np.ndarray, h: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        seen.append(input)
        return {"speech_probs": np.zeros(len(input), np.float32), "hn": h, "cn": c}

    waveform = np.linspace(-0.5, 0.5, 2 * WINDOW, dtype=np.float32)
    VoiceActivity(graph).probabilities(waveform)  # type: ignore[arg-type]
    first, second = seen[0]
    np.testing.assert_allclose(first, np.concatenate([np.zeros(LOOK_BACK), waveform[:WINDOW]]))
    np.testing.assert_allclose(second, waveform[WINDOW - LOOK_BACK :])


def test_too_few_windows_are_a_click() -> None:
    probabilities = np.zeros(50, np.float32)
    probabilities[10 : 10 + LEAST_WINDOWS - 1] = 1
    assert not spoken_states(probabilities, 50 * WINDOW).any()
    probabilities[10 + LEAST_WINDOWS - 1] = 1
    assert spoken_states(probabilities, 50 * WINDOW).any()


def test_three_windows_at_a_probability_of_a_half_are_a_voice() -> None:
    probabilities = np.zeros(50, np.float32)
    probabilities[10:13] = 0.5
    assert spoken_states(probabilities, 50 * WINDOW).any()
    assert not spoken_states(probabilities - 0.01, 50 * WINDOW).any()
    probabilities[12] = 0
    assert not spoken_states(probabilities, 50 * WINDOW).any()


def test_pauses_inside_are_spoken_and_the_ends_are_not() -> None:
    probabilities = np.zeros(100, np.float32)
    probabilities[[20, 21, 79]] = THRESHOLD
    states = spoken_states(probabilities, 100 * WINDOW)
    first, last = np.flatnonzero(states)[[0, -1]]
    assert states[first : last + 1].all()
    assert first == 20 * WINDOW // STATE
    assert last == 80 * WINDOW // STATE - 1


def test_nothing_has_no_states() -> None:
    assert len(spoken_states(np.zeros(0, np.float32), 0)) == 0


@given(st.integers(1, 100_000), st.integers(0, 99))
def test_states_are_as_many_as_the_encoder_gives_and_contiguous(samples: int, seed: int) -> None:
    windows = -(-samples // WINDOW)
    probabilities = np.random.default_rng(seed).uniform(0, 1, windows).astype(np.float32)
    states = spoken_states(probabilities, samples)
    assert len(states) == -(-samples // STATE)
    assert np.count_nonzero(np.diff(np.pad(states, 1).astype(int))) in {0, 2}
    assert states.any() == ((probabilities >= THRESHOLD).sum() >= LEAST_WINDOWS)
