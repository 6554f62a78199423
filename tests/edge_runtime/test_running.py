"""The running baseline: each utterance is compared with those before it on its channel, however the sound comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime import Baseline, IEmoNet, Segment, Turn
from edge_runtime.audio.recording import Recording
from edge_runtime.baseline import LEAST_SPEECH_S, MOST_RECORDINGS
from edge_runtime.classifier import Heard
from edge_runtime.conversation import KEPT, Conversation
from edge_runtime.inference.asr import Transcript
from edge_runtime.inference.segmenter import Utterance
from edge_runtime.prediction import DOUBTFUL, not_judged
from edge_runtime.running import RunningClassifier

RATE = 16_000
GRAPHS = "ab" * 32


def row(seconds: float, number: float = 0.0) -> Baseline:
    return Baseline(np.full((1, 2), number), np.array([seconds]), GRAPHS, "tiny 1")


class Classifier:
    """Pools the beginning of each utterance, and keeps what each was compared with."""

    def __init__(self) -> None:
        self.baselines: list[Baseline | None] = []
        self.contexts: list[list[Turn]] = []

    def hear(self, utterance: Utterance, *, baseline: Baseline | None) -> Heard:
        self.baselines.append(baseline)
        pooled = row(utterance.duration_s, utterance.start_s)
        return Heard(utterance, None, pooled, 0.0, None, f"at {utterance.start_s}", {})

    def recognise(self, heard: Heard) -> Transcript:
        return Transcript(heard.given, 0.0, ended=True)

    def judge(self, heard: Heard, words: Transcript, context: list[Turn]) -> Segment:
        self.contexts.append(context)
        return Segment(heard.utterance.start_s, heard.utterance.end_s, None, None, None, words.text)

    @property
    def starts(self) -> list[list[float]]:
        return [[] if b is None else b.pooled[:, 0].tolist() for b in self.baselines]


def utterance(start_s: float, *, finished: bool = True) -> Utterance:
    return Utterance(start_s, np.zeros(RATE, np.float32), np.ones(50, np.bool_), finished)


def test_each_is_compared_with_the_finished_ones_before_it_and_never_with_itself() -> None:
    classifier = Classifier()
    classify = RunningClassifier(classifier, True, Conversation())  # type: ignore[arg-type]
    for start_s, finished in ((1, True), (2, False), (2, False), (2, True), (3, False), (4, True)):
        classify(utterance(start_s, finished=finished))
    assert classifier.starts == [[], [1], [1], [1], [1, 2], [1, 2]]


def test_a_baseline_that_is_given_comes_first_and_the_given_one_stays_as_it_was() -> None:
    classifier, given_one = Classifier(), row(7, 100)
    classify = RunningClassifier(classifier, given_one, Conversation())  # type: ignore[arg-type]
    for start_s in (1, 2):
        classify(utterance(start_s))
    assert classifier.starts == [[100], [100, 1]]
    assert given_one.recordings == 1


def test_without_a_baseline_each_stands_alone() -> None:
    classifier = Classifier()
    classify = RunningClassifier(classifier, False, Conversation())  # type: ignore[arg-type]
    for start_s in (1, 2):
        classify(utterance(start_s))
    assert classifier.starts == [[], []]


def test_of_many_utterances_the_last_are_compared_with() -> None:
    classifier = Classifier()
    classify = RunningClassifier(classifier, True, Conversation())  # type: ignore[arg-type]
    for start_s in range(MOST_RECORDINGS + 3):
        classify(utterance(start_s))
    assert classifier.starts[-1] == list(range(2, MOST_RECORDINGS + 2))


def test_the_context_is_what_was_finished_on_any_channel_and_said_before() -> None:
    classifier, conversation = Classifier(), Conversation()
    first, second = (RunningClassifier(classifier, True, conversation, n) for n in (1, 2))  # type: ignore[arg-type]
    for classify, start_s, finished in ((first, 1, True), (second, 2, False), (second, 2, True), (first, 2.5, True)):
        classify(utterance(start_s, finished=finished))
    before = [[(turn.text, turn.speaker) for turn in context] for context in classifier.contexts]
    other = [("at 1", "other")]
    assert before == [[], other, other, [("at 1", "same")]]  # what another says until 3 s was not over


@pytest.fixture(scope="module")
def reading(context_bundle: Path) -> Iterator[IEmoNet]:
    """A model that reads what was said before, and whose recogniser, which writes at random, is sure of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transcript, "doubtful", False)
        yield IEmoNet.load(context_bundle, device="cpu", threads=1)


@pytest.fixture(scope="module")
def call() -> np.ndarray:
    """Bursts of sound of several levels and lengths, with pauses."""
    random = np.random.default_rng(0)
    parts = []
    for level, seconds in ((0.3, 3.2), (0.5, 0.7), (0.4, 4.0), (0.2, 3.1), (0.45, 3.5)):
        burst = random.uniform(-level, level, round(seconds * RATE)).astype(np.float32)
        parts += [burst, np.zeros(round(1.3 * RATE), np.float32)]
    return np.concatenate(parts)


