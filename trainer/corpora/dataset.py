"""A checked corpus, or several together, as a training takes it."""

from __future__ import annotations

import logging
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trainer.corpora import check, duplicates, registry, trainable
from trainer.corpora.protocols import tested_split
from trainer.corpora.registry import LoadOptions
from trainer.corpora.trainable import Use
from trainer.corpora.utterance import Utterance, checksum, label_ids, places, summary
from trainer.errors import CorpusError
from trainer.toml_file import read_toml

OWN_TEXTS = "fragments"
FRAGMENTS = Path(__file__).with_name("fragments.toml")
"""What people say that says next to nothing of how they feel."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dataset:
    """Utterances to learn from.

    Attributes:
        name: of their corpus; several are joined by "+".
        utterances: those of a class.
        labels: the classes in order.
        unlabelled: recordings of another emotion or without a label, which teach when not to be sure.
    """

    name: str
    utterances: Sequence[Utterance]
    labels: tuple[str, ...]
    unlabelled: Sequence[Utterance] = ()

    @property
    def everything(self) -> Sequence[Utterance]:
        """All utterances, those without a class last."""
        return [*self.utterances, *self.unlabelled]

    @property
    def label_ids(self) -> list[int]:
        """The index of each utterance's label."""
        return label_ids(self.utterances, self.labels)

    def provenance(self, rows: Iterable[int]) -> dict[str, Any]:
        """Return the counts of labels in the ``rows`` that are learned, and the checksum of each corpus, by name.

        The fragments are no corpus: they come with the trainer.

        Args:
            rows: of ``everything``.
        """
        everything = self.everything
        learned = [everything[row] for row in rows]
        corpora = dict.fromkeys(u.corpus for u in everything if u.corpus != OWN_TEXTS)
        return {
            name: {
                "labels": summary([u for u in learned if u.corpus == name]),
                "checksum": checksum([u for u in everything if u.corpus == name]),
            }
            for name in corpora
        }


def join(datasets: Sequence[Dataset]) -> Dataset:
    """Return several corpora as one."""
    utterances = [u for dataset in datasets for u in dataset.utterances]
    unlabelled = [u for dataset in datasets for u in dataset.unlabelled]
    return Dataset("+".join(d.name for d in datasets), utterances, registry.labels_of(utterances), unlabelled)


def prepare_texts(dataset: Dataset, *, most: int | None, unlabelled: bool) -> Dataset:
    """Return the texts of several corpora as they are learned from.

    Args:
        dataset: the corpora, joined.
        most: of each label of a corpus at most so many are kept, the same ones each time; its official test part stays
            whole. None keeps all.
        unlabelled: add the fragments that the trainer comes with ("yeah", "okay so"), which say next to nothing.
    """
    kept, gone = duplicates.without_duplicates(dataset.everything)
    if gone:
        log.info("note: texts left out: %s", ", ".join(f"{count:,} {why}" for why, count in sorted(gone.items())))
    known = {id(u) for u in dataset.utterances}
    tested = {corpus: tested_split([u for u in kept if u.corpus == corpus]) for corpus in {u.corpus for u in kept}}
    counts: Counter[tuple[str, str]] = Counter()
    chosen = set()
    for u in sorted(kept, key=lambda u: zlib.crc32(u.id.encode())):
        apart = u.split != "" and u.split == tested[u.corpus]
        if apart and id(u) in known:
            chosen.add(id(u))
        elif not apart and (most is None or counts[u.corpus, u.label] < most):
            counts[u.corpus, u.label] += 1
            chosen.add(id(u))
    more = [u for u in dataset.unlabelled if id(u) in chosen]
    return replace(
        dataset,
        utterances=[u for u in dataset.utterances if id(u) in chosen],
        unlabelled=[*more, *fragments()] if unlabelled else more,
    )


