"""Real speech and real sentences that bundles are evaluated on."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audio.recording import SAMPLE_RATE, Recording
from edge_runtime.errors import AudioError
from edge_runtime.system.paths import refused
from trainer.corpora import manifest, registry
from trainer.corpora.registry import LoadOptions
from trainer.corpora.utterance import Utterance
from trainer.errors import CorpusError, ExportError
from trainer.experiment.run_dir import stored
from trainer.text.tweets import normalize_tweet

Float = NDArray[np.float32]
EXAMPLE = Path(__file__).parents[2] / "examples" / "jfk.wav"
PAUSES_S = (2.7, 4.8, 7.9)
"""Where the example pauses: a cut in the middle of a word would make the recogniser guess."""
MEASURED_SPLITS, CALIBRATION_SPLITS = ("dev", "test"), ("train",)
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
    """An utterance: sound, text or both.

    Attributes:
        audio: a recording's file, or samples (samples,) at 16 kHz; None for text alone.
        transcript: None where it is not known.
        label: the emotion; None where it is not known.
        name: for messages.
    """

    audio: Path | Float | None = None
    transcript: str | None = None
    label: str | None = None
    name: str = ""

    @property
    def waveform(self) -> Float | None:
        """The samples (samples,) at 16 kHz, read from the file where they are in one."""
        return read(self.audio) if isinstance(self.audio, Path) else self.audio


@dataclass(frozen=True)
class EvaluationSet:
    """What a bundle is evaluated on, and where that is from, in words."""

    source: str
    samples: Sequence[Sample]

    @property
    def waveforms(self) -> list[Float]:
        """Of the samples that have sound."""
        return [waveform for s in self.samples if (waveform := s.waveform) is not None]

    @property
    def sentences(self) -> list[str]:
        """Of the samples that have text."""
        return [s.transcript for s in self.samples if s.transcript]


def built_in() -> EvaluationSet:
    """Return the example recording in pieces, and some sentences."""
    sentences = [Sample(transcript=sentence) for sentence in SENTENCES]
    if not EXAMPLE.is_file():  # installed without the repository
        return EvaluationSet("built-in sentences", sentences)
    pieces = np.split(read(EXAMPLE), [round(cut * SAMPLE_RATE) for cut in PAUSES_S])
    return EvaluationSet("built-in", [*(Sample(piece) for piece in pieces), *sentences])


def of_corpus(
    path: Path,
    labels: Sequence[str],
    *,
    limit: int,
    seed: int,
    renamed: Mapping[str, str] | None = None,
    splits: Sequence[str] = MEASURED_SPLITS,
    options: LoadOptions | None = None,
    skip_bad: bool = False,
) -> EvaluationSet:
    """Return up to ``limit`` utterances of the corpus at ``path``: of the first of ``splits`` that it has, else of all.

    Dev comes first: where too much is lost, it decides which layers are excluded, and a test set must decide nothing.

    Args:
        path: a corpus that ``trainer corpora check`` knows, or a CSV of one's own.
        labels: the bundle's.
        limit: how many at the most.
        seed: of the choice.
        renamed: new names of labels; those that the corpus does not have are passed over.
        splits: names of official splits, the best first.
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
    known = {u.split for u in everything}
    split = next((split for split in splits if split in known), None)
    chosen = [u for u in everything if u.label in labels and (split is None or u.split == split)]
    if not chosen:
        raise ExportError(
            f"{path}: none of its labels ({', '.join(sorted({u.label for u in everything}))}) is the bundle's "
            f"({', '.join(labels)}); rename them with --map theirs=ours"
        )
    samples = []
    for sample in map(_sample, _draw(chosen, limit, seed)):
        try:
            samples.append(Sample(sample.waveform, sample.transcript, sample.label, sample.name))
        except AudioError:
            if not skip_bad:
                raise
    return EvaluationSet(f"{len(samples)} of {corpus.title}" + (f", {split}" if split else ""), samples)


def of_run(folder: Path, labels: Sequence[str], *, limit: int, seed: int) -> EvaluationSet | None:
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
    return EvaluationSet(f"{found.source}, which was trained on", found.samples)


def with_sentences(found: EvaluationSet) -> EvaluationSet:
    """Return ``found``, with the built-in sentences where it has no text, so that text emotion is evaluated as well."""
    if found.sentences:
        return found
    sentences = [Sample(transcript=sentence) for sentence in SENTENCES]
    return EvaluationSet(f"{found.source} and built-in sentences", [*found.samples, *sentences])


def gather(places: Sequence[Path], *, limit: int, seed: int) -> list[Sample]:
    """Return what there is in ``places``: sound files, corpora's folders and manifests.

    Args:
        places: none takes the example, if it is there.
        limit: of each corpus at most so many utterances, drawn at random.
        seed: of the draw.

    Raises:
        AudioNotFoundError: there is no such file.
        AudioError: it cannot be told what is there.
        CorpusError: a folder is no corpus that can be read, or a place is given twice.
    """
    if not places and EXAMPLE.is_file():
        places = [EXAMPLE]
    if len(set(places)) < len(places):
        raise CorpusError(f"{max(places, key=places.count)}: given twice")
    found: list[Sample] = []
    for place in places:
        try:
            is_folder = stat.S_ISDIR(place.stat().st_mode)
        except (OSError, ValueError) as error:
            raise refused(place, error, wanted="file or folder") from error
        if is_folder or place.suffix.lower() in manifest.SUFFIXES:
            found += map(_sample, _draw(registry.read(place), limit, seed))
        else:
            found.append(Sample(place, name=str(place)))
    return found


def read(path: Path) -> Float:
    """Return a recording as the runtime reads it: (samples,) at 16 kHz."""
    return np.concatenate(list(Recording(path).blocks()))


def _draw(utterances: Sequence[Utterance], limit: int, seed: int) -> list[Utterance]:
    rows = np.sort(np.random.default_rng(seed).permutation(len(utterances))[:limit])
    return [utterances[row] for row in rows]


def _sample(u: Utterance) -> Sample:
    tidy = normalize_tweet if u.corpus == "semeval" else str
    return Sample(u.audio, tidy(u.transcript) if u.transcript else None, u.label, f"{u.corpus} {u.id}")
