"""The answers of the runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

NO_SPEECH = "no speech"
UNCERTAIN = "uncertain"
"""The label of an answer whose confidence is below the threshold that was asked for."""


DOUBTFUL = "the words are doubtful"
"""The note of an utterance whose recogniser was unsure of its words."""


def not_judged(language: str) -> str:
    """Return the note of an utterance in a ``language`` that the text branch does not know."""
    return f"spoken in {language}: the words are not judged"


def notes_of(found: Mapping[str, int], utterances: int) -> tuple[str, ...]:
    """Return the notes of a recording of so many ``utterances``; ``found`` are theirs, each with its number."""
    notes = []
    for note, count in found.items():
        what, _, why = note.partition(": ")
        if note == DOUBTFUL:
            why = "the recogniser is unsure, as with another language"
        where = "" if count == utterances else f" in {count} of {utterances} utterances"
        notes.append(f"{what}{where}: {why}")
    return tuple(notes)


def check_threshold(threshold: float | None) -> None:
    """Check that ``threshold`` is a probability, or None.

    Raises:
        ValueError: it is not.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"threshold={threshold}: a confidence is between 0 and 1")


@dataclass(frozen=True)
class Scores:
    """One classifier's answer.

    Attributes:
        label: the likeliest emotion; or "uncertain", where a threshold was asked for and is not reached.
        scores: calibrated probability of each label; they sum to 1.
        uncertain: whether ``confidence`` is below the threshold asked for; where none was, below the bundle's
            operating point: that of words alone, where words alone were asked.
    """

    label: str
    scores: Mapping[str, float]
    uncertain: bool = False

    @property
    def confidence(self) -> float:
        """Probability of the likeliest emotion."""
        return max(self.scores.values())

    @property
    def likeliest(self) -> str:
        """The likeliest emotion, also where the label is "uncertain"."""
        return max(self.scores, key=self.scores.__getitem__)

    def at(self, threshold: float) -> Scores:
        """Return the same scores, with the label "uncertain" where ``confidence`` is less than ``threshold``."""
        uncertain = self.confidence < threshold
        return replace(self, label=UNCERTAIN if uncertain else self.label, uncertain=uncertain)


