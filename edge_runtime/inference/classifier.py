"""One utterance → what its voice and its words say, and both together (the paper's section 4)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.errors import BundleError
from edge_runtime.inference.asr import SpeechEncoder, TranscriptDecoder
from edge_runtime.inference.segmenter import Utterance
from edge_runtime.inference.session import Arrays, Session
from edge_runtime.prediction import DOUBTFUL, Scores, Segment

Float = NDArray[np.float32]
Timings = dict[str, float]
LONGEST_TEXT = 256
"""Tokens of a transcript that are read; what a person says in 15 s is far shorter."""


class UtteranceClassifier:
    """The branches that a bundle has, and their fusion; safe to call from several threads."""

    def __init__(self, bundle: Bundle, slots: Mapping[str, Session]) -> None:
        """Use the graphs of ``bundle``, open in ``slots``."""
        self._bundle = bundle
        self._encode, self._listen = (
            SpeechEncoder(slots[s]) if s in slots else None for s in ("speech_encoder", "transcript_encoder")
        )
        self._transcribe = None
        if bundle.decoding is not None:
            tokenizer = _tokenizer(bundle, "transcript")
            self._transcribe = TranscriptDecoder(slots["transcript_decoder"], tokenizer, bundle.decoding)
        self._speech, self._text, self._fusion = (slots.get(s) for s in ("speech_emotion", "text_emotion", "fusion"))
        self._reads_waveform = "speech_emotion" in slots and bundle.slots["speech_emotion"].takes("waveform")
        if self._text is not None:
            self._words = _tokenizer(bundle, "text")
            self._words.no_padding()  # whatever the file asks for
            self._words.enable_truncation(LONGEST_TEXT)

    def __call__(self, utterance: Utterance, given: str | None, timings: Timings) -> Segment:
        """Classify ``utterance``, in which somebody speaks.

        Args:
            utterance: what is said.
            given: its words, if they are known; None has them recognised, where the bundle can.
            timings: milliseconds spent in each slot are added to it.
        """
        transcribe = self._transcribe if given is None else None
        hidden: Float | None = None
        cross: Arrays = {}
        shared = transcribe is not None and self._listen is None
        if self._encode is not None and (shared or (self._speech is not None and not self._reads_waveform)):
            with stopwatch(timings, "speech_encoder"):
                hidden, cross = self._encode(utterance.waveform)
        if self._listen is not None and transcribe is not None:
            with stopwatch(timings, "transcript_encoder"):
                _, cross = self._listen(utterance.waveform)
        voice = words = None
        if self._speech is not None:
            with stopwatch(timings, "speech_emotion"):
                voice = self._hear(utterance, hidden)
        transcript, doubtful = (given or "").strip(), False
        if transcribe is not None:
            with stopwatch(timings, "transcript_decoder"):
                heard = transcribe.transcribe(cross, duration_s=len(utterance.waveform) / SAMPLE_RATE)
            transcript, doubtful = heard.text, heard.doubtful
        if self._text is not None and transcript:
            with stopwatch(timings, "text_emotion"):
                words = self._read(transcript)
        with stopwatch(timings, "fusion"):
            fused = self._join(voice, words)
        return Segment(
            start_s=utterance.start_s,
            end_s=utterance.end_s,
            fused=fused,
            speech=self._scores(voice["logits"], "speech") if voice else None,
            text=self._scores(words["logits"], "text") if words else None,
            transcript=transcript or None,
            notes=(DOUBTFUL,) if doubtful else (),
        )

    def words(self, text: str) -> Scores:
        """Return what words alone say.

        Raises:
            BundleError: the bundle reads no words.
        """
        if self._text is None:
            raise BundleError(f"{self._bundle.folder}: has no slot text_emotion; it hears the voice alone")
        answer = self._join(None, self._read(text))
        assert answer is not None
        return answer

    def _hear(self, utterance: Utterance, hidden: Float | None) -> Arrays:
        assert self._speech is not None
        if self._reads_waveform:
            return self._speech(waveform=utterance.waveform[None])
        assert hidden is not None
        return self._speech(hidden_states=hidden, spoken=utterance.spoken[None].astype(np.float32))

    def _read(self, text: str) -> Arrays:
        assert self._text is not None
        # What came from a terminal may hold bytes that are no text; the tokenizer knows nothing of those.
        try:
            encoded = self._words.encode(text.encode("utf-8", "replace").decode("utf-8"))
        except Exception as error:  # the library raises bare Exception
            raise BundleError(f"{self._bundle.tokenizers['text']}: fails on a text: {error}") from error
        return self._text(
            input_ids=np.array([encoded.ids], np.int64),
            attention_mask=np.array([encoded.attention_mask], np.int64),
        )

    def _join(self, voice: Arrays | None, words: Arrays | None) -> Scores | None:
        """Return the answer from what there is."""
        if voice is None and words is None:
            return None
        temperature = "fusion" if voice and words else "fusion_speech_only" if voice else "fusion_text_only"
        if self._fusion is not None and temperature in self._bundle.temperatures:
            present = np.array([[voice is not None, words is not None]], np.float32)
            fused = self._fusion(**self._fusion_inputs(voice, words, present))
            return self._scores(fused["logits"], temperature)
        if voice is not None:
            return self._scores(voice["logits"], "speech")
        return self._scores(words["logits"], "text") if words is not None else None

    def _fusion_inputs(self, voice: Arrays | None, words: Arrays | None, present: Float) -> Arrays:
        """Return what the fusion graph takes: embeddings, logits, or both.

        Of a branch that is not there it gets nothing but zeros, which it is told not to look at.
        """
        found = {"present": present}
        for tensor in self._bundle.slots["fusion"].inputs:
            branch, _, output = tensor.name.partition("_")
            if tensor.name != "present":
                answer = voice if branch == "speech" else words
                width = int(tensor.shape[-1])
                found[tensor.name] = answer[output] if answer else np.zeros((1, width), np.float32)
        return found

    def _scores(self, logits: Float, temperature: str) -> Scores:
        scaled = logits[0].astype(np.float64) / self._bundle.temperatures[temperature]
        if not np.isfinite(scaled).all():
            raise BundleError(f"{self._bundle.folder}: its logits ({temperature}) are not numbers")
        odds = np.exp(scaled - scaled.max())
        probabilities = odds / odds.sum()
        labels = self._bundle.labels
        return Scores(
            label=labels[int(probabilities.argmax())],
            scores=dict(zip(labels, probabilities.tolist(), strict=True)),
        )


@contextmanager
def stopwatch(timings: Timings, name: str) -> Iterator[None]:
    """Add the milliseconds spent inside to ``timings[name]``."""
    begin = time.perf_counter()
    yield
    timings[name] = timings.get(name, 0.0) + 1000 * (time.perf_counter() - begin)


def _tokenizer(bundle: Bundle, name: str) -> Tokenizer:
    path = bundle.tokenizers[name]
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise BundleError(f"{path}: not a tokenizer file: {error}") from error
