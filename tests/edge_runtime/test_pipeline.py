"""The whole way: what is answered, for speech, for silence, for any form of the same recording."""

from __future__ import annotations

import io
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime import (
    AudioError,
    AudioNotFoundError,
    BaselineError,
    BundleError,
    IEmoNet,
    Prediction,
    Segment,
    Turn,
    pipeline,
)
from edge_runtime.bundle.bundle import SLOTS
from edge_runtime.classifier import UtteranceClassifier
from edge_runtime.inference.segmenter import Utterance
from edge_runtime.prediction import Scores

FILLED = tuple(slot for slot in SLOTS if slot not in {"transcript_encoder", "transcript_memory", "batch_decoder"})
RATE = 16_000


@pytest.fixture(scope="module")
def answer(model: IEmoNet, jfk: Path) -> Prediction:
    return model(jfk)


def words_of(prediction: Prediction) -> list[str]:
    return re.findall(r"[a-z]+", (prediction.transcript or "").lower())


def what_counts(prediction: Prediction) -> tuple[object, ...]:
    """Everything but the time that it took."""
    return tuple(value for key, value in prediction.to_dict().items() if key != "timings_ms")


def assert_distribution(prediction: Prediction, labels: tuple[str, ...]) -> None:
    for scores in (prediction, *(s.fused for s in prediction.segments)):
        assert tuple(scores.scores) == labels
        assert sum(scores.scores.values()) == pytest.approx(1)
        assert min(scores.scores.values()) >= 0
        assert scores.scores[scores.label] == scores.confidence == max(scores.scores.values())


def test_speech_has_an_emotion_words_and_their_parts(model: IEmoNet, answer: Prediction, jfk_words: list[str]) -> None:
    assert answer.label in model.labels
    assert_distribution(answer, model.labels)
    assert words_of(answer) == jfk_words
    assert answer.duration_s == 11.0
    assert answer.notes == ()
    assert answer.speech is not None
    assert answer.text is not None
    (segment,) = answer.segments
    assert (segment.start_s, segment.end_s) == (0.0, 11.0)
    assert segment.transcript == answer.transcript
    assert segment.fused.scores == pytest.approx(answer.scores)
    assert segment.speech is not None
    assert segment.speech.scores == pytest.approx(answer.speech.scores)


def test_every_slot_is_timed(answer: Prediction) -> None:
    assert set(answer.timings_ms) == {"read", *FILLED, "total"}
    assert min(answer.timings_ms.values()) >= 0
    parts = sum(ms for slot, ms in answer.timings_ms.items() if slot != "total")
    assert parts <= answer.timings_ms["total"] + 0.01


def test_the_total_time_is_in_milliseconds(model: IEmoNet, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count(step=0.5)
    monkeypatch.setattr(pipeline.time, "perf_counter", lambda: next(seconds))
    timings = model(speech[:RATE], RATE).timings_ms
    assert timings["total"] == 500 * (next(seconds) / 0.5 - 1)


def test_a_prediction_can_be_written_as_json(answer: Prediction) -> None:
    again = json.loads(json.dumps(answer.to_dict(), allow_nan=False))
    assert again["label"] == answer.label
    assert again["scores"] == answer.scores
    assert again["segments"][0]["fused"]["label"] == answer.label


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.003])
def test_where_nobody_speaks_there_is_no_emotion(model: IEmoNet, level: float) -> None:
    noise = np.random.default_rng(1).normal(0, 1, 3 * RATE).astype(np.float32) * np.float32(level)
    nothing = model(noise, RATE)
    assert (nothing.label, nothing.confidence, nothing.transcript) == (None, None, None)
    assert (nothing.speech, nothing.text, nothing.segments, nothing.scores) == (None, None, (), {})
    assert nothing.notes == ("no speech",)
    assert nothing.duration_s == 3.0
    assert nothing.timings_ms["total"] >= nothing.timings_ms["vad"] >= 0
    json.dumps(nothing.to_dict(), allow_nan=False)


@pytest.mark.parametrize("samples", [1, 160, 320, 512, 1_600])
def test_a_clip_of_milliseconds_is_answered(model: IEmoNet, speech: np.ndarray, samples: int) -> None:
    begin = 5 * RATE + RATE // 2
    short = model(speech[begin : begin + samples], RATE)
    assert short.duration_s == pytest.approx(samples / RATE, abs=0.001)
    assert short.label is None or short.label in model.labels