@pytest.fixture(scope="module")
def whole(comparing: IEmoNet, call: np.ndarray) -> list[Segment]:
    return list(comparing.timeline(call, RATE))


def portions(samples: np.ndarray, sizes: list[int]) -> Iterator[np.ndarray]:
    begin, turn = 0, 0
    while begin < len(samples):
        yield samples[begin : begin + sizes[turn % len(sizes)]]
        begin, turn = begin + sizes[turn % len(sizes)], turn + 1


def streamed(
    model: IEmoNet, samples: np.ndarray, sizes: list[int], *, provisional_s: float | None = None, context: bool = False
) -> list[Segment]:
    stream = model.stream(RATE, provisional_s=provisional_s, context=context)
    events = [event for portion in portions(samples, sizes) for event in stream.feed(portion)] + stream.close()
    return [event.segment for event in events if event.final]


def test_the_baseline_of_a_timeline_grows_by_the_speech_of_each_utterance(
    comparing: IEmoNet, call: np.ndarray, whole: list[Segment]
) -> None:
    assert len(whole) == 5
    alone = [comparing.pool(call[round(s.start_s * RATE) : round(s.end_s * RATE)], RATE) for s in whole]
    spoken = [0.0 if part is None else part.speech_s for part in alone]
    assert [segment.baseline_s for segment in whole] == pytest.approx(np.cumsum([0.0, *spoken[:-1]]).tolist())
    assert whole[-1].baseline_s > 10


def test_each_utterance_has_the_answer_of_itself_with_those_before_it_as_its_baseline(
    comparing: IEmoNet, call: np.ndarray, whole: list[Segment]
) -> None:
    pieces = [call[round(s.start_s * RATE) : round(s.end_s * RATE)] for s in whole]
    for number, segment in enumerate(whole):
        before = comparing.baseline(pieces[:number], RATE) if number else None
        (alone,) = comparing(pieces[number], RATE, baseline=before).segments
        assert replace(alone, start_s=segment.start_s, end_s=segment.end_s) == segment
    apart = list(comparing.timeline(call, RATE, baseline=False))
    assert apart[0] == whole[0]
    assert {segment.baseline_s for segment in apart} == {0.0}
    assert all(a.speech != b.speech for a, b in zip(apart[1:], whole[1:], strict=True))


@settings(max_examples=25)
@given(sizes=st.lists(st.integers(16, 100_000), min_size=1, max_size=4), provisional_s=st.sampled_from([None, 0.4, 1]))
def test_portions_of_any_size_give_the_segments_of_the_whole(
    comparing: IEmoNet, call: np.ndarray, whole: list[Segment], sizes: list[int], provisional_s: float | None
) -> None:
    assert streamed(comparing, call, sizes, provisional_s=provisional_s) == whole


def test_provisional_answers_are_compared_with_the_same_baseline_as_the_final_one(
    comparing: IEmoNet, call: np.ndarray
) -> None:
    stream = comparing.stream(RATE, provisional_s=0.5)
    events = [event for portion in portions(call, [4_000]) for event in stream.feed(portion)] + stream.close()
    by_start: dict[float, set[float]] = {}
    for event in events:
        by_start.setdefault(event.segment.start_s, set()).add(event.segment.baseline_s)
    assert sum(not event.final for event in events) > 10
    assert len(by_start) == 5
    assert all(len(seconds) == 1 for seconds in by_start.values())


def test_each_channel_has_a_baseline_of_its_own(comparing: IEmoNet, call: np.ndarray) -> None:
    stereo = np.stack([call, np.roll(call, 5 * RATE)], axis=1)
    found = list(comparing.timeline(stereo, RATE, channels="split"))
    for channel in (1, 2):
        alone = comparing.timeline(np.ascontiguousarray(stereo[:, channel - 1]), RATE)
        assert [s for s in found if s.channel == channel] == [replace(s, channel=channel) for s in alone]
    given_one = comparing.baseline(call, RATE)
    begun = list(comparing.timeline(stereo, RATE, channels="split", baseline=given_one))
    first = {channel: next(s for s in begun if s.channel == channel) for channel in (1, 2)}
    assert {segment.baseline_s for segment in first.values()} == {given_one.speech_s}


def test_a_stream_begins_with_the_baseline_that_is_given(comparing: IEmoNet, call: np.ndarray) -> None:
    before = comparing.baseline(call[: 4 * RATE], RATE)
    stream = comparing.stream(RATE, baseline=before)
    events = stream.feed(call) + stream.close()
    assert [event.segment for event in events] == list(comparing.timeline(call, RATE, baseline=before))
    assert events[0].segment.baseline_s == before.speech_s
    silent = comparing.stream(RATE, baseline=False)
    assert {event.segment.baseline_s for event in silent.feed(call) + silent.close()} == {0.0}