@dataclass(frozen=True)
class Segment:
    """One utterance of a recording: where it is, and what was found in it.

    Attributes:
        start_s: where it begins, in seconds.
        end_s: where it ends.
        fused: the answer from all branches that ran; None where none did (a bundle of the text branch alone, and no
            transcript).
        speech: the answer of the speech branch; None where the bundle has none.
        text: the answer of the text branch; None where the bundle has none, or there is no transcript.
        transcript: the text of the utterance, or None.
        channel: the number of the channel that it was said on, from 1, where channels are kept apart; else None.
        notes: what a user should know about it, such as that the words are doubtful.
        uncertain: whether ``confidence`` is below the threshold asked for; where none was, below the bundle's
            operating point.
        baseline_s: seconds of speech of the same speaker with which it was compared; 0.0 of none.
        transcript_confidence: how sure the recogniser was of the transcript, 0 to 1: the probability of a token, a
            geometric mean. None without a transcript, and where the words were given.
        language: the code (BCP 47) of the language that is spoken, as the recogniser hears it; None without a
            transcript, where the words were given, and where the bundle's recogniser knows one language.
    """

    start_s: float
    end_s: float
    fused: Scores | None
    speech: Scores | None
    text: Scores | None
    transcript: str | None
    channel: int | None = None
    notes: tuple[str, ...] = ()
    uncertain: bool = False
    baseline_s: float = 0.0
    transcript_confidence: float | None = None
    language: str | None = None

    @property
    def used(self) -> tuple[str, ...]:
        """The branches behind the answer, as "voice" and "words"."""
        return _used(self.speech, self.text)

    def at(self, threshold: float) -> Segment:
        """Return the same segment, with the label "uncertain" where the answer's confidence is less."""
        if self.fused is None:
            return self
        fused = self.fused.at(threshold)
        return replace(self, fused=fused, uncertain=fused.uncertain)

    @property
    def label(self) -> str | None:
        """The likeliest emotion; "uncertain", where a threshold was asked for and is not reached; or None."""
        return self.fused.label if self.fused else None

    @property
    def likeliest(self) -> str | None:
        """The likeliest emotion, also where the label is "uncertain"; or None."""
        return self.fused.likeliest if self.fused else None

    @property
    def confidence(self) -> float | None:
        """Calibrated probability of the likeliest emotion, or None."""
        return self.fused.confidence if self.fused else None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dicts and lists, ready for JSON."""
        return {"label": self.label, "confidence": self.confidence, **asdict(self), "used": self.used}


def _used(speech: Scores | None, text: Scores | None) -> tuple[str, ...]:
    return tuple(name for name, scores in (("voice", speech), ("words", text)) if scores)


@dataclass(frozen=True)
class Prediction:
    """The emotion of a recording.

    A recording longer than one utterance is the mean of its segments, weighted by how long each speaks.
    Where nobody speaks, ``label``, ``confidence`` and ``transcript`` are None, ``scores`` is empty and
    ``notes`` says ``"no speech"``.

    Attributes:
        label: the likeliest emotion; "uncertain", where ``confidence`` is below the threshold asked for; or None.
        confidence: the calibrated probability of the likeliest emotion, or None.
        scores: calibrated probability of each label.
        transcript: the text of all utterances, or None.
        speech: the answer of the speech branch, or None.
        text: the answer of the text branch, or None.
        segments: the utterances that speak, in order.
        duration_s: length of the recording.
        timings_ms: milliseconds spent in each slot, in reading, and in total.
        notes: what a user should know about this recording.
        uncertain: whether ``confidence`` is below the threshold asked for; where none was, below the bundle's
            operating point. False where nobody speaks.
        baseline_s: seconds of speech of the same speaker with which it was compared; 0.0 of none.
        transcript_confidence: how sure the recogniser was of the transcript, 0 to 1: the probability of a token, a
            geometric mean; the mean of the utterances, weighted by how long each speaks. None without a transcript,
            and where the words were given.
        language: as of ``Segment``; of several the one that is spoken longest.
    """

    label: str | None
    confidence: float | None
    scores: Mapping[str, float]
    transcript: str | None
    speech: Scores | None
    text: Scores | None
    segments: tuple[Segment, ...]
    duration_s: float
    timings_ms: Mapping[str, float]
    notes: tuple[str, ...] = field(default=())
    uncertain: bool = False
    baseline_s: float = 0.0
    transcript_confidence: float | None = None
    language: str | None = None

    @property
    def used(self) -> tuple[str, ...]:
        """The branches behind the answer, as "voice" and "words"."""
        return _used(self.speech, self.text)

    @property
    def likeliest(self) -> str | None:
        """The likeliest emotion, also where the label is "uncertain"; or None."""
        return max(self.scores, key=self.scores.__getitem__) if self.scores else None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dicts and lists, ready for JSON."""
        return asdict(self) | {"segments": [s.to_dict() for s in self.segments], "used": self.used}


def mean_scores(answers: Sequence[tuple[Scores, float]], least: float) -> Scores | None:
    """Return the mean of the scores, weighted, uncertain below the confidence ``least``; None of none."""
    total = sum(weight for _, weight in answers)
    if not total:
        return None
    labels = answers[0][0].scores
    scores = {label: sum(a.scores[label] * weight for a, weight in answers) / total for label in labels}
    return Scores(max(scores, key=scores.__getitem__), scores, max(scores.values()) < least)


def spoken_longest(segments: Sequence[tuple[Segment, float]]) -> str | None:
    """Return the language that is spoken longest, by the weight of each segment; None where none is known."""
    spoken: dict[str, float] = {}
    for segment, weight in segments:
        if segment.language is not None:
            spoken[segment.language] = spoken.get(segment.language, 0.0) + weight
    return max(spoken, key=spoken.__getitem__, default=None)