def test_a_syllable_is_answered(model: IEmoNet, speech: np.ndarray) -> None:
    short = model(speech[int(0.4 * RATE) : int(0.9 * RATE)], RATE)
    assert short.label in model.labels
    assert_distribution(short, model.labels)


def test_a_given_transcript_replaces_speech_recognition(model: IEmoNet, jfk: Path, answer: Prediction) -> None:
    told = model(jfk, transcript="  I hate you, this is terrible!  ")
    assert told.transcript == "I hate you, this is terrible!"
    assert told.speech == answer.speech
    assert told.text != answer.text
    assert told.scores != answer.scores
    assert "transcript_decoder" not in told.timings_ms
    assert "transcript_decoder" in answer.timings_ms


def test_the_recognised_transcript_when_given_gives_the_same_answer_of_each_branch(
    model: IEmoNet, jfk: Path, answer: Prediction
) -> None:
    """Fused, words that are given may count for more: they are certain."""
    given = model(jfk, transcript=answer.transcript)
    assert (given.speech, given.text, given.transcript) == (answer.speech, answer.text, answer.transcript)


@pytest.mark.parametrize("empty", ["", "  \n"])
def test_an_empty_transcript_leaves_speech_alone(model: IEmoNet, jfk: Path, answer: Prediction, empty: str) -> None:
    voice = model(jfk, transcript=empty)
    assert voice.transcript is None
    assert voice.text is None
    assert voice.speech == answer.speech
    assert_distribution(voice, model.labels)


@settings(max_examples=15)
@given(st.text(max_size=200) | st.sampled_from(["word " * 5_000, "ß" * 10_000, "\0", "😀" * 300]))
def test_any_transcript_is_answered(model: IEmoNet, speech: np.ndarray, transcript: str) -> None:
    told = model(speech[: 2 * RATE], RATE, transcript=transcript)
    assert_distribution(told, model.labels)
    assert (told.transcript or "") == transcript.strip()


def test_text_alone_has_an_emotion(model: IEmoNet) -> None:
    found = model.classify_text("  I am so happy, this is wonderful! ")
    assert found.label == max(found.scores, key=found.scores.__getitem__)
    assert tuple(found.scores) == model.labels
    assert sum(found.scores.values()) == pytest.approx(1)
    assert found == model.classify_text("I am so happy, this is wonderful!")
    assert found != model.classify_text("Leave me alone, I hate you!")


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_empty_text_is_refused(model: IEmoNet, text: str) -> None:
    with pytest.raises(ValueError, match="no words"):
        model.classify_text(text)


def test_a_list_gives_a_list(model: IEmoNet, jfk: Path, answer: Prediction) -> None:
    several = model([jfk, jfk.read_bytes(), str(jfk)])
    assert [what_counts(one) for one in several] == [what_counts(answer)] * 3
    assert model([]) == []
    speechless = model((np.zeros(RATE, np.int16), np.zeros(2 * RATE, np.int16)), RATE)
    assert [one.duration_s for one in speechless] == [1.0, 2.0]


@pytest.mark.parametrize("gain", [0.1, 2.0, 1e4, 1e30])
def test_level_changes_neither_label_nor_words(
    model: IEmoNet, speech: np.ndarray, answer: Prediction, jfk_words: list[str], gain: float
) -> None:
    louder = model(speech * np.float32(gain), RATE)
    assert louder.label == answer.label
    assert words_of(louder) == jfk_words
    assert louder.confidence == pytest.approx(answer.confidence, abs=0.05)


def test_rate_and_channels_do_not_change_the_words(
    model: IEmoNet, speech: np.ndarray, jfk_words: list[str], answer: Prediction
) -> None:
    stereo = np.tile(soxr.resample(speech, RATE, 48_000)[:, None], 2)
    file = io.BytesIO()
    soundfile.write(file, stereo, 48_000, format="FLAC")
    for same in (model(stereo, 48_000), model(file.getvalue())):
        assert words_of(same) == jfk_words
        assert same.label == answer.label


