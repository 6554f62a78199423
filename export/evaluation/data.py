"""Real speech and real sentences that a bundle is tried on before it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audio.recording import SAMPLE_RATE, Recording
from edge_runtime.errors import AudioError
from trainer.corpora import registry
from trainer.corpora.registry import LoadOptions
from trainer.corpora.utterance import Utterance
from trainer.errors import ExportError
from trainer.experiment.source import stored
from trainer.text.tweets import normalize_tweet

Float = NDArray[np.float32]
EXAMPLE = Path(__file__).parents[2] / "examples" / "jfk.wav"
PAUSES_S = (2.7, 4.8, 7.9)
"""Where the example pauses: in the middle of a word a recogniser would have to guess."""
MEASURED, LEARNED = ("dev", "test"), ("train",)
SENTENCES = (
    "I can't believe you did that!",
    "We are leaving at seven, so please be ready.",
    "That is the best news I have heard all year!",
    "She never came back, and I miss her every day.",
    "Get out of my house, right now!",
    "The meeting has been moved to Thursday.",
    "Oh my god, I passed, I really passed!",
    "I don't want to talk about it any more.",
    "How many times do I have to tell you?",
    "Okay, then put it on the table.",
    "Thank you so much, you have made my day.",
    "There is nothing left for me here.",
    "You lied to me again, didn't you?",
    "Yeah.",
    "It costs twelve dollars and fifty cents.",
    "Well, I guess that is it, then.",
)
"""For where no corpus is named: too few to measure accuracy with, enough to see whether a graph is broken."""


@dataclass(frozen=True)
class Sample:
    """Something said: a waveform (samples,) at 16 kHz, its words, or both, and its label where it is known."""

    waveform: Float | None
    words: str | None
    label: str | None


@dataclass(frozen=True)
class Samples:
    """What a bundle is tried on, and where it is from."""

    source: str
    items: Sequence[Sample]

    @property
    def waveforms(self) -> list[Float]:
        """Those that can be heard."""
        return [s.waveform for s in self.items if s.waveform is not None]

    @property
    def sentences(self) -> list[str]:
        """Those that can be read."""
        return [s.words for s in self.items if s.words]


def built_in() -> Samples:
    """Return the example recording in pieces, and some sentences."""
    sentences = [Sample(None, words, None) for words in SENTENCES]
    if not EXAMPLE.is_file():  # installed without the repository
        return Samples("built-in sentences", sentences)
    pieces = np.split(read(EXAMPLE), [round(cut * SAMPLE_RATE) for cut in PAUSES_S])
    return Samples("built-in", [*(Sample(piece, None, None) for piece in pieces), *sentences])


def of_corpus(
    path: Path,
    labels: Sequence[str],
    *,
    limit: int,
    seed: int,
    renamed: Mapping[str, str] | None = None,
    parts: Sequence[str] = MEASURED,
    options: LoadOptions | None = None,
    skip_bad: bool = False,
) -> Samples:
    """Return up to ``limit`` utterances of the corpus at ``path``: of the first of ``parts`` that it has, else of all.

    Dev comes first: where too much is lost, it decides what is kept exact, and a test set must decide nothing.

    Args:
        path: a corpus that ``trainer corpora check`` knows, or a CSV of one's own.
        labels: the bundle's.
        limit: how many at the most.
        seed: of the choice.
        renamed: new names of labels; those that the corpus does not have are not looked at.
        parts: names of official splits, the best first.
        options: how the corpus is read, where more is known than ``renamed``.
        skip_bad: leave out recordings that cannot be read.

    Raises:
        CorpusError: it cannot be read.
        AudioError: a recording of it cannot.
        ExportError: none of its labels is the bundle's.
    """
    corpus = registry.detect(path)
    if options is None:
        there = {u.label for u in registry.read(path)}
        options = LoadOptions({old: new for old, new in (renamed or {}).items() if old in there})
    everything = registry.read(path, corpus=corpus, options=options)
    splits = {u.split for u in everything}
    part = next((split for split in parts if split in splits), None)
    chosen = [u for u in everything if u.label in labels and (part is None or u.split == part)]
    if not chosen:
        raise ExportError(
            f"{path}: none of its labels ({', '.join(sorted({u.label for u in everything}))}) is the bundle's "
            f"({', '.join(labels)}); rename them with --map theirs=ours"
        )
    rows = np.sort(np.random.default_rng(seed).permutation(len(chosen))[:limit])
    items = [s for i in rows if (s := _sample(chosen[i], skip_bad=skip_bad)) is not None]
    said = f"{len(items)} of {corpus.title}" + (f", {part}" if part else "")
    return Samples(said, items)


def of_run(folder: Path, labels: Sequence[str], *, limit: int, seed: int) -> Samples | None:
    """Return up to ``limit`` utterances of the corpus that the run in ``folder`` was trained on; None of no such run.

    Args:
        folder: the run's, in which `trainer fit` noted what it had read.
        labels: the bundle's.
        limit: how many at the most.
        seed: of the choice.

    Raises:
        CorpusError, ExportError: it is no longer there, or not as it was.
    """
    source = stored(folder)
    if source is None:
        return None
    found = of_corpus(source.path, labels, limit=limit, seed=seed, options=source.reading, skip_bad=source.skip_bad)
    return Samples(f"{found.source}, which was trained on", found.items)


def with_sentences(found: Samples) -> Samples:
    """Return ``found`` with the built-in sentences where it has no words: what reads them is tried as well."""
    if found.sentences:
        return found
    return Samples(
        f"{found.source} and built-in sentences", [*found.items, *(Sample(None, s, None) for s in SENTENCES)]
    )


def _sample(u: Utterance, *, skip_bad: bool) -> Sample | None:
    tidy = normalize_tweet if u.corpus == "semeval" else str
    try:
        waveform = read(u.audio) if u.audio else None
    except AudioError:
        if skip_bad:
            return None
        raise
    return Sample(waveform, tidy(u.transcript) if u.transcript else None, u.label)


def read(path: Path) -> Float:
    """Return a recording as the runtime reads it: (samples,) at 16 kHz."""
    return np.concatenate(list(Recording(path).blocks()))
