"""Utterances decoded together: the words, the probabilities and the labels of each are those of the utterance alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_runtime import AudioError, AudioNotFoundError, BundleError, ClosedError, IEmoNet, Prediction
from edge_runtime.classifier import Heard
from edge_runtime.inference import asr
from edge_runtime.inference.asr import BIAS, NOT_THERE, joined
from edge_runtime.inference.segmenter import Utterance
from edge_runtime.inference.session import Session
from edge_runtime.prediction import Scores, Segment
from edge_runtime.together import MOST_UTTERANCES, MOST_WAITING, Together
from tests import tiny_bundle as tiny

RATE = 16_000
CLOSE = 1e-3
"""By so much a probability may differ: sums in another order round otherwise, and int8 makes a step of it at times."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build(tmp_path_factory.mktemp("tiny") / "batches", batches=True, takes_baseline=True)


@pytest.fixture(scope="module")
def alone(folder: Path) -> IEmoNet:
    return IEmoNet.load(folder, device="cpu", threads=1, batch_memory_mb=0)


def sound(seconds: float, level: float = 0.5) -> np.ndarray:
    noise = np.random.default_rng(round(1000 * seconds)).normal(0, 1, round(seconds * RATE))
    return (level * noise / np.abs(noise).max()).astype(np.float32)


def alike(one: Any, other: Any) -> None:
    """Everything is the same, but for times and the last digits of numbers."""
    if isinstance(one, Prediction | Segment | Scores):
        assert type(one) is type(other)
        for field in dataclasses.fields(one):
            if field.name != "timings_ms":
                alike(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, tuple | list):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            alike(mine, theirs)
    elif isinstance(one, float | dict):
        assert one == pytest.approx(other, abs=CLOSE)
    else:
        assert one == other


CLIPS = st.tuples(st.floats(0.1, 6), st.sampled_from([0.0, 0.3, 0.5, 1.0]))


@settings(max_examples=30, deadline=None)
@given(clips=st.lists(CLIPS, max_size=8), memory_mb=st.sampled_from([1e-3, 0.02, 0.1, 96]))
@example(clips=[], memory_mb=96)
@example(clips=[(1, 0.0), (1, 0.5), (2, 0.0)], memory_mb=96)
@example(clips=[(0.5, 0.5), (30, 0.5), (0.7, 0.5)], memory_mb=96)
@example(clips=[(0.5, 0.5)] * (MOST_WAITING + 3), memory_mb=96)
def test_any_recordings_in_any_order_have_the_answers_that_they_have_alone(
    folder: Path, alone: IEmoNet, clips: list[tuple[float, float]], memory_mb: float
) -> None:
    sounds = [sound(*clip) for clip in clips]
    with IEmoNet.load(folder, device="cpu", threads=1, batch_memory_mb=memory_mb) as together:
        found = together(sounds, RATE)
    expected = [alone(one, RATE) for one in sounds]
    alike(found, expected)


@pytest.fixture(scope="module")
def model(bundle_folder: Path) -> IEmoNet:
    return IEmoNet.load(bundle_folder, device="cpu", threads=1)


@pytest.fixture(scope="module")
def clips(speech: np.ndarray) -> list[np.ndarray]:
    """A silence, a recording of 30 s, and short ones, of which one is said twice."""
    parts = [speech[: 3 * RATE], np.zeros(RATE, np.float32), np.tile(speech, 3)[: 30 * RATE], speech[3 * RATE :]]
    return [*parts, speech[RATE : 2 * RATE], 0.05 * speech, speech[: 3 * RATE]]


def test_the_default_bundle_says_the_same_of_several_as_of_each(model: IEmoNet, clips: list[np.ndarray]) -> None:
    expected = [model(one[: 15 * RATE], RATE) for one in clips if len(one) <= 15 * RATE]
    found = model(clips, RATE)
    alike([answer for answer, one in zip(found, clips, strict=True) if len(one) <= 15 * RATE], expected)
    (long,) = (answer for answer, one in zip(found, clips, strict=True) if len(one) > 15 * RATE)
    assert len(long.segments) > 2
    for segment in long.segments:
        piece = clips[2][round(segment.start_s * RATE) : round(segment.end_s * RATE)]
        (own,) = model(piece, RATE).segments
        alike(own, dataclasses.replace(segment, start_s=0.0, end_s=own.end_s))
    assert found[0].transcript == found[-1].transcript
    assert found[1].label is None


