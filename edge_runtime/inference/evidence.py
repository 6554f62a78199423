"""What a fusion may be told of the words besides the words: how sure the recogniser was, and how they were spoken."""

from __future__ import annotations

from dataclasses import dataclass, fields

from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.inference.asr import Transcript
from edge_runtime.inference.segmenter import Utterance
from edge_runtime.inference.vad import ENCODER_HOP


@dataclass(frozen=True)
class Evidence:
    """The numbers that a bundle may name for its fusion.

    Attributes:
        mean_log_probability: of the transcript: see ``Transcript.log_probability``; 0.0 of words that are given.
        lowest_log_probability: of its least sure token; 0.0 of words that are given.
        words_per_s: words of the transcript for each second of speech.
        spoken_share: of the utterance, the part from the first to the last speech.
    """

    mean_log_probability: float
    lowest_log_probability: float
    words_per_s: float
    spoken_share: float

    @classmethod
    def of(cls, transcript: Transcript, utterance: Utterance) -> Evidence:
        """Return what is known of the ``transcript`` of an ``utterance`` in which somebody speaks."""
        spoken = int(utterance.speech_mask.sum())
        return cls(
            mean_log_probability=transcript.log_probability,
            lowest_log_probability=transcript.lowest_log_probability,
            words_per_s=len(transcript.text.split()) * SAMPLE_RATE / (spoken * ENCODER_HOP),
            spoken_share=spoken / len(utterance.speech_mask),
        )


NAMES = tuple(field.name for field in fields(Evidence))
NO_SOUND = Evidence(0.0, 0.0, 2.5, 1.0)
"""Of words that nobody spoke: they are certain, and as fast as people talk."""
