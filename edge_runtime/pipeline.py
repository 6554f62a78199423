"""The whole way: recording → utterances → transcript, speech and text → fused emotion."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from typing import Any, TypeVar, overload

import numpy as np

from edge_runtime.audio.recording import SAMPLE_RATE, Audio, Recording, opened
from edge_runtime.audio.validation import check_text, is_batch
from edge_runtime.baseline import Baseline, join
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.locate import locate
from edge_runtime.classifier import Heard, Timings, UtteranceClassifier, stopwatch
from edge_runtime.conversation import KEPT, Conversation
from edge_runtime.errors import AudioError, AudioNotFoundError, BundleError
from edge_runtime.inference.segmenter import MAX_SPEECH_DURATION_S, Utterance, utterances
from edge_runtime.inference.session import OpenedLater, Session
from edge_runtime.inference.text_tokens import Turn
from edge_runtime.inference.vad import ENCODER_HOP, speech_mask
from edge_runtime.live import Stream
from edge_runtime.prediction import (
    NO_SPEECH,
    Prediction,
    Scores,
    Segment,
    check_threshold,
    mean_scores,
    notes_of,
    spoken_longest,
)
from edge_runtime.running import RunningClassifier
from edge_runtime.system.parallel import BATCH_MEMORY_MB, Refusal
from edge_runtime.system.processors import thread_budget
from edge_runtime.timeline import Channels, Timeline
from edge_runtime.together import Together

Item = TypeVar("Item")
BATCHES = "batch_decoder"
"""The slot that is opened once several utterances are decoded."""


@dataclass
class _Work:
    """What is known of a recording that is being classified.

    Attributes:
        recording: None where there is no such file.
        timings: milliseconds of each step.
        segments: what is judged, and how many states of it are speech.
        left: utterances that were heard and are not judged.
        read: whether all of it was read.
        error: why it cannot be used.
    """

    recording: Recording | None = None
    timings: Timings = field(default_factory=dict)
    segments: list[tuple[Segment, int]] = field(default_factory=list)
    left: int = 0
    read: bool = False
    error: Refusal | None = None

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self.read and not self.left


class IEmoNet:
    """Emotion in speech from voice and words (the paper's section 4), on onnxruntime.

    Safe to call from several threads at once, and in a child process after ``os.fork``. As a context manager it
    closes itself at the end.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str = "auto",
        threads: int | None = None,
        provider_options: Mapping[str, Any] | None = None,
        text_neutral_prior: float | None = None,
        batch_memory_mb: float = BATCH_MEMORY_MB,
    ) -> None:
        """Open the graphs of ``bundle``; ``load`` is the usual way to get here."""
        budget = thread_budget(threads)
        self.bundle = bundle
        opening = partial(bundle.open, device=device, threads=budget, provider_options=provider_options)
        self._sessions = {slot: opening(slot) for slot in bundle.slots if slot != BATCHES}
        # Who classifies one clip at a time need not wait for it, nor give it memory.
        self._batches = OpenedLater(lambda: opening(BATCHES)) if BATCHES in bundle.slots else None
        self._vad = self._sessions.get("vad")
        self._classify = UtteranceClassifier(
            bundle, self._sessions, several=self._batches, text_neutral_prior=text_neutral_prior
        )
        self._together = Together(self._classify, batch_memory_mb)

    @classmethod
    def load(
        cls,
        bundle: str | os.PathLike[str] | None = None,
        *,
        device: str = "auto",
        threads: int | None = None,
        provider_options: Mapping[str, Any] | None = None,
        text_neutral_prior: float | None = None,
        batch_memory_mb: float = BATCH_MEMORY_MB,
    ) -> IEmoNet:
        """Load a bundle.

        Args:
            bundle: its folder, or the name of an installed one; None takes the variable
                ``EDGE_IEMONET_BUNDLE``, else the installed default.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            threads: processor threads for each call, as one graph runs after the other; None takes as many as there
                are processors. With many calls at once, 1 is best.
            provider_options: of onnxruntime's CUDA provider, such as ``{"gpu_mem_limit": 1 << 30}``.
            text_neutral_prior: the share of neutral among the utterances that are to come, above 0 and below 1, where
                it is known to be another than in training. It changes the answers from words alone: ``text``, those of
                ``classify_text``, and those of a recording where no voice is heard. The answers from voice and words
                together stay. None takes the share in training.
            batch_memory_mb: megabytes (10^6 bytes) for the utterances of several recordings, or of a long one, that are
                decoded together, in each thread that calls: at most half for those that wait, the rest for the keys and
                values of those that are decoded. 0 decodes each alone. The answers are the same.

        Raises:
            BundleNotFoundError: there is no such bundle.
            BundleError: it is damaged, not for this version, or states no share of neutral in training.
            DeviceError: the device cannot be had.
            ValueError: a share or a size that is none.
        """
        found = Bundle.read(locate(bundle))
        return cls(
            found,
            device=device,
            threads=threads,
            provider_options=provider_options,
            text_neutral_prior=text_neutral_prior,
            batch_memory_mb=batch_memory_mb,
        )

    def warm_up(self) -> None:
        """Run every graph once, so that the first real call takes no longer than the others; on CUDA it would."""
        noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE).astype(np.float32)
        if self._vad is not None:
            speech_mask(self._vad, noise)
            self._classify(Utterance(0.0, noise, np.ones(len(noise) // ENCODER_HOP, np.bool_)))
        if "text_emotion" in self.bundle.slots:
            self._classify.classify_text("hello")

    def close(self) -> None:
        """Release the graphs; calls that are under way end as usual, later ones raise ``ClosedError``."""
        for session in self._sessions.values():
            session.close()
        if self._batches is not None:
            self._batches.close()

    def __enter__(self) -> IEmoNet:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions that are told apart."""
        return self.bundle.labels

    @overload
    def __call__(  # type: ignore[overload-overlap]  # bytes are a sequence too, of no audio
        self,
        audio: Audio,
        sample_rate: float | None = None,
        *,
        transcript: str | None = None,
        asr: bool = True,
        threshold: float | None = None,
        baseline: Baseline | None = None,
        context: Sequence[str | Turn] = (),
    ) -> Prediction: ...
    @overload
    def __call__(
        self,
        audio: Sequence[Audio],
        sample_rate: float | None = None,
        *,
        transcript: None = None,
        asr: bool = True,
        threshold: float | None = None,
        baseline: Baseline | None = None,
        context: tuple[()] = (),
    ) -> list[Prediction]: ...
    def __call__(
        self,
        audio: Audio | Sequence[Audio],
        sample_rate: float | None = None,
        *,
        transcript: str | None = None,
        asr: bool = True,
        threshold: float | None = None,
        baseline: Baseline | None = None,
        context: Sequence[str | Turn] = (),
    ) -> Prediction | list[Prediction]:
        """Say what emotion is in ``audio``.

        Args:
            audio: a path, bytes, an open binary file, an array or tensor (samples,) or (samples, channels); or a
                list of them, for a list of answers; ``classify_many`` gives these as they come, and goes on after a
                recording that cannot be used.
            sample_rate: of arrays, in Hz.
            transcript: the words, if they are known; speech recognition is then left out.
            asr: whether to recognise words that are not given; without, the voice alone answers.
            threshold: an answer whose confidence is less is uncertain, and has the label ``"uncertain"``; 0 to 1.
                None takes the bundle's operating point, and leaves the label.
            baseline: other recordings of the same speaker, as ``baseline`` returns them: each utterance is compared
                with them. None compares with nothing; a long recording's own utterances are no baseline here.
            context: what was said before the recording, the oldest first: texts, or turns that say who spoke. The words
                of each utterance are read after it; a long recording's own utterances are no context here.

        Raises:
            AudioNotFoundError: there is no such file.
            AudioError: the audio cannot be used; the message says why.
            BaselineError: another bundle made the baseline.
            BundleError: the bundle reads words alone, knows no voice and was told to recognise no words, or takes no
                baseline, or reads no context, and was given one.
            ClosedError: the model was closed.
            TypeError: a transcript that is no text, a baseline that is none, or a context that is no list of texts.
            ValueError: a threshold outside 0 to 1, or one transcript or context for a list.
        """
        check_threshold(threshold)
        if transcript is not None:
            check_text(transcript, name="transcript")
        if baseline is not None:
            self._classify.check_baseline(baseline)
        turns = self._classify.check_context(context) if context else []
        if is_batch(audio):
            if transcript is not None or turns:
                what = "a transcript" if transcript is not None else "a context"
                raise ValueError(f"{what} belongs to one recording, and a list was given")
            many = self.classify_many(audio, sample_rate, asr=asr, threshold=threshold, baseline=baseline)
            return [_usable(answer) for answer in many]
        given = self._given(transcript, asr=asr)
        begin = time.perf_counter()
        pairs = ((one, baseline) for one in [audio])
        (done,) = self._classify_each(pairs, sample_rate, given, turns)  # type: ignore[arg-type]
        done.timings["total"] = 1000 * (time.perf_counter() - begin)
        return _usable(self._answer(done, threshold))

    def classify_many(
        self,
        recordings: Iterable[Audio],
        sample_rate: float | None = None,
        *,
        asr: bool = True,
        threshold: float | None = None,
        baseline: Baseline | Iterable[Baseline | None] | None = None,
    ) -> Iterator[Prediction | Refusal]:
        """Say what emotion is in each of many recordings, such as those of an archive.

        Each answer is what a call of the model gives. It takes less time, as the utterances of several recordings are
        decoded together (``batch_memory_mb`` of ``load`` says how many); so the answers come some at a time.

        Args:
            recordings: any number; they are taken as they are needed.
            sample_rate: of arrays, in Hz.
            asr: whether to recognise words; without, the voice alone answers.
            threshold: as of a call.
            baseline: one that all are compared with, or one (or None) for each recording; these are taken as they are
                needed too.

        Returns:
            An iterator over the answers, in the order of the recordings. In the place of a recording that cannot be
            used is its error, which is not raised.

        Raises:
            BaselineError: another bundle made a baseline.
            BundleError: what a call raises.
            ClosedError: the model was closed.
            TypeError: one recording in place of many; a baseline that is none.
            ValueError: a threshold outside 0 to 1; fewer baselines than recordings.
        """
        check_threshold(threshold)
        if isinstance(recordings, str | bytes | os.PathLike | np.ndarray):
            raise TypeError("classify_many takes many recordings, such as a list of files; for one, call the model")
        given = self._given(None, asr=asr)
        if baseline is None or isinstance(baseline, Baseline):
            baseline = repeat(baseline)
        return self._classify_many(recordings, sample_rate, given, threshold, baseline)

    def _classify_many(
        self,
        recordings: Iterable[Audio],
        sample_rate: float | None,
        given: str | None,
        threshold: float | None,
        baselines: Iterable[Baseline | None],
    ) -> Iterator[Prediction | Refusal]:
        for done in self._classify_each(_pairs(recordings, baselines), sample_rate, given, []):
            done.timings["total"] = sum(done.timings.values())
            yield self._answer(done, threshold)

    def _given(self, transcript: str | None, *, asr: bool) -> str | None:
        """Return the words that are known: "" where none are wanted, None where they are to be recognised."""
        self._require_vad()
        if transcript is None and not asr:
            if "speech_emotion" not in self.bundle.slots:
                raise BundleError(f"{self.bundle.folder}: has no slot speech_emotion; without words nothing is left")
            return ""
        return transcript

    def _classify_each(
        self,
        recordings: Iterable[tuple[Audio, Baseline | None]],
        sample_rate: float | None,
        given: str | None,
        turns: Sequence[Turn],
    ) -> Iterator[_Work]:
        """Yield each recording with its segments or its error, in order, once all of its utterances are judged."""
        begun: deque[_Work] = deque()

        def heard() -> Iterator[tuple[_Work, Heard]]:
            for audio, baseline in recordings:
                if baseline is not None:
                    self._classify.check_baseline(baseline)
                begun.append(work := _Work())
                try:
                    work.recording = opened(audio, sample_rate)
                    blocks = _timed(work.recording.blocks(), work.timings, "read")
                    for utterance in _timed(utterances(blocks, self._require_vad()), work.timings, "vad"):
                        if utterance.speech_mask.any():
                            work.left += 1
                            yield work, self._classify.hear(utterance, given, work.timings, baseline)
                    work.timings["vad"] -= work.timings["read"]  # the reader runs inside the segmenter
                except (AudioError, AudioNotFoundError) as error:
                    work.error = error
                work.read = True

        for work, one, words in self._together(heard()):
            segment = self._classify.judge(one, words, turns)
            work.segments.append((segment, int(one.utterance.speech_mask.sum())))
            work.left -= 1
            while begun and begun[0].over:
                yield begun.popleft()
        yield from begun

    def _answer(self, work: _Work, threshold: float | None) -> Prediction | Refusal:
        if work.error is not None or work.recording is None:
            assert work.error is not None
            return work.error
        timings = {name: round(ms, 3) for name, ms in work.timings.items()}
        return self._prediction(work.recording, work.segments, timings, threshold)

    def classify_text(self, text: str, *, context: Sequence[str | Turn] = (), threshold: float | None = None) -> Scores:
        """Say what emotion is in words alone.

        Args:
            text: an utterance in the bundle's language; words of a dialogue, not of a page.
            context: what was said before, the oldest first: texts, or turns that say who spoke. The last tokens count,
                as many as the bundle reads (``bundle.text.context_tokens``).
            threshold: an answer whose confidence is less is uncertain, and has the label ``"uncertain"``; 0 to 1. None
                takes the bundle's operating point for words, and leaves the label.

        Raises:
            TypeError: it is no text, or the context is no list of texts.
            ValueError: there is nothing in it, or a threshold outside 0 to 1.
            BundleError: the bundle hears the voice alone, or reads no context and was given one.
            ClosedError: the model was closed.
        """
        check_threshold(threshold)
        check_text(text, name="text")
        if not text.strip():
            raise ValueError("no words: give a text that is not empty")
        answer = self._classify.classify_text(text.strip(), self._classify.check_context(context))
        return answer if threshold is None else answer.at(threshold)

    def baseline(self, recordings: Audio | Sequence[Audio], sample_rate: float | None = None) -> Baseline:
        """Make a baseline of recordings of one speaker, whose emotion need not be known.

        They are cut into utterances as in a call of the model, and each utterance is a row. No words are recognised.

        Args:
            recordings: one or a list of what a call takes; in those in which nobody speaks is nothing to compare with,
                and ``notes`` names them.
            sample_rate: of arrays, in Hz.

        Raises:
            AudioNotFoundError: there is no such file.
            AudioError: the audio cannot be used; the message says why.
            BaselineError: there is less than a second of speech in all of them together.
            BundleError: the bundle takes no baseline.
            ClosedError: the model was closed.
        """
        self._classify.require_baseline()
        parts = (
            opened(one, sample_rate)  # type: ignore[arg-type]
            for one in (recordings if is_batch(recordings) else [recordings])
        )
        return join((recording.name, self._pool(recording)) for recording in parts)

    def pool(self, audio: Audio, sample_rate: float | None = None) -> Baseline | None:
        """Return one recording as a part of a baseline, however short; None where nobody speaks.

        Raises:
            AudioNotFoundError: there is no such file.
            AudioError: the audio cannot be used; the message says why.
            BundleError: the bundle takes no baseline.
            ClosedError: the model was closed.
        """
        self._classify.require_baseline()
        return self._pool(opened(audio, sample_rate))

    def _pool(self, recording: Recording) -> Baseline | None:
        found: Baseline | None = None
        for utterance in utterances(recording.blocks(), self._require_vad()):
            if utterance.speech_mask.any():
                pooled = self._classify.pool(utterance)
                found = pooled if found is None else found + pooled
        return found

    def timeline(
        self,
        audio: Audio,
        sample_rate: float | None = None,
        *,
        channels: Channels = "mix",
        baseline: Baseline | bool = True,
        context: bool = False,
    ) -> Timeline:
        """Say what is said in a recording of any length, and how, utterance by utterance.

        Args:
            audio: a path, bytes, an open binary file, or an array (samples,) or (samples, channels).
            sample_rate: of an array, in Hz.
            channels: "mix" them to one, or "split" them: each is then a speaker of its own, as in many recorded calls,
                and each segment has the number of its channel.
            baseline: True compares each utterance with those before it on its channel, if the bundle can; False
                compares it with none; a baseline is what each channel begins with.
            context: True reads words after those of the utterances that were over when theirs began, on any channel,
                if the bundle can; doubtful words are left out. False reads each utterance alone.

        Returns:
            An iterator over segments of 3 to 15 s (see ``Segmenter``), which reads and classifies as it goes: so many
            at a time as are decoded together.

        Raises:
            AudioNotFoundError: there is no such file.
            AudioError: the audio cannot be used; the message says why.
            BaselineError: another bundle made the baseline.
            BundleError: the bundle reads words alone, or takes no baseline and was given one.
            TypeError: a baseline that is none.
        """
        if channels not in {"mix", "split"}:
            raise ValueError(f"channels {channels!r}: use 'mix' or 'split'")
        vad = self._require_vad()
        self._check_running(baseline)
        new_classifier = partial(RunningClassifier, self._classify, baseline, _conversation(context=context))
        return Timeline(opened(audio, sample_rate), vad, new_classifier, self._together, split=channels == "split")

    def stream(
        self,
        sample_rate: float,
        *,
        provisional_s: float | None = None,
        baseline: Baseline | bool = True,
        context: bool = False,
    ) -> Stream:
        """Listen to sound as it comes.

        Args:
            sample_rate: of what will be fed, in Hz.
            provisional_s: give provisional answers about what is being said, one after each so many seconds of it.
            baseline: True compares each utterance with the finished ones before it, if the bundle can; False compares
                it with none; a baseline is what the stream begins with.
            context: True reads words after those of the finished utterances before, if the bundle can; doubtful words
                are left out. False reads each utterance alone.

        Returns:
            A stream: ``feed`` it samples, and it gives back an event for each utterance that is over.

        Raises:
            AudioError: an unusable sample rate.
            BaselineError: another bundle made the baseline.
            BundleError: the bundle reads words alone, or takes no baseline and was given one.
            TypeError: a baseline that is none.
        """
        vad = self._require_vad()
        self._check_running(baseline)
        classify = RunningClassifier(self._classify, baseline, _conversation(context=context))
        return Stream(vad, classify, sample_rate, provisional_s=provisional_s)

    def _check_running(self, baseline: Baseline | bool) -> None:
        if not isinstance(baseline, bool):
            self._classify.check_baseline(baseline)

    def _require_vad(self) -> Session:
        if self._vad is None:
            raise BundleError(f"{self.bundle.folder}: reads words alone; use classify_text, or another bundle")
        return self._vad

    def _prediction(
        self,
        recording: Recording,
        segments: list[tuple[Segment, int]],
        timings: Mapping[str, float],
        threshold: float | None,
    ) -> Prediction:
        notes = list(recording.notes)
        if not segments:
            notes.append(NO_SPEECH)
        elif recording.duration_s > MAX_SPEECH_DURATION_S:
            notes.append(
                f"longer than {MAX_SPEECH_DURATION_S:.0f} s: cut at pauses, and the scores of the pieces averaged"
            )
        notes += notes_of(Counter(note for s, _ in segments for note in s.notes), len(segments))
        heard = any(s.speech for s, _ in segments)
        point, text_point = self.bundle.operating_point, self.bundle.text.operating_point
        least = threshold if threshold is not None else point if heard else text_point
        fused = mean_scores([(s.fused, n) for s, n in segments if s.fused], least)
        return Prediction(
            label=fused.at(threshold or 0.0).label if fused else None,
            confidence=fused.confidence if fused else None,
            scores=fused.scores if fused else {},
            transcript=" ".join(s.transcript for s, _ in segments if s.transcript) or None,
            speech=mean_scores([(s.speech, n) for s, n in segments if s.speech], point),
            text=mean_scores([(s.text, n) for s, n in segments if s.text], text_point),
            segments=tuple(s if threshold is None else s.at(threshold) for s, _ in segments),
            duration_s=round(recording.duration_s, 3),
            timings_ms=timings,
            notes=tuple(notes),
            uncertain=fused is not None and fused.uncertain,
            baseline_s=max((s.baseline_s for s, _ in segments), default=0.0),
            transcript_confidence=_mean_confidence(segments),
            language=spoken_longest(segments),
        )


def _pairs(
    recordings: Iterable[Audio], baselines: Iterable[Baseline | None]
) -> Iterator[tuple[Audio, Baseline | None]]:
    source = iter(baselines)
    for recording in recordings:
        try:
            baseline = next(source)
        except StopIteration:
            raise ValueError("fewer baselines than recordings; give one, or None, for each") from None
        yield recording, baseline


def _usable(answer: Prediction | Refusal) -> Prediction:
    if isinstance(answer, AudioError | AudioNotFoundError):
        raise answer
    return answer


def _conversation(*, context: bool) -> Conversation:
    return Conversation(KEPT if context else 0)


def _mean_confidence(segments: Sequence[tuple[Segment, int]]) -> float | None:
    """Return the mean confidence of the transcripts, weighted; None of none."""
    found = [(s.transcript_confidence, weight) for s, weight in segments if s.transcript_confidence is not None]
    total = sum(weight for _, weight in found)
    return sum(confidence * weight for confidence, weight in found) / total if total else None


def _timed(items: Iterable[Item], timings: Timings, name: str) -> Iterator[Item]:
    """Yield ``items``, counting the time that it takes to make each."""
    source = iter(items)
    timings[name] = 0.0
    while True:
        with stopwatch(timings, name):
            item = next(source, None)
        if item is None:
            return
        yield item
