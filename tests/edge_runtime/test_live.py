"""Live sound: the same answers as for the whole, as soon as they can be had, in portions of any size and form."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime import AudioError, Event, IEmoNet, Segment, live
from edge_runtime.inference.segmenter import Utterance
from edge_runtime.live import Stream

RATE = 16_000


@pytest.fixture(scope="module")
def call(speech: np.ndarray) -> np.ndarray:
    """Two utterances with a pause between."""
    silence = np.zeros(RATE, np.float32)
    loud, quiet = speech[int(5.1 * RATE) : int(10.8 * RATE)], speech[8 * RATE :] * 0.1
    return np.concatenate([silence, loud, silence, silence, quiet, silence, silence])


@pytest.fixture(scope="module")
def whole(model: IEmoNet, call: np.ndarray) -> list[Segment]:
    return list(model.timeline(call, RATE))


def fed(
    model: IEmoNet, samples: np.ndarray, sizes: list[int], *, rate: int = RATE, provisional_s: float | None = None
) -> list[Event]:
    stream, events, begin, turn = model.stream(rate, provisional_s=provisional_s), [], 0, 0
    while begin < len(samples):
        size = sizes[turn % len(sizes)]
        events += stream.feed(samples[begin : begin + size])
        begin, turn = begin + size, turn + 1
    return events + stream.close()


@settings(max_examples=6)
@given(sizes=st.lists(st.integers(16, 100_000), min_size=1, max_size=4))
def test_portions_of_any_size_give_the_segments_of_the_whole(
    model: IEmoNet, call: np.ndarray, whole: list[Segment], sizes: list[int]
) -> None:
    assert len(whole) == 2
    events = fed(model, call, sizes)
    assert [event.segment for event in events] == whole
    assert all(event.final for event in events)


@pytest.mark.parametrize("sizes", [[1], [10_000_000]])
def test_single_samples_and_one_portion_give_the_segments_of_the_whole(
    model: IEmoNet, call: np.ndarray, whole: list[Segment], sizes: list[int]
) -> None:
    assert [event.segment for event in fed(model, call, sizes)] == whole


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_portions_at_another_rate_give_the_segments_of_the_whole(model: IEmoNet, call: np.ndarray, rate: int) -> None:
    other = soxr.resample(call, RATE, rate).astype(np.float32)
    expected = list(model.timeline(other, rate))
    assert len(expected) == 2
    assert [event.segment for event in fed(model, other, [1_001, 17, 90_000], rate=rate)] == expected


def test_a_stream_of_integers_or_channels_gives_the_segments_of_the_array(model: IEmoNet, call: np.ndarray) -> None:
    integers = (np.clip(call, -1, 1) * 32_767).astype(np.int16)
    stereo = np.stack([integers, integers], axis=1)
    expected = list(model.timeline(stereo, RATE))
    assert [event.segment for event in fed(model, stereo, [4_000])] == expected
    assert [event.segment for event in fed(model, integers, [4_000])] == expected


@pytest.mark.parametrize("sizes", [[1_601], [7, 90_000, 333]])
def test_a_voice_in_opposite_channels_gives_the_segments_of_the_voice(
    model: IEmoNet, call: np.ndarray, whole: list[Segment], sizes: list[int]
) -> None:
    assert [event.segment for event in fed(model, np.stack([call, -call], axis=1), sizes)] == whole


def test_an_answer_comes_after_the_pause_and_states_its_latency(model: IEmoNet, call: np.ndarray) -> None:
    stream = model.stream(RATE)
    heard_s, first = 0.0, None
    for begin in range(0, len(call), 1_600):
        events = stream.feed(call[begin : begin + 1_600])
        heard_s += 0.1
        if events:
            (first,) = events
            break
    assert first is not None
    assert stream.duration_s == pytest.approx(heard_s)
    speech_end_s = first.segment.end_s - 0.25
    assert heard_s - speech_end_s == pytest.approx(0.6, abs=0.2)
    assert first.latency_s >= heard_s - speech_end_s - 0.1


def test_samples_that_had_to_wait_add_to_the_latency(model: IEmoNet, call: np.ndarray) -> None:
    stream = model.stream(RATE)

    (event, *_) = stream.feed(call, arrived=time.perf_counter() - 100)
    assert event.latency_s > 100


def test_latency_counts_from_the_last_sound_of_the_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    def loud(*, input: np.ndarray, h: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        return {"speech_probs": (np.abs(input[:, 64:]).max(axis=1) > 0.1).astype(np.float32), "hn": h, "cn": c}

    now = 100.0
    monkeypatch.setattr(live.time, "perf_counter", lambda: now)

    def classify(utterance: Utterance, *_: object) -> Segment:
        nonlocal now
        now += 0.5  # what the models take
        return Segment(utterance.start_s, utterance.end_s, None, None, None, None)

    stream = Stream(loud, classify, RATE, provisional_s=None)  # type: ignore[arg-type]
    voice, silence = np.full(51_200, 0.5, np.float32), np.zeros(RATE // 10, np.float32)
    assert stream.feed(voice) == []  # 3.2 s, in whole windows
    events: list[Event] = []
    while not events:
        events = stream.feed(silence, arrived=now - 0.25)  # it had to wait
    # The pause of half a second is over after 0.512 s, in whole windows, and that comes in portions of 0.1 s.
    assert stream.duration_s == pytest.approx(3.8)
    assert events[0].latency_s == pytest.approx(0.6 + 0.25 + 0.5)


def test_the_end_of_the_stream_answers_what_was_being_said_at_once(model: IEmoNet, call: np.ndarray) -> None:
    stream = model.stream(RATE)
    assert stream.feed(call[: 3 * RATE]) == []
    (event,) = stream.close()
    assert event.final
    assert event.segment.end_s == 3.0
    assert stream.close() == []
    with pytest.raises(ValueError, match="closed"):
        stream.feed(call)


def test_provisional_answers_come_on_request_and_change_no_other(
    model: IEmoNet, call: np.ndarray, whole: list[Segment]
) -> None:
    events = fed(model, call, [3_200], provisional_s=1.0)
    assert [event.segment for event in events if event.final] == whole
    provisional = [event for event in events if not event.final]
    assert len(provisional) >= 5
    first = next(i for i, event in enumerate(events) if event.final)
    assert first >= 3
    for event in events[:first]:
        assert not event.final
        assert event.segment.start_s == events[first].segment.start_s
        assert event.segment.label in model.labels


def test_an_event_can_be_written_as_json(model: IEmoNet, call: np.ndarray) -> None:
    event = fed(model, call, [RATE])[0]
    plain = json.loads(json.dumps(event.to_dict(), allow_nan=False))
    assert plain["final"] is True
    assert plain["segment"]["label"] == event.segment.label
    assert plain["segment"]["confidence"] == event.segment.confidence
    assert plain["segment"]["used"] == list(event.segment.used)


def test_a_stream_in_which_nobody_speaks_gives_no_event(model: IEmoNet) -> None:
    assert fed(model, np.zeros(5 * RATE, np.int16), [777]) == []
    stream = model.stream(RATE)
    assert stream.feed(np.zeros(0, np.float32)) == []
    assert stream.close() == []


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.array([np.nan], np.float32), "NaN"),
        (np.array([np.inf], np.float64), "NaN or infinite"),
        (np.zeros((2, 2, 2), np.float32), "shape"),
        (np.zeros((5, 65), np.float32), "channels"),
        (np.zeros((5, 0), np.float32), "channels"),
        (np.zeros(5, np.complex64), "complex64"),
        (np.array(0.5, np.float32), "shape"),
        ([0.0, 0.1], "numpy array"),
        (b"\0\0", "numpy array"),
    ],
)
def test_bad_samples_are_refused_and_the_stream_goes_on(
    model: IEmoNet, call: np.ndarray, whole: list[Segment], samples: object, message: str
) -> None:
    stream = model.stream(RATE)
    events = stream.feed(call[: 2 * RATE])
    with pytest.raises(AudioError, match=message):
        stream.feed(samples)  # type: ignore[arg-type]
    events += stream.feed(call[2 * RATE : 8 * RATE])
    assert events[0].segment == whole[0]


@pytest.mark.parametrize("rate", [0, -1, 999, 10_000_000])
def test_bad_rates_are_refused(model: IEmoNet, rate: int) -> None:
    with pytest.raises(AudioError, match="sample rate"):
        model.stream(rate)


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_provisional_intervals_of_zero_or_less_are_refused(model: IEmoNet, seconds: float) -> None:
    with pytest.raises(ValueError, match="provisional_s"):
        model.stream(RATE, provisional_s=seconds)