def test_less_than_a_second_of_speech_before_counts_as_none(comparing: IEmoNet, call: np.ndarray) -> None:
    silence = np.zeros(2 * RATE, np.float32)
    short = call[: round(0.5 * RATE)]
    words = np.concatenate([short, silence, short, silence, short, silence, short])
    found, apart = list(comparing.timeline(words, RATE)), list(comparing.timeline(words, RATE, baseline=False))
    assert len(found) == 4
    assert [segment.baseline_s >= LEAST_SPEECH_S for segment in found] == [False, False, True, True]
    assert [segment.baseline_s > 0 for segment in found] == [False, False, True, True]
    assert [a.speech == b.speech for a, b in zip(found, apart, strict=True)] == [True, True, False, False]


def test_a_bundle_that_takes_no_baseline_has_the_same_timeline_with_and_without(tiny_bundle: Path, jfk: Path) -> None:
    model = IEmoNet.load(tiny_bundle, device="cpu", threads=1)
    found = list(model.timeline(jfk))
    assert found == list(model.timeline(jfk, baseline=False))
    assert {segment.baseline_s for segment in found} == {0.0}


def test_words_are_read_after_those_before_them(reading: IEmoNet, call: np.ndarray) -> None:
    found = list(reading.timeline(call, RATE, context=True))
    assert all(segment.transcript for segment in found)
    for number, segment in enumerate(found):
        piece = call[round(segment.start_s * RATE) : round(segment.end_s * RATE)]
        before = [s.transcript or "" for s in found[:number]]
        (alone,) = reading(piece, RATE, context=before).segments
        assert (alone.text, alone.transcript) == (segment.text, segment.transcript)
        (without,) = reading(piece, RATE).segments
        assert (without.text == segment.text) == (number == 0)


def test_unless_a_context_is_wanted_words_are_read_alone(reading: IEmoNet, call: np.ndarray) -> None:
    found = list(reading.timeline(call, RATE))
    assert found == streamed(reading, call, [RATE])
    for segment in found:
        (alone,) = reading(call[round(segment.start_s * RATE) : round(segment.end_s * RATE)], RATE).segments
        assert alone.text == segment.text


@settings(max_examples=8)
@given(sizes=st.lists(st.integers(16, 100_000), min_size=1, max_size=4), provisional_s=st.sampled_from([None, 0.4, 1]))
def test_portions_of_any_size_give_words_the_same_context(
    reading: IEmoNet, call: np.ndarray, sizes: list[int], provisional_s: float | None
) -> None:
    assert streamed(reading, call, sizes, provisional_s=provisional_s, context=True) == list(
        reading.timeline(call, RATE, context=True)
    )


@settings(max_examples=8)
@given(shift_s=st.floats(0, 8), size=st.integers(500, 60_000))
def test_channels_hear_each_other_however_the_recording_is_read(
    reading: IEmoNet, call: np.ndarray, shift_s: float, size: int
) -> None:
    stereo = np.stack([call, np.roll(call, round(shift_s * RATE))], axis=1)
    whole = list(reading.timeline(stereo, RATE, channels="split", context=True))

    def blocks(_: Recording, *, split: bool = False) -> Iterator[np.ndarray]:
        return portions(stereo, [size])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recording, "blocks", blocks)
        assert list(reading.timeline(stereo, RATE, channels="split", context=True)) == whole
    for segment in whole:
        piece = stereo[round(segment.start_s * RATE) : round(segment.end_s * RATE), (segment.channel or 0) - 1]
        before = sorted((s for s in whole if s.end_s <= segment.start_s), key=lambda s: (s.end_s, s.channel))
        turns = [Turn(s.transcript or "", "same" if s.channel == segment.channel else "other") for s in before]
        (alone,) = reading(np.ascontiguousarray(piece), RATE, context=turns).segments
        assert alone.text == segment.text


def test_words_that_are_doubtful_or_not_judged_are_no_context() -> None:
    conversation = Conversation()
    for number, notes in enumerate([(), (DOUBTFUL,), (), (not_judged("Polish"),)]):
        conversation.add(Segment(number, number + 1, None, None, None, f"turn {number}", notes=notes), None)
    conversation.add(Segment(4, 5, None, None, None, None), None)
    assert conversation.before(9, None) == [Turn("turn 0"), Turn("turn 2")]


def test_a_long_recording_is_not_remembered_whole() -> None:
    conversation = Conversation()
    for number in range(1_000):
        conversation.add(Segment(number, number + 1, None, None, None, str(number)), None)
    assert [turn.text for turn in conversation.before(2_000, None)] == [str(n) for n in range(1_000 - KEPT, 1_000)]
