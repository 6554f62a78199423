"""Whether a copy of a corpus is whole: every recording is decoded, and counts are compared with the published ones."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_runtime.audio.recording import Recording
from edge_runtime.errors import AudioError, AudioNotFoundError
from trainer.console import progress
from trainer.corpora.utterance import UNLABELLED, Utterance, places
from trainer.errors import CorpusError

NAMED = 3
"""So many bad files are named in an error; the rest are counted."""
SILENT = 1e-4
"""A recording without a louder sample (-80 dB) is silent."""
LONG_S = 30.0
"""A longer utterance most likely holds several emotions."""


@dataclass(frozen=True)
class Fault:
    """A recording that cannot be used, why, and the line of the manifest that names it, if one does."""

    audio: Path
    reason: str
    line: int | None = None

    def __str__(self) -> str:
        """Return it in words."""
        return f"{'' if self.line is None else f'line {self.line}: '}{self.audio}: {self.reason}"


@dataclass(frozen=True)
class Check:
    """The findings on a copy of a corpus.

    Attributes:
        utterances: how many.
        recordings: how many of them could be decoded.
        hours: of those recordings.
        labels: how many utterances have each label, the most frequent first; the next three likewise.
        speakers: ``""`` counts the utterances whose speaker is not known.
        sessions: or dialogues.
        splits: official ones.
        missing: recordings that are not there.
        damaged: recordings that cannot be decoded from beginning to end, or are silent.
        conflicting: recordings of a user's own data that are there again with another label.
        refused: a sentence for each row of a manifest that cannot be used at all.
        wordless: ids of utterances whose transcript should be there and is not.
        differences: a sentence for each difference from the expected counts.
        notes: a sentence for each finding that may be intended.
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
    conflicting: tuple[Fault, ...]
    refused: tuple[str, ...]
    wordless: tuple[str, ...]
    differences: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def fine(self) -> bool:
        """Whether nothing is missing, damaged, conflicting or different."""
        faults = (self.missing, self.damaged, self.conflicting, self.refused, self.wordless, self.differences)
        return not any(faults)


def examine(
    utterances: Sequence[Utterance],
    *,
    expected: Mapping[str, Mapping[str, int]] | None = None,
    refused: Sequence[str] = (),
    quiet: bool = True,
) -> Check:
    """Decode every recording, and count utterances by label, speaker, session and split.

    Args:
        utterances: of one corpus.
        expected: how many utterances of each label each split should have (``registry.expected``).
        refused: a sentence for each row of the manifest that is not among them.
        quiet: no progress bar.
    """
    missing, damaged, seconds, long = [], [], [], []
    recorded = [(u, u.audio) for u in utterances if u.audio is not None]
    for utterance, audio in progress(recorded, "reading", quiet=quiet):
        try:
            seconds.append(_decode(audio))
            if seconds[-1] > LONG_S:
                long.append(utterance)
        except AudioNotFoundError:
            missing.append(Fault(audio, "not there", utterance.line))
        except AudioError as error:
            damaged.append(Fault(audio, str(error).removeprefix(f"{audio}: "), utterance.line))
    conflicting, repeated = _repeated(utterances)
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
        conflicting=tuple(conflicting),
        refused=tuple(refused),
        wordless=tuple(u.id for u in utterances if u.transcript is not None and not u.transcript.strip()),
        differences=tuple(_differences(utterances, expected or {})),
        notes=(*_too_long(long), *repeated),
    )


def usable(utterances: Sequence[Utterance], check: Check, *, skip: bool) -> list[Utterance]:
    """Return the utterances, all of them unless bad recordings are to be skipped.

    Args:
        utterances: the examined ones.
        check: the result of ``examine``.
        skip: leave out the utterances whose recordings are missing, damaged or conflicting.

    Raises:
        CorpusError: there are such recordings and ``skip`` is not set, or nothing else is there.
    """
    faults = (*check.missing, *check.damaged, *check.conflicting)
    bad = {fault.audio for fault in faults}
    good = [u for u in utterances if u.audio not in bad]
    if faults and not (skip and good):
        named = "; ".join(map(str, faults[:NAMED]))
        more = f"; and {len(faults) - NAMED:,} more" if len(faults) > NAMED else ""
        advice = "mend them, or leave them out with --skip-bad" if good else "no other is there"
        apart = any(u.label in UNLABELLED for u in utterances if u.corpus != "manifest")
        command = f"trainer corpora check{' --unlabelled' if apart else ''}"
        again = f"; {len(check.conflicting):,} are there again with another label" if check.conflicting else ""
        raise CorpusError(
            f"{len(check.missing):,} recordings of {len(utterances):,} utterances are missing and "
            f"{len(check.damaged):,} damaged{again}; {advice}; `{command}` lists all: {named}{more}"
        )
    return good


def _decode(audio: Path) -> float:
    """Return how long a recording is, in seconds, once all of it is decoded."""
    recording = Recording(audio)
    loudest = max((float(np.abs(block).max(initial=0.0)) for block in recording.blocks()), default=0.0)
    if recording.damaged:
        raise AudioError("; ".join(recording.notes))
    if loudest <= SILENT:
        raise AudioError("silent from beginning to end")
    return recording.duration_s


def _repeated(utterances: Sequence[Utterance]) -> tuple[list[Fault], list[str]]:
    """Return the recordings that are there again, byte for byte: with another label, and with the same one.

    A published corpus may hold a recording twice: this is only noted.
    """
    sizes: dict[int, list[Utterance]] = defaultdict(list)
    for u in utterances:
        if u.audio is not None and u.audio.is_file():
            sizes[u.audio.stat().st_size].append(u)
    same: dict[str, list[Utterance]] = defaultdict(list)
    for alike in sizes.values():
        for u in alike if len(alike) > 1 else ():
            assert u.audio is not None
            same[hashlib.sha256(u.audio.read_bytes()).hexdigest()].append(u)
    conflicting, repeated = [], []
    for group in (group for group in same.values() if len(group) > 1):
        labels = {u.label for u in group}
        said = f"the same recording in {places(group)}"
        if len(labels) == 1 or group[0].corpus != "manifest":
            repeated.append(f"{said}: it may be trained and tested on")
            continue
        reason = f"{said}, labelled {', '.join(sorted(labels))}"
        conflicting += [Fault(u.audio, reason, u.line) for u in group if u.audio]
    return conflicting, repeated


def _too_long(long: Sequence[Utterance]) -> list[str]:
    if not long:
        return []
    return [
        f"{len(long):,} recordings are longer than {LONG_S:.0f} s ({places(long)}); does one label hold for all that "
        "is said there? Cut them into utterances"
    ]


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