def cap(dataset: Dataset, most: int) -> Dataset:
    """Return at most so many utterances of each label of a corpus, the same ones each time."""
    counts: Counter[tuple[str, str]] = Counter()
    chosen = set()
    for u in sorted(dataset.everything, key=lambda u: zlib.crc32(u.id.encode())):
        if counts[u.corpus, u.label] < most:
            counts[u.corpus, u.label] += 1
            chosen.add(id(u))
    utterances, unlabelled = ([u for u in us if id(u) in chosen] for us in (dataset.utterances, dataset.unlabelled))
    return replace(dataset, utterances=utterances, unlabelled=unlabelled)


def fragments() -> list[Utterance]:
    """Return the fragments that the trainer comes with, as utterances without a class."""
    texts = read_toml(FRAGMENTS)["texts"]
    return [Utterance(f"{i}", OWN_TEXTS, "fragment", "", transcript=text) for i, text in enumerate(texts)]


def load(
    path: Path,
    reading: LoadOptions,
    *,
    speech: bool,
    text: bool,
    skip_bad: bool,
    quiet: bool,
    protocol: str | None = None,
    unlabelled: bool = False,
) -> Dataset:
    """Return the checked corpus at ``path``.

    Args:
        path: a corpus' folder, or a manifest's file.
        reading: see ``trainer.corpora.registry.LoadOptions``.
        speech: recordings are needed, so damaged ones matter; without, they are not looked at.
        text: transcripts are needed, so missing ones matter.
        skip_bad: leave out what is missing or damaged instead of refusing.
        quiet: no progress bar.
        protocol: that was asked for, if one was.
        unlabelled: keep the recordings of another emotion or without a label, or the texts of a corpus of texts.

    Raises:
        CorpusError: not a corpus, something in it is missing or damaged, or it is plain speech and ``unlabelled`` is
            not set.
    """
    corpus = registry.detect(path)
    refused: list[str] | None = [] if skip_bad else None
    left_out: Counter[str] = Counter()
    unlabelled = unlabelled and (speech or "speech" not in corpus.modalities)
    more: list[Utterance] = []
    utterances = registry.read(
        path,
        corpus=corpus,
        options=reading,
        faults=refused,
        left_out=left_out,
        unlabelled=more if unlabelled else None,
    )
    if corpus.note:
        log.info("note: %s: %s", corpus.name, corpus.note)
    if left_out:
        log.info("note: %s", registry.not_learned(left_out))
    for fault in refused or ():
        log.info("note: %s; left out", fault)
    speech = speech and any(u.audio is not None for u in (*utterances, *more))
    use = Use(speech, text and any(u.transcript for u in utterances), protocol)
    utterances = _complete(corpus.name, utterances, use, skip=skip_bad)
    if not speech:
        utterances = [replace(u, audio=None) for u in utterances]
    else:
        recorded = [*utterances, *more]
        found = check.examine(recorded, expected=registry.expected(corpus, reading, unlabelled=unlabelled), quiet=quiet)
        for note in (*found.differences, *found.notes):
            log.info("note: %s", note)
        good = set(check.usable(recorded, found, skip=skip_bad))
        utterances = [u for u in utterances if u in good]
        more = [u for u in more if u in good]
        if not utterances and not corpus.plain:
            raise CorpusError(f"{path}: every recording of a class is missing or damaged")
    for note in trainable.notes(corpus.name, utterances):
        log.info("note: %s", note)
    labels = registry.labels_of(utterances, corpus)
    said = [f"{len(utterances)} utterances; {', '.join(labels)}"] if utterances else []
    said += [f"{len(more):,} {'recordings' if speech else 'texts'} without a class"] if more else []
    log.info("%s: %s", corpus.title, "; ".join(said))
    return Dataset(corpus.name, utterances or (), labels, more)


def _complete(corpus: str, utterances: list[Utterance], use: Use, *, skip: bool) -> list[Utterance]:
    """Return the utterances that have all that is needed; others are refused unless they are to be skipped."""
    lacking = trainable.gaps(corpus, utterances, use)
    kept = trainable.complete(corpus, utterances, use)
    if lacking and not (skip and kept):
        said = (trainable.told(column, rows, len(utterances)) for column, rows in lacking.items())
        raise CorpusError("; ".join(said))
    for column, rows in lacking.items():
        log.info("note: %s utterances without %s are left out (%s)", f"{len(rows):,}", column, places(rows))
    return kept