def test_a_voice_in_opposite_channels_is_answered_as_the_voice_alone(
    model: IEmoNet, jfk: Path, answer: Prediction, tmp_path: Path
) -> None:
    samples, rate = soundfile.read(jfk, dtype="int16")
    soundfile.write(tmp_path / "opposite.wav", np.stack([samples, -samples], axis=1), rate)
    opposite = model(tmp_path / "opposite.wav")
    assert (opposite.scores, opposite.transcript) == (answer.scores, answer.transcript)


def test_silence_around_speech_does_not_change_the_words(
    model: IEmoNet, speech: np.ndarray, jfk_words: list[str]
) -> None:
    assert words_of(model(np.pad(speech, RATE), RATE)) == jfk_words


def test_a_recording_longer_than_15_s_is_cut_and_its_scores_averaged(
    model: IEmoNet, speech: np.ndarray, jfk_words: list[str]
) -> None:
    long = model(np.tile(speech, 3), RATE)
    assert len(long.segments) > 2
    assert long.duration_s == 33.0
    assert len(long.notes) == 1
    assert "longer than 15 s" in long.notes[0]
    assert_distribution(long, model.labels)
    assert long.segments[0].start_s < 1
    assert 32 < long.segments[-1].end_s <= 33
    borders = [border for s in long.segments for border in (s.start_s, s.end_s)]
    assert borders == sorted(borders)
    assert all(s.end_s - s.start_s <= 15 for s in long.segments)
    for label in model.labels:
        each = [s.fused.scores[label] for s in long.segments]
        assert min(each) <= long.scores[label] <= max(each)
    assert long.transcript == " ".join(s.transcript for s in long.segments if s.transcript)
    found = words_of(long)
    assert len(found) == pytest.approx(3 * len(jfk_words), abs=4)
    assert found[:5] == jfk_words[:5]
    assert found[-3:] == jfk_words[-3:]


def test_segments_of_a_long_recording_are_weighted_by_their_spoken_time(
    model: IEmoNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    angry, sad = Scores("angry", {"angry": 0.9, "sad": 0.1}), Scores("sad", {"angry": 0.3, "sad": 0.7})

    def cut(blocks: Iterable[np.ndarray], _: object) -> list[Utterance]:
        """Pieces of the same length, of which 60, none, and 20 states are speech."""
        list(blocks)
        return [Utterance(0.0, np.zeros(32_000, np.float32), np.arange(100) < count) for count in (60, 0, 20)]

    answers = iter([Segment(0, 2, angry, angry, sad, "a"), Segment(4, 6, sad, sad, None, None)])
    monkeypatch.setattr(pipeline, "utterances", cut)
    monkeypatch.setattr(UtteranceClassifier, "judge", lambda *_: next(answers))
    found = model(np.zeros(RATE, np.float32), RATE)
    assert found.speech is not None
    assert found.text is not None
    for scores in (found.scores, found.speech.scores):
        assert scores == pytest.approx({"angry": 0.75, "sad": 0.25})  # 60 of 80 states at 0.9, 20 at 0.3
    assert found.text.scores == pytest.approx(sad.scores)  # only the first has words
    assert (found.label, found.confidence) == ("angry", pytest.approx(0.75))


def test_a_segment_of_a_long_recording_gives_the_same_answer_alone(model: IEmoNet, speech: np.ndarray) -> None:
    recording = np.concatenate([np.tile(speech, 2), np.zeros(3 * RATE, np.float32), speech[: 7 * RATE] * 0.1])
    long = model(recording, RATE)
    assert len(long.segments) > 3
    for segment in long.segments:
        alone = model(recording[round(segment.start_s * RATE) : round(segment.end_s * RATE)], RATE)
        assert alone.segments == (replace(segment, start_s=0.0, end_s=alone.duration_s),)


def test_long_silence_is_no_speech_without_another_note(model: IEmoNet) -> None:
    assert model(np.zeros(20 * RATE, np.int16), RATE).notes == ("no speech",)


def test_calls_from_several_threads_answer_as_one_does(model: IEmoNet, speech: np.ndarray) -> None:
    clips = [speech[i * RATE : (i + 3 + i % 2) * RATE] for i in range(7)]
    serial = [what_counts(model(clip, RATE)) for clip in clips]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda clip: what_counts(model(clip, RATE)), clips)) == serial


