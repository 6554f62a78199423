"""The whole way: recording → utterances → transcript, voice and words → fused emotion."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from edge_runtime.asr import SpeechEncoder, TranscriptDecoder
from edge_runtime.audio import Audio, Recording
from edge_runtime.bundle import Bundle
from edge_runtime.errors import BundleError
from edge_runtime.locate import locate
from edge_runtime.prediction import NO_SPEECH, Prediction, Scores, Segment
from edge_runtime.segment import LONGEST_S, Utterance, utterances
from edge_runtime.session import Arrays, thread_budget
from edge_runtime.vad import VoiceActivity

Float = NDArray[np.float32]
Timings = dict[str, float]
Item = TypeVar("Item")
LONGEST_TEXT = 256
"""Tokens of a transcript that are read; what a person says in 15 s is far shorter."""


class IEmoNet:
    """Emotion in speech from voice and words (the paper's section 4), on onnxruntime.

    Safe to call from several threads at once.
    """

    def __init__(self, bundle: Bundle, *, device: str = "auto", threads: int | None = None) -> None:
        """Open the graphs of ``bundle``; ``load`` is the usual way to get here."""
        budget = thread_budget(threads)
        graphs = {slot: bundle.open(slot, device=device, threads=budget) for slot in bundle.slots}
        words = _tokenizer(bundle, "text")
        words.enable_truncation(LONGEST_TEXT)
        self.bundle = bundle
        self._vad = VoiceActivity(graphs["vad"])
        self._encode = SpeechEncoder(graphs["speech_encoder"])
        self._transcribe = TranscriptDecoder(
            graphs["transcript_decoder"], _tokenizer(bundle, "transcript"), bundle.decoding
        )
        self._speech, self._text, self._fusion = (graphs[slot] for slot in ("speech_emotion", "text_emotion", "fusion"))
        self._words = words

    @classmethod
    def load(
        cls,
        bundle: str | os.PathLike[str] | None = None,
        *,
        device: str = "auto",
        threads: int | None = None,
    ) -> IEmoNet:
        """Load a bundle.

        Args:
            bundle: its folder, or the name of an installed one; None takes the variable
                ``EDGE_IEMONET_BUNDLE``, else the installed default.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            threads: processor threads for each graph; None takes as many as there are processors.

        Raises:
            BundleNotFoundError: there is no such bundle.
            BundleError: it is damaged, or not for this version.
            DeviceError: the device cannot be had.
        """
        return cls(Bundle.read(locate(bundle)), device=device, threads=threads)

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions that are told apart."""
        return self.bundle.labels

    @overload
    def __call__(  # type: ignore[overload-overlap]  # bytes are a sequence too, of no audio
        self, audio: Audio, sample_rate: int | None = None, *, transcript: str | None = None
    ) -> Prediction: ...
    @overload
    def __call__(
        self, audio: Sequence[Audio], sample_rate: int | None = None, *, transcript: None = None
    ) -> list[Prediction]: ...
    def __call__(
        self,
        audio: Audio | Sequence[Audio],
        sample_rate: int | None = None,
        *,
        transcript: str | None = None,
    ) -> Prediction | list[Prediction]:
        """Say what emotion is in ``audio``.

        Args:
            audio: a path, bytes, an open binary file, an array (samples,) or (samples, channels); or a list
                of them, for a list of answers.
            sample_rate: of arrays, in Hz.
            transcript: the words, if they are known; speech recognition is then left out.

        Raises:
            AudioNotFoundError: there is no such file.
            AudioError: the audio cannot be used; the message says why.
        """
        if isinstance(audio, list | tuple):
            if transcript is not None:
                raise ValueError("a transcript belongs to one recording, and a list was given")
            return [self(one, sample_rate) for one in audio]
        begin = time.perf_counter()
        timings: Timings = {}
        recording = Recording(audio, sample_rate)  # type: ignore[arg-type]
        segments: list[tuple[Segment, int]] = []
        pieces = utterances(_timed(recording.blocks(), timings, "read"), self._vad)
        for utterance in _timed(pieces, timings, "vad"):
            if utterance.spoken.any():
                segments.append((self._segment(utterance, transcript, timings), int(utterance.spoken.sum())))
        timings["vad"] -= timings["read"]  # the reader runs inside the segmenter
        timings["total"] = 1000 * (time.perf_counter() - begin)
        return self._joined(recording, segments, {k: round(v, 3) for k, v in timings.items()})

    def _segment(self, utterance: Utterance, given: str | None, timings: Timings) -> Segment:
        duration = utterance.end_s - utterance.start_s
        with _stopwatch(timings, "speech_encoder"):
            hidden, cross = self._encode(utterance.waveform)
        with _stopwatch(timings, "speech_emotion"):
            voice = self._speech(hidden_states=hidden, spoken=utterance.spoken[None].astype(np.float32))
        with _stopwatch(timings, "transcript_decoder"):
            transcript = self._transcribe(cross, duration_s=duration) if given is None else given.strip()
        with _stopwatch(timings, "text_emotion"):
            # Without a word the branch still gives an embedding, of nothing; fusion is told not to look.
            words = self._read(transcript)
        with _stopwatch(timings, "fusion"):
            fused = self._fusion(
                speech_embedding=voice["embedding"],
                text_embedding=words["embedding"],
                present=np.array([[1.0, 1.0 if transcript else 0.0]], np.float32),
            )
        return Segment(
            start_s=utterance.start_s,
            end_s=utterance.end_s,
            fused=self._scores(fused["logits"], "fusion" if transcript else "fusion_speech_only"),
            speech=self._scores(voice["logits"], "speech"),
            text=self._scores(words["logits"], "text") if transcript else None,
            transcript=transcript or None,
        )

    def classify_text(self, text: str) -> Scores:
        """Say what emotion is in words alone.

        Args:
            text: an utterance in the bundle's language; words of a dialogue, not of a page.

        Raises:
            ValueError: there is nothing in it.
        """
        if not text.strip():
            raise ValueError("no words: give a text that is not empty")
        words = self._read(text.strip())
        (_, width) = self.bundle.slots["speech_emotion"].output("embedding").shape
        fused = self._fusion(
            speech_embedding=np.zeros((1, int(width)), np.float32),
            text_embedding=words["embedding"],
            present=np.array([[0.0, 1.0]], np.float32),
        )
        return self._scores(fused["logits"], "fusion_text_only")

    def _read(self, text: str) -> Arrays:
        # What came from a terminal may hold bytes that are no text; the tokenizer knows nothing of those.
        encoded = self._words.encode(text.encode("utf-8", "replace").decode("utf-8"))
        return self._text(
            input_ids=np.array([encoded.ids], np.int64),
            attention_mask=np.array([encoded.attention_mask], np.int64),
        )

    def _scores(self, logits: Float, calibration: str) -> Scores:
        scaled = logits[0].astype(np.float64) / self.bundle.temperatures[calibration]
        odds = np.exp(scaled - scaled.max())
        probabilities = odds / odds.sum()
        return Scores(
            label=self.labels[int(probabilities.argmax())],
            scores=dict(zip(self.labels, probabilities.tolist(), strict=True)),
        )

    def _joined(
        self, recording: Recording, segments: list[tuple[Segment, int]], timings: Mapping[str, float]
    ) -> Prediction:
        notes = list(recording.notes)
        if not segments:
            notes.append(NO_SPEECH)
        elif recording.duration_s > LONGEST_S:
            notes.append(f"longer than {LONGEST_S:.0f} s: cut at pauses, and the scores of the pieces averaged")
        fused = _mean([(s.fused, n) for s, n in segments])
        return Prediction(
            label=fused.label if fused else None,
            confidence=fused.confidence if fused else None,
            scores=fused.scores if fused else {},
            transcript=" ".join(s.transcript for s, _ in segments if s.transcript) or None,
            speech=_mean([(s.speech, n) for s, n in segments if s.speech]),
            text=_mean([(s.text, n) for s, n in segments if s.text]),
            segments=tuple(s for s, _ in segments),
            duration_s=round(recording.duration_s, 3),
            timings_ms=timings,
            notes=tuple(notes),
        )


def _mean(answers: Sequence[tuple[Scores, int]]) -> Scores | None:
    """Return the mean of the scores, weighted; None of none."""
    total = sum(weight for _, weight in answers)
    if not total:
        return None
    labels = answers[0][0].scores
    scores = {label: sum(a.scores[label] * weight for a, weight in answers) / total for label in labels}
    return Scores(max(scores, key=scores.__getitem__), scores)


def _tokenizer(bundle: Bundle, name: str) -> Tokenizer:
    path = bundle.tokenizers[name]
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise BundleError(f"{path}: not a tokenizer file: {error}") from error


@contextmanager
def _stopwatch(timings: Timings, name: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    timings[name] = timings.get(name, 0.0) + 1000 * (time.perf_counter() - begin)


def _timed(items: Iterable[Item], timings: Timings, name: str) -> Iterator[Item]:
    """Yield ``items``, counting the time that it takes to make each."""
    source = iter(items)
    timings[name] = 0.0
    while True:
        with _stopwatch(timings, name):
            item = next(source, None)
        if item is None:
            return
        yield item
