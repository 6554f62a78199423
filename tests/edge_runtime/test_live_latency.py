"""Latency of live answers by the stream's own clock, the seconds of sound that were fed: the same on any machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from edge_runtime import Event, Segment, live
from edge_runtime.inference.segmenter import Utterance
from edge_runtime.live import Stream

RATE = 16_000
PORTION_S = 0.1
WINDOW_S = 0.032
STATE_S = 0.02
"""The end of speech is known to the state of the encoder."""
SPEECH_S = (3.2, 1.6, 3.2)
"""Whole windows: by the half second of pause that ends a long utterance, and the second that ends a short one."""
PAUSE_S = (0.5, 1.0, 0.5)
SILENCE_S = 1.6


@dataclass
class Clock:
    """A clock that moves only when it is told to."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(live.time, "perf_counter", clock)
    return clock


def answers(clock: Clock, *, models_s: float) -> list[tuple[float, Event]]:
    """Feed three utterances in portions; return each answer and the seconds of sound that were fed before it came.

    Args:
        clock: of the machine.
        models_s: seconds that the models take for an utterance.
    """

    def loud(*, input: np.ndarray, h: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        return {"speech_probs": (np.abs(input[:, 64:]).max(axis=1) > 0.1).astype(np.float32), "hn": h, "cn": c}

    def classify(utterance: Utterance, *_: object) -> Segment:
        clock.now += models_s
        return Segment(utterance.start_s, utterance.end_s, None, None, None, None)

    stream = Stream(loud, classify, RATE, provisional_s=None)  # type: ignore[arg-type]
    turns = ((seconds, level) for speech_s in SPEECH_S for seconds, level in ((speech_s, 0.5), (SILENCE_S, 0.0)))
    sound = np.concatenate([np.full(round(seconds * RATE), level, np.float32) for seconds, level in turns])
    size, found = round(PORTION_S * RATE), []
    for begin in range(0, len(sound), size):
        events = stream.feed(sound[begin : begin + size])
        found += [(stream.duration_s, event) for event in events]
    assert stream.close() == []  # nobody speaks at the end: every answer came before
    return found


SPEECH_ENDS_S = [sum(SPEECH_S[: i + 1]) + i * SILENCE_S for i in range(len(SPEECH_S))]


def test_each_answer_comes_within_its_own_pause_and_not_an_utterance_later(clock: Clock) -> None:
    found = answers(clock, models_s=0.0)
    assert len(found) == len(SPEECH_S)
    for (came_s, event), speech_end_s, pause_s in zip(found, SPEECH_ENDS_S, PAUSE_S, strict=True):
        assert event.segment.start_s < speech_end_s < event.segment.end_s
        assert pause_s <= came_s - speech_end_s < pause_s + WINDOW_S + PORTION_S


@pytest.mark.parametrize("models_s", [0.0, 30.0])
def test_latency_is_the_sound_since_the_end_of_speech_and_the_time_of_the_models(clock: Clock, models_s: float) -> None:
    found = answers(clock, models_s=models_s)
    assert len(found) == len(SPEECH_S)
    for (came_s, event), speech_end_s in zip(found, SPEECH_ENDS_S, strict=True):
        assert event.latency_s == pytest.approx(came_s - speech_end_s + models_s, abs=STATE_S)