def test_a_file_that_ends_early_is_answered_with_the_note(model: IEmoNet, jfk: Path) -> None:
    data = jfk.read_bytes()
    cut = model(data[: len(data) // 2])
    assert cut.label in model.labels
    assert any("ends early" in note for note in cut.notes)


def test_bad_audio_is_refused_and_the_model_still_answers(
    model: IEmoNet, jfk: Path, tmp_path: Path, answer: Prediction
) -> None:
    with pytest.raises(AudioNotFoundError):
        model(tmp_path / "missing.wav")
    with pytest.raises(AudioError):
        model([jfk, b"not audio"])
    with pytest.raises(AudioError, match="sample_rate"):
        model(np.zeros(RATE, np.float32))
    late = np.zeros(20 * RATE, np.float32)
    late[-1] = np.nan
    with pytest.raises(AudioError, match="NaN"):
        model(late, RATE)
    assert what_counts(model(jfk)) == what_counts(answer)


@pytest.fixture(scope="module")
def clips(speech: np.ndarray) -> list[np.ndarray]:
    """The same voice, each time louder."""
    return [speech[: 4 * RATE] * level for level in (0.2, 0.5, 1.0)]


def test_a_baseline_has_a_row_for_each_recording_in_order_and_needs_no_words(
    comparing: IEmoNet, clips: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "first.wav", clips[0], RATE, subtype="FLOAT")
    monkeypatch.setattr(comparing._classify, "_transcript_decoder", None)
    monkeypatch.setattr(comparing._classify, "_text", None)
    found = comparing.baseline(clips, RATE)
    assert found.recordings == 3
    assert np.all(np.diff(found.pooled[:, 0]) > 0)
    assert 0 < found.speech_s <= 12
    assert found.notes == ()
    assert comparing.baseline(tmp_path / "first.wav") + comparing.baseline(clips[1:], RATE) == found
    assert comparing.baseline((tmp_path / "first.wav").read_bytes()) == comparing.baseline(clips[0], RATE)


def test_a_long_recording_has_a_row_for_each_utterance(comparing: IEmoNet, speech: np.ndarray) -> None:
    long = np.concatenate([speech, np.zeros(2 * RATE, np.float32), speech])
    found = comparing.baseline(long, RATE)
    segments = comparing(long, RATE).segments
    assert found.recordings == len(segments) > 1
    assert comparing.baseline(np.tile(long, 40), RATE).recordings == 64


def test_an_utterance_is_compared_with_the_baseline(comparing: IEmoNet, clips: list[np.ndarray]) -> None:
    before = comparing.baseline(clips[:2], RATE)
    alone, compared = comparing(clips[2], RATE), comparing(clips[2], RATE, baseline=before)
    assert (alone.baseline_s, compared.baseline_s) == (0.0, before.speech_s)
    assert [segment.baseline_s for segment in compared.segments] == [before.speech_s]
    assert compared.speech != alone.speech
    assert (compared.text, compared.transcript) == (alone.text, alone.transcript)
    assert compared.to_dict()["baseline_s"] == before.speech_s
    several = comparing(clips, RATE, baseline=before)
    assert [answer.baseline_s for answer in several] == [before.speech_s] * 3
    assert what_counts(several[2]) == what_counts(compared)


def test_a_long_recording_is_no_baseline_of_itself(comparing: IEmoNet, speech: np.ndarray) -> None:
    long = comparing(np.tile(speech, 2), RATE)
    assert len(long.segments) > 1
    assert {segment.baseline_s for segment in long.segments} == {0.0}


def test_where_nobody_speaks_nothing_is_compared(comparing: IEmoNet, clips: list[np.ndarray]) -> None:
    silent = comparing(np.zeros(RATE, np.float32), RATE, baseline=comparing.baseline(clips, RATE))
    assert (silent.label, silent.uncertain, silent.baseline_s) == (None, False, 0.0)


def test_threads_may_share_a_baseline(comparing: IEmoNet, clips: list[np.ndarray]) -> None:
    baselines = [comparing.baseline(clip, RATE) for clip in clips]
    pairs = list(itertools.product(clips, baselines))
    serial = [what_counts(comparing(clip, RATE, baseline=baseline)) for clip, baseline in pairs]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda pair: what_counts(comparing(pair[0], RATE, baseline=pair[1])), pairs)
        assert list(found) == serial


def test_silent_recordings_of_a_baseline_are_named_and_silence_alone_is_refused(
    comparing: IEmoNet, clips: list[np.ndarray], tmp_path: Path
) -> None:
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(RATE), RATE)
    soundfile.write(tmp_path / "said.wav", clips[2], RATE)
    found = comparing.baseline([silence, tmp_path / "said.wav"])
    assert found.recordings == 1
    assert found.notes == (f"{silence}: no speech, so it is not in the baseline",)
    assert comparing.pool(silence) is None
    for useless in (silence, [silence], [silence, silence]):
        with pytest.raises(BaselineError, match="no speech"):
            comparing.baseline(useless)
    with pytest.raises(BaselineError, match="0 recordings"):
        comparing.baseline([])
    with pytest.raises(BaselineError, match=r"array: 0\.\d s of speech"):
        comparing.baseline(clips[2][: RATE // 2], RATE)
    with pytest.raises(AudioNotFoundError):
        comparing.baseline([tmp_path / "said.wav", tmp_path / "missing.wav"])
    with pytest.raises(AudioError, match="not audio"):
        comparing.baseline(b"not audio")


@pytest.fixture
def unsure(model: IEmoNet, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """``unsure(point)`` gives the model's bundle another operating point."""

    def put(point: float) -> None:
        changed = replace(model.bundle, operating_point=point)
        monkeypatch.setattr(model, "bundle", changed)
        monkeypatch.setattr(model._classify, "_bundle", changed)

    return put


def test_an_answer_below_the_operating_point_is_uncertain_and_keeps_its_label(
    model: IEmoNet, jfk: Path, answer: Prediction, unsure: Callable[[float], None]
) -> None:
    unsure(1.0)
    found = model(jfk)
    assert (found.label, found.uncertain, found.likeliest) == (answer.label, True, answer.label)
    assert (found.scores, found.confidence) == (answer.scores, answer.confidence)
    assert [(s.label, s.uncertain) for s in found.segments] == [(answer.label, True)]
    assert all(segment.uncertain for segment in model.timeline(jfk))
    assert found.to_dict()["uncertain"] is True
    assert model.classify_text("hm").label in model.labels


def test_a_threshold_takes_the_place_of_the_operating_point(
    model: IEmoNet, jfk: Path, answer: Prediction, unsure: Callable[[float], None]
) -> None:
    unsure(1.0)
    for threshold in (0.0, answer.confidence):
        sure = model(jfk, threshold=threshold)
        assert (sure.label, sure.uncertain, sure.segments[0].uncertain) == (answer.label, False, False)
    unsure(0.01)
    found = model(jfk, threshold=1.0)
    assert (found.label, found.uncertain, found.likeliest) == ("uncertain", True, answer.label)
    assert (found.segments[0].label, found.segments[0].uncertain) == ("uncertain", True)
    assert found.segments[0].likeliest == answer.label


def test_a_bundle_without_an_operating_point_is_never_uncertain(tiny_bundle: Path, jfk: Path) -> None:
    found = IEmoNet.load(tiny_bundle, device="cpu", threads=1)(jfk)
    assert (found.uncertain, found.segments[0].uncertain) == (False, False)


@pytest.fixture(scope="module")
def reading(context_bundle: Path) -> IEmoNet:
    return IEmoNet.load(context_bundle, device="cpu", threads=1)


def test_a_text_is_read_after_what_was_said_before(reading: IEmoNet) -> None:
    alone = reading.classify_text("ask not")
    after = reading.classify_text("ask not", context=["what you can do"])
    assert alone != after
    assert reading.classify_text("ask not", context=[]) == alone
    assert reading.classify_text("ask not", context=[Turn("what you can do")]) == after
    assert reading.classify_text("ask not", context=[Turn("can do", "other")]) == reading.classify_text(
        "ask not", context=["other: can do"]
    )


def test_a_recording_is_read_after_what_was_said_before(reading: IEmoNet, jfk: Path) -> None:
    alone, after = reading(jfk), reading(jfk, context=["what you can do"])
    assert (alone.speech, alone.transcript) == (after.speech, after.transcript)
    assert alone.text != after.text


@pytest.mark.parametrize("context", ["what", [b"what"], [("same", "what")], Turn("what"), 5])
def test_a_context_that_is_no_list_of_texts_is_refused(reading: IEmoNet, jfk: Path, context: Any) -> None:
    with pytest.raises(TypeError, match=r"context|text of a turn"):
        reading.classify_text("ask not", context=context)
    with pytest.raises(TypeError, match=r"context|text of a turn"):
        reading(jfk, context=context)


def test_a_turn_is_said_by_the_same_speaker_or_another() -> None:
    with pytest.raises(ValueError, match="'same', 'other', or None"):
        Turn("what", "ann")  # type: ignore[arg-type]


def test_a_context_belongs_to_one_recording_and_to_a_bundle_that_reads_one(
    reading: IEmoNet, tiny_bundle: Path, jfk: Path
) -> None:
    with pytest.raises(ValueError, match="a context belongs to one recording"):
        reading([jfk, jfk], context=["what"])  # type: ignore[call-overload]
    plain = IEmoNet.load(tiny_bundle, device="cpu", threads=1)
    for refused in (lambda: plain(jfk, context=["what"]), lambda: plain.classify_text("ask", context=["what"])):
        with pytest.raises(BundleError, match="reads no context"):
            refused()


def test_words_alone_are_uncertain_below_their_own_operating_point(tiny_bundle: Path) -> None:
    manifest = json.loads((tiny_bundle / "bundle.json").read_text())
    answers = {}
    for point in (0.01, 1):
        stated = {"operating_point": {"confidence": 0.5}, "text_emotion": {"operating_point": {"confidence": point}}}
        (tiny_bundle / "bundle.json").write_text(json.dumps(manifest | stated))
        answers[point] = IEmoNet.load(tiny_bundle, device="cpu", threads=1).classify_text("ask")
    assert (answers[0.01].uncertain, answers[1].uncertain) == (False, True)
    assert answers[1].label == answers[1].likeliest
    assert answers[1].at(0.01) == answers[0.01]


def test_the_share_of_neutral_is_told_when_a_bundle_is_loaded(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match="states no prior of neutral"):
        IEmoNet.load(tiny_bundle, text_neutral_prior=0.9)
    manifest = json.loads((tiny_bundle / "bundle.json").read_text())
    priors = {"angry": 0.2, "happy": 0.2, "neutral": 0.5, "sad": 0.1}
    (tiny_bundle / "bundle.json").write_text(json.dumps(manifest | {"text_emotion": {"priors": priors}}))
    models = [IEmoNet.load(tiny_bundle, device="cpu", threads=1, text_neutral_prior=p) for p in (0.1, None, 0.9)]
    rare, usual, often = (model.classify_text("ask not").scores["neutral"] for model in models)
    assert rare < usual < often
    with pytest.raises(ValueError, match="between 0 and 1"):
        IEmoNet.load(tiny_bundle, text_neutral_prior=1.0)


def test_how_sure_the_recogniser_was_is_shown_and_is_the_mean_of_a_long_recording(
    model: IEmoNet, jfk: Path, speech: np.ndarray
) -> None:
    answer = model(jfk)
    assert answer.transcript_confidence is not None
    assert 0.5 < answer.transcript_confidence <= 1
    assert answer.to_dict()["transcript_confidence"] == answer.transcript_confidence
    assert answer.to_dict()["segments"][0]["transcript_confidence"] == answer.transcript_confidence
    long = model(np.concatenate([speech, np.zeros(2 * RATE, np.float32), speech[: 3 * RATE]]), RATE)
    each = [segment.transcript_confidence for segment in long.segments]
    assert len(each) > 1
    assert None not in each
    assert min(each) <= (long.transcript_confidence or 0) <= max(each)


def test_words_that_nobody_recognised_have_no_confidence(model: IEmoNet, jfk: Path) -> None:
    assert model(jfk, transcript="ask not").transcript_confidence is None
    assert model(jfk, asr=False).transcript_confidence is None
    assert model(np.zeros(RATE, np.float32), RATE).transcript_confidence is None


def test_no_hub_client_http_stack_or_progress_bar_is_loaded(bundle_folder: Path, jfk: Path) -> None:
    code = f"""
import sys
from edge_runtime import IEmoNet
assert IEmoNet.load({str(bundle_folder)!r}, threads=1)({str(jfk)!r}).transcript
print({{"huggingface_hub", "hf_xet", "requests", "httpx", "urllib3", "tqdm", "yaml"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