def test_an_utterance_does_not_depend_on_its_neighbours(
    model: IEmoNet, clips: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The logits themselves, of the first step, among short ones and among long ones."""
    logits: list[np.ndarray] = []
    step = asr._step

    def kept(*arguments: Any) -> Any:
        found = step(*arguments)
        logits.append(found[0].copy())
        return found

    monkeypatch.setattr(asr, "_step", kept)
    firsts = []
    for others in ([clips[4]], [clips[5], clips[3]], [clips[0], clips[0], clips[0]]):
        logits.clear()
        model([clips[0], *others], RATE)
        firsts.append(logits[0])
    rows = [min(first, key=lambda row: float(np.abs(row - firsts[2][0]).max())) for first in firsts]
    for row in rows:
        np.testing.assert_allclose(row, firsts[2][0], atol=0.01)


def test_a_timeline_is_the_same_as_one_by_one(model: IEmoNet, bundle_folder: Path, speech: np.ndarray) -> None:
    one_by_one = IEmoNet.load(bundle_folder, device="cpu", threads=1, batch_memory_mb=0)
    call = np.zeros((30 * RATE, 2), np.float32)
    for channel, at_s, part in ((0, 0.5, speech), (1, 4, speech[: 6 * RATE]), (0, 15, speech), (1, 20, speech)):
        length = min(len(part), len(call) - int(at_s * RATE))
        call[int(at_s * RATE) : int(at_s * RATE) + length, channel] = part[:length]
    for channels in ("mix", "split"):
        found, expected = (list(m.timeline(call, RATE, channels=channels)) for m in (model, one_by_one))  # type: ignore[arg-type]
        assert len(found) > 3
        alike(found, expected)


def test_the_context_of_an_utterance_is_what_was_said_before_it(tmp_path: Path, speech: np.ndarray) -> None:
    folder = tiny.build(tmp_path / "context", reads_context=True, batches=True)
    recording = np.concatenate([np.concatenate([sound(3.2, 0.5), np.zeros(RATE, np.float32)]) for _ in range(6)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asr.Transcript, "doubtful", False)
        found = [
            list(IEmoNet.load(folder, threads=1, batch_memory_mb=mb).timeline(recording, RATE, context=True))
            for mb in (96, 0)
        ]
    assert len(found[0]) > 2
    alike(*found)


def test_a_recording_that_cannot_be_used_is_an_error_in_its_place(folder: Path, jfk: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.wav"
    damaged.write_bytes(b"RIFF" + bytes(60))
    given_ones = [jfk, damaged, jfk, tmp_path / "nowhere.wav", jfk]
    found = list(IEmoNet.load(folder, threads=1).classify_many(given_ones))
    assert [type(answer) for answer in found] == [Prediction, AudioError, Prediction, AudioNotFoundError, Prediction]
    alike(found[0], found[4])
    with pytest.raises(AudioError, match="damaged"):
        IEmoNet.load(folder, threads=1)(given_ones)


def test_what_was_heard_before_the_damage_is_given_first(folder: Path) -> None:
    classify = IEmoNet.load(folder, threads=1)._classify

    def heard() -> Iterator[tuple[int, Heard]]:
        for number, seconds in enumerate((1, 2)):
            yield number, classify.hear(Utterance(0.0, sound(seconds), np.ones(50 * seconds, np.bool_)))
        raise AudioError("damaged")

    source = Together(classify)(heard())
    assert [next(source)[0], next(source)[0]] == [0, 1]
    with pytest.raises(AudioError, match="damaged"):
        next(source)


def test_what_came_before_a_source_failed_is_answered_first(folder: Path) -> None:
    def failing() -> Iterator[np.ndarray]:
        yield sound(1)
        yield sound(2)
        raise RuntimeError("the archive is gone")

    found = IEmoNet.load(folder, threads=1).classify_many(failing(), RATE)
    assert isinstance(next(found), Prediction) and isinstance(next(found), Prediction)
    with pytest.raises(RuntimeError, match="archive is gone"):
        next(found)


@pytest.mark.parametrize("one", ["a.wav", b"RIFF", Path("a.wav"), np.zeros(RATE, np.float32)], ids=type)
def test_one_recording_is_not_many(folder: Path, one: Any) -> None:
    with pytest.raises(TypeError, match="many recordings"):
        IEmoNet.load(folder, threads=1).classify_many(one)


def test_recordings_are_taken_as_they_are_needed(folder: Path) -> None:
    taken: list[int] = []

    def endless() -> Iterator[np.ndarray]:
        while True:
            taken.append(len(taken))
            yield sound(0.5)

    found = IEmoNet.load(folder, threads=1).classify_many(endless(), RATE)
    next(found)
    assert len(taken) <= MOST_WAITING + 1


def test_keys_and_values_keep_within_their_budget(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, int]] = []

    def kept(memories: list[asr.Arrays]) -> asr.Arrays:
        found = joined(memories)
        sizes.append((len(found[BIAS]), sum(v.nbytes for v in found.values())))
        return found

    monkeypatch.setattr(asr, "joined", kept)
    model = IEmoNet.load(folder, threads=1, batch_memory_mb=0.02)
    assert len(model([sound(s) for s in (0.5, 5, 1, 0.7, 6, 2, 1, 0.5)], RATE)) == 8
    assert len(sizes) > 1
    assert all(count <= MOST_UTTERANCES and size <= 0.02e6 for count, size in sizes)


def test_each_recording_may_have_a_baseline_of_its_own(folder: Path, alone: IEmoNet) -> None:
    model = IEmoNet.load(folder, threads=1)
    sounds = [sound(1), sound(2), sound(1.5)]
    one = model.baseline([sound(3, 0.9)], RATE)
    found = list(model.classify_many(sounds, RATE, baseline=[None, one, None]))
    alike(found, [alone(s, RATE, baseline=b) for s, b in zip(sounds, (None, one, None), strict=True)])
    alike(list(model.classify_many(sounds, RATE, baseline=one)), [alone(s, RATE, baseline=one) for s in sounds])
    with pytest.raises(ValueError, match="fewer baselines"):
        list(model.classify_many(sounds, RATE, baseline=[None]))


@pytest.mark.parametrize("size", [-1, float("nan"), float("inf"), True, "96", None])
def test_a_size_that_is_none_is_refused(folder: Path, size: Any) -> None:
    with pytest.raises(ValueError, match="batch_memory_mb"):
        IEmoNet.load(folder, threads=1, batch_memory_mb=size)


def test_the_graph_of_several_is_opened_once_it_is_needed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def opening(path: Path, **how: Any) -> Session:
        opened.append(path.stem)
        return Session(path, **how)

    monkeypatch.setattr("edge_runtime.bundle.bundle.Session", opening)
    model = IEmoNet.load(folder, threads=1)
    model(sound(1), RATE)
    assert "batch_decoder" not in opened
    for _ in range(2):
        model([sound(1), sound(2)], RATE)
    assert opened.count("batch_decoder") == 1
    model.close()
    with pytest.raises(ClosedError):
        model([sound(1), sound(2)], RATE)


def test_a_graph_of_several_that_fails_is_an_error_of_the_bundle(tmp_path: Path) -> None:
    folder = tiny.build(tmp_path / "broken", batches=True)
    model = IEmoNet.load(folder, threads=1)
    (folder / "batch_decoder.onnx").write_bytes(b"not a graph")
    with pytest.raises(BundleError, match="batch_decoder"):
        model([sound(1), sound(2)], RATE)


def test_shorter_memories_end_in_positions_that_have_no_weight() -> None:
    def memory(positions: int, value: float) -> asr.Arrays:
        keys = np.full((1, 2, positions, 3), value, np.float32)
        return {BIAS: np.full(positions, value, np.float32), "cross_key_0": keys, "cross_value_0": keys}

    memories = [memory(2, 1.0), memory(4, 2.0)]
    found = joined(memories)
    assert memories == []
    assert found["cross_key_0"].shape == (2, 2, 4, 3)
    assert found[BIAS].shape == (2, 1, 1, 4)
    np.testing.assert_array_equal(found[BIAS][0, 0, 0], np.array([1, 1, NOT_THERE, NOT_THERE], np.float32))
    assert found["cross_value_0"][0, :, 2:].sum() == 0
    np.testing.assert_array_equal(found["cross_value_0"][1], 2)
