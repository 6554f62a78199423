"""Whether a corpus is whole: every recording is decoded, and what was found is compared with what is published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

from edge_runtime.audio import Recording
from edge_runtime.errors import AudioError, AudioNotFoundError, CorpusError
from trainer.corpora.records import Utterance

NAMED = 3
"""So many bad files are named in an error; the rest are counted."""


@dataclass(frozen=True)
class Fault:
    """A recording that cannot be used, and why."""

    audio: Path
    reason: str


@dataclass(frozen=True)
class Check:
    """What was found.

    Attributes:
        utterances: how many.
        recordings: how many of them could be decoded.
        hours: of those recordings.
        labels: how many utterances have each label, the most frequent first; the next three likewise.
        speakers: ``""`` counts the utterances whose speaker is not known.
        sessions: or dialogues.
        splits: official ones.
        missing: recordings that are not there.
        damaged: recordings that cannot be decoded from beginning to end.
        wordless: ids of utterances whose words should be there and are not.
        differences: from the counts that were expected, in words.
    """

    utterances: int
    recordings: int
    hours: float
    labels: dict[str, int]
    speakers: dict[str, int]
    sessions: dict[str, int]
    splits: dict[str, int]
    missing: tuple[Fault, ...]
    damaged: tuple[Fault, ...]
    wordless: tuple[str, ...]
    differences: tuple[str, ...]

    @property
    def fine(self) -> bool:
        """Whether nothing is missing, damaged or different."""
        return not (self.missing or self.damaged or self.wordless or self.differences)


def examine(
    utterances: Sequence[Utterance],
    *,
    expected: Mapping[str, Mapping[str, int]] | None = None,
    progress: bool = False,
) -> Check:
    """Decode every recording and count what is there.

    Args:
        utterances: of one corpus.
        expected: how many utterances of each label each split should have (``catalogue.expected``).
        progress: show a bar.
    """
    missing, damaged, seconds = [], [], []
    heard = [u.audio for u in utterances if u.audio is not None]
    for audio in track(heard, "reading", disable=not progress, console=Console(stderr=True)):
        try:
            seconds.append(_decode(audio))
        except AudioNotFoundError:
            missing.append(Fault(audio, "not there"))
        except AudioError as error:
            damaged.append(Fault(audio, str(error).removeprefix(f"{audio}: ")))
    return Check(
        utterances=len(utterances),
        recordings=len(seconds),
        hours=sum(seconds) / 3600,
        labels=_counts(u.label for u in utterances),
        speakers=_counts(u.speaker for u in utterances),
        sessions=_counts(u.session for u in utterances),
        splits=_counts(u.split for u in utterances),
        missing=tuple(missing),
        damaged=tuple(damaged),
        wordless=tuple(u.id for u in utterances if u.transcript is not None and not u.transcript.strip()),
        differences=tuple(_differences(utterances, expected or {})),
    )


def usable(utterances: Sequence[Utterance], check: Check, *, skip: bool) -> list[Utterance]:
    """Return the utterances, all of them unless bad recordings are to be skipped.

    Args:
        utterances: those that were examined.
        check: what ``examine`` found.
        skip: leave out the utterances whose recordings are missing or damaged.

    Raises:
        CorpusError: there are such recordings and ``skip`` is not set, or nothing else is there.
    """
    faults = (*check.missing, *check.damaged)
    bad = {fault.audio for fault in faults}
    good = [u for u in utterances if u.audio not in bad]
    if faults and not (skip and good):
        named = "; ".join(f"{fault.audio}: {fault.reason}" for fault in faults[:NAMED])
        more = f"; and {len(faults) - NAMED:,} more" if len(faults) > NAMED else ""
        advice = "mend them, or leave them out with --skip-bad" if good else "no other is there"
        raise CorpusError(
            f"{len(check.missing):,} recordings of {len(utterances):,} utterances are missing and "
            f"{len(check.damaged):,} damaged; {advice}; `trainer corpora check` lists all: {named}{more}"
        )
    return good


def _decode(audio: Path) -> float:
    """Return how long a recording is, in seconds, once all of it is decoded."""
    recording = Recording(audio)
    for _ in recording.blocks():
        pass
    if recording.damaged:
        raise AudioError("; ".join(recording.notes))
    return recording.duration_s


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _differences(utterances: Sequence[Utterance], expected: Mapping[str, Mapping[str, int]]) -> list[str]:
    result = []
    for split, counts in expected.items():
        found = Counter(u.label for u in utterances if u.split == split)
        where = f"{split}: " if split else ""
        if not found:
            result.append(f"{where}none of the {sum(counts.values()):,} published utterances is there")
            continue
        result += [
            f"{where}{found[label]:,} {label} where {counts.get(label, 0):,} are published"
            for label in sorted({*found, *counts})
            if found[label] != counts.get(label, 0)
        ]
    return result
