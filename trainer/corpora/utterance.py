"""The record of one utterance, which every corpus is read into."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_runtime.inference.text_tokens import Turn
from trainer.errors import CorpusError

LABELS = ("neutral", "happy", "sad", "angry")
"""The four classes of the paper (section 5.3), in the order of every output."""
UNLABELLED = frozenset({"other", "unlabelled"})
"""Labels of known corpora that are no class: another emotion, and none that is known."""
NAMED = 5
"""So many lines are named in a message; the rest are counted."""


@dataclass(frozen=True)
class Utterance:
    """One labelled utterance.

    Attributes:
        id: unique within its corpus.
        corpus: the corpus' name.
        label: the corpus' own label, mapped to the project's names.
        speaker: unique within its corpus; folds without common speakers are made by it.
        session: recording session or dialogue, whichever the corpus has.
        audio: path of the recording, or None.
        transcript: the spoken words; "" where they are missing; None where the corpus has none.
        split: the corpus' official split, or "".
        line: of the manifest that it was read from, counted from 1; None where there is no manifest.
        context: what was said before it in its dialogue, the oldest first; see ``trainer.corpora.dialogue``.
    """

    id: str
    corpus: str
    label: str
    speaker: str
    session: str = ""
    audio: Path | None = None
    transcript: str | None = None
    split: str = ""
    line: int | None = None
    context: tuple[Turn, ...] = field(default=(), compare=False, repr=False)


def label_ids(utterances: Iterable[Utterance], labels: Sequence[str] = LABELS) -> list[int]:
    """Return the index of each utterance's label in ``labels``."""
    return [labels.index(u.label) for u in utterances]


def checksum(utterances: Sequence[Utterance]) -> str:
    """Return a sha256 over ids, labels, transcripts and the bytes of the audio, in the order of the ids."""
    digest = hashlib.sha256()
    for u in sorted(utterances, key=lambda u: (u.corpus, u.id)):
        digest.update(f"{u.corpus}\t{u.id}\t{u.label}\t{u.transcript or ''}\n".encode())
        if u.audio is not None:
            digest.update(u.audio.read_bytes())
    return digest.hexdigest()


def summary(utterances: Sequence[Utterance]) -> dict[str, int]:
    """Return how many utterances each label has, the most frequent first."""
    return dict(Counter(u.label for u in utterances).most_common())


def places(utterances: Sequence[Utterance]) -> str:
    """Return where utterances stand: lines of the manifest, else ids; the first few, and how many more."""
    lines = [str(u.line) for u in utterances if u.line is not None]
    named = lines or [u.id for u in utterances]
    word = f"line{'s' * (len(named) > 1)} " if lines else ""
    more = f" and {len(named) - NAMED:,} more" if len(named) > NAMED else ""
    return word + ", ".join(named[:NAMED]) + more


def relabel(utterances: Sequence[Utterance], label_map: Mapping[str, str]) -> list[Utterance]:
    """Return the utterances with labels renamed or merged; a label that is mapped to "" is left out.

    Raises:
        CorpusError: no utterance has a label that is to be renamed.
    """
    there = {u.label for u in utterances}
    if unknown := sorted(label_map.keys() - there):
        raise CorpusError(f"label {unknown[0]!r} is to be renamed but is not there; there are {sorted(there)}")
    renamed = (replace(u, label=label_map.get(u.label, u.label)) for u in utterances)
    return [u for u in renamed if u.label]
