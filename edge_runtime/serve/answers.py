"""A timeline → the answers of a transcription, in the forms that OpenAI's interface has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.inference.segmenter import MAX_SPEECH_DURATION_S
from edge_runtime.pipeline import IEmoNet
from edge_runtime.prediction import Segment, mean_scores, spoken_longest
from edge_runtime.serve.recording import BoundedRecording, Deadline

LANGUAGES = {"en": "english", "de": "german", "fr": "french", "es": "spanish", "it": "italian", "pl": "polish"}
"""As OpenAI names them; others keep their letters."""


@dataclass(frozen=True)
class Transcription:
    """A recording, utterance by utterance.

    Attributes:
        segments: the utterances.
        duration_s: length of the recording.
        notes: what a user should know about it.
        language: the only one that the recogniser knows; None of one that tells it for each utterance.
        operating_point: the confidence below which an answer is uncertain.
    """

    segments: Sequence[Segment]
    duration_s: float
    notes: Sequence[str]
    language: str | None
    operating_point: float

    @property
    def text(self) -> str:
        """What was said."""
        return " ".join(segment.transcript for segment in self.segments if segment.transcript)

    def to_dict(self) -> dict[str, Any]:
        """Return the text and the emotion of the whole."""
        fused = mean_scores([(s.fused, length) for s, length in self._weighted() if s.fused], self.operating_point)
        return {
            "text": self.text,
            "emotion": fused.label if fused else None,
            "confidence": fused.confidence if fused else None,
            "scores": fused.scores if fused else {},
            "uncertain": fused is not None and fused.uncertain,
            "notes": [*self.notes],
        }

    def to_verbose_dict(self) -> dict[str, Any]:
        """Return also each utterance, with the fields that clients of Whisper expect; what is not known is null."""
        spoken = self.language or spoken_longest(self._weighted())
        return {
            "task": "transcribe",
            "language": LANGUAGES.get(spoken or "", spoken),
            "duration": round(self.duration_s, 3),
            **self.to_dict(),
            "segments": [_verbose(number, segment) for number, segment in enumerate(self.segments)],
        }

    def _weighted(self) -> list[tuple[Segment, float]]:
        return [(segment, segment.end_s - segment.start_s) for segment in self.segments]


def transcribe(model: IEmoNet, audio: bytes, deadline: Deadline, *, most_s: float) -> Transcription:
    """Return what is said in the bytes of a file, and how.

    Each utterance of a longer recording is compared with those before it, if the bundle can.

    Raises:
        AudioError: the audio cannot be used.
        BundleError: the bundle reads words alone.
        RequestError: out of time, or more than ``most_s`` seconds of sound.
    """
    recording = BoundedRecording(audio, deadline, most_s=most_s)
    known, least = language(model.bundle), model.bundle.operating_point
    if (recording.header_duration_s or math.inf) <= MAX_SPEECH_DURATION_S:
        whole = model(recording)  # a short recording is recognised best as a whole
        return Transcription(whole.segments, whole.duration_s, whole.notes, known, least)
    timeline = model.timeline(recording)
    segments = [*timeline]
    return Transcription(segments, timeline.duration_s, timeline.notes, known, least)


def language(bundle: Bundle) -> str | None:
    """Return the only language that the recogniser knows, in two letters; None where it tells several or has none.

    A client that states the language of its sound is then not refused: the recogniser hears it by itself.
    """
    found = bundle.manifest.get("decoding") or {}
    return None if "languages" in found else found.get("language")


def _verbose(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": number,
        "seek": 0,
        "start": round(segment.start_s, 3),
        "end": round(segment.end_s, 3),
        "text": segment.transcript or "",
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": None,
        "compression_ratio": None,
        "no_speech_prob": None,
        "emotion": segment.label,
        "confidence": segment.confidence,
        "scores": segment.fused.scores if segment.fused else {},
        "uncertain": segment.uncertain,
        "notes": [*segment.notes],
        "baseline_s": segment.baseline_s,
        "language": segment.language,
    }
