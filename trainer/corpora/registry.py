"""What is known of each corpus, and one way to read any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from trainer.corpora import emodb, iemocap, manifest, meld, ravdess, semeval, synthetic
from trainer.corpora.files import check_searchable
from trainer.corpora.utterance import LABELS, Utterance, relabel
from trainer.errors import CorpusError

Protocol = Literal["shuffled", "session", "speaker", "official"]
MELD = (*meld.EMOTIONS.values(), "surprise", "fear", "disgust")
SEMEVAL = ("-A.txt", "-A.tsv", "subtask-A.*.txt", "subtask-A.*.tsv")


@dataclass(frozen=True)
class Reading:
    """How a corpus is read.

    Attributes:
        label_map: new names of labels, several to one to merge them; "" leaves a label out.
        merge_excited: IEMOCAP's excited counts as happy.
        shortest_s: leave out IEMOCAP's shorter utterances, in seconds.
        longest_s: leave out IEMOCAP's longer utterances, in seconds.
    """

    label_map: Mapping[str, str] = field(default_factory=dict)
    merge_excited: bool = False
    shortest_s: float | None = None
    longest_s: float | None = None


@dataclass(frozen=True)
class Corpus:
    """A corpus as it is published.

    Attributes:
        name: what its utterances and the command line call it.
        title: in full.
        licence: under which it is had.
        credit: what to cite.
        modalities: "voice", "words" or both.
        labels: the classes that are learned; of a manifest none are known before it is read.
        counts: how many utterances of each label each split has as published, beyond the classes too; ``""`` is
            the split of a corpus without official splits.
        protocol: how it is divided into what is learned from and what is tested on, if nothing else is asked for.
        looks_like: whether a folder or file looks like it.
        load: every utterance of it, with the label's own name.
    """

    name: str
    title: str
    licence: str
    credit: str
    modalities: tuple[str, ...]
    labels: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]
    protocol: Protocol
    looks_like: Callable[[Path], bool]
    load: Callable[[Path, Reading], list[Utterance]]


def _counts(labels: Sequence[str], *numbers: int) -> dict[str, int]:
    return dict(zip(labels, numbers, strict=True))


def _iemocap(path: Path, how: Reading) -> list[Utterance]:
    return iemocap.load_all(path, merge_excited=how.merge_excited, shortest_s=how.shortest_s, longest_s=how.longest_s)


def _synthetic(path: Path, how: Reading) -> list[Utterance]:
    return [replace(u, corpus="synthetic", speaker=f"synthetic-{u.speaker[-2:]}") for u in _iemocap(path, how)]


def _meld(path: Path, _: Reading) -> list[Utterance]:
    splits = [split for split in meld.FILES if split in {"train", "dev"} or (path / meld.FILES[split]).is_file()]
    return [u for split in splits for u in meld.load(path, split, clips=True)]


def _semeval(path: Path, _: Reading) -> list[Utterance]:
    splits = [split for split in ("train", "test") if (path / split).is_dir()]
    found = [u for split in splits or [""] for u in semeval.load(path, split)]
    if len({u.id for u in found}) < len(found):
        raise CorpusError(f"{path}: train/ holds tweets of test/; take them away, or the test is of what was learned")
    return found


def _holds(path: Path, names: Sequence[str]) -> bool:
    return any(next(path.glob(name), None) for name in names)


CORPORA: tuple[Corpus, ...] = (
    Corpus(
        name="iemocap",
        title="IEMOCAP, Interactive Emotional Dyadic Motion Capture database",
        licence="for research, on request to its makers (SAIL, University of Southern California)",
        credit="Busso et al. 2008, Language Resources and Evaluation 42",
        modalities=("voice", "words"),
        labels=LABELS,
        counts={"": _counts(tuple(iemocap.EMOTIONS.values()), 1708, 595, 1084, 1103, 1041, 1849, 107, 40, 2, 3, 2507)},
        protocol="session",
        looks_like=lambda path: (
            not synthetic.made_here(path) and (iemocap.is_release(path) or iemocap.is_release(path / iemocap.RELEASE))
        ),
        load=_iemocap,
    ),
    Corpus(
        name="synthetic",
        title="synthetic speech in the shape of IEMOCAP, as `trainer corpora synthesise` makes it",
        licence="none needed",
        credit="spoken by espeak-ng",
        modalities=("voice", "words"),
        labels=LABELS,
        counts={},
        protocol="session",
        looks_like=synthetic.made_here,
        load=_synthetic,
    ),
    Corpus(
        name="semeval",
        title="SemEval 2017 Task 4A, sentiment of tweets",
        licence="Twitter's terms; for research",
        credit="Rosenthal et al. 2017, SemEval",
        modalities=("words",),
        labels=semeval.SENTIMENTS,
        # Of the train sets of 2013 to 2016, 50,334 lines, what repetition and conflicting labels leave.
        counts={
            "train": _counts(semeval.SENTIMENTS, 19617, 22158, 7711),
            "test": _counts(semeval.SENTIMENTS, 2375, 5937, 3972),
        },
        protocol="official",
        looks_like=lambda path: _holds(
            path, [f"{place}*{end}" for place in ("", "train/", "test/") for end in SEMEVAL]
        ),
        load=_semeval,
    ),
    Corpus(
        name="meld",
        title="MELD, Multimodal EmotionLines Dataset",
        licence="GPL-3.0",
        credit="Poria et al. 2019, ACL",
        modalities=("words", "voice"),
        labels=LABELS,
        counts={
            "train": _counts(MELD, 4710, 1743, 683, 1109, 1205, 268, 271),
            "dev": _counts(MELD, 470, 163, 111, 153, 150, 40, 22),
            "test": _counts(MELD, 1256, 402, 208, 345, 281, 50, 68),
        },
        protocol="official",
        looks_like=lambda path: _holds(path, list(meld.FILES.values())),
        load=_meld,
    ),
    Corpus(
        name="ravdess",
        title="RAVDESS, Ryerson Audio-Visual Database of Emotional Speech and Song: speech",
        licence="CC-BY-NC-SA-4.0",
        credit="Livingstone and Russo 2018, PLoS ONE 13(5)",
        # Two sentences for all emotions: there are words, but nothing to learn from them.
        modalities=("voice",),
        labels=LABELS,
        counts={"": _counts(tuple(ravdess.EMOTIONS.values()), 96, 192, 192, 192, 192)},
        protocol="speaker",
        looks_like=lambda path: _holds(path, ["03-0[12]-*-*-*-*-*.*", "Actor_*/03-0[12]-*-*-*-*-*.*"]),
        load=lambda path, _: ravdess.load(path),
    ),
    Corpus(
        name="emodb",
        title="EmoDB, Berlin Database of Emotional Speech (German)",
        licence="CC0-1.0 as published in audb; free to use",
        credit="Burkhardt et al. 2005, Interspeech",
        modalities=("voice",),
        labels=LABELS,
        counts={"": _counts(tuple(emodb.EMOTIONS.values()), 79, 71, 62, 127, 81, 46, 69)},
        protocol="speaker",
        looks_like=lambda path: _holds(path, [f"{place}[01][0-9][ab][01][0-9][A-Z][a-z].*" for place in ("", "wav/")]),
        load=lambda path, _: emodb.load(path),
    ),
    Corpus(
        name="manifest",
        title="your own data: a CSV, TSV or JSON-lines file",
        licence="yours",
        credit="",
        modalities=("voice", "words"),
        labels=(),
        counts={},
        protocol="shuffled",
        looks_like=lambda path: path.suffix.lower() in manifest.SUFFIXES,
        load=lambda path, _: manifest.load(path),
    ),
)


def named(name: str) -> Corpus:
    """Return the corpus of that name.

    Raises:
        CorpusError: there is none.
    """
    for corpus in CORPORA:
        if corpus.name == name:
            return corpus
    raise CorpusError(f"{name!r}: no such corpus; there are {', '.join(corpus.name for corpus in CORPORA)}")


def detect(path: Path) -> Corpus:
    """Return the corpus that a folder (or a manifest's file) looks like.

    Raises:
        CorpusError: it is not there, cannot be read, looks like none, or like several.
    """
    check_searchable(path)
    alike = [corpus for corpus in CORPORA if corpus.looks_like(path)]
    if len(alike) == 1:
        return alike[0]
    names = ", ".join(corpus.name for corpus in alike or CORPORA)
    if alike:
        raise CorpusError(f"{path}: looks like {names}; give each its own folder, or say which it is")
    inside = sorted(file for end in manifest.SUFFIXES for file in path.glob(f"*{end}")) if path.is_dir() else []
    if inside:
        raise CorpusError(f"{path}: looks like none of {names}; did you mean the file {inside[0]}?")
    raise CorpusError(
        f"{path}: looks like none of {names}; give a corpus' own folder or a manifest's file, or say which it is"
    )


def read(path: Path, *, corpus: Corpus | None = None, options: Reading = Reading()) -> list[Utterance]:
    """Return the utterances of the corpus' classes, labels renamed as asked; of a manifest, all.

    Args:
        path: the corpus' folder, or a manifest's file.
        corpus: which it is; by default what it looks like.
        options: see ``Reading``.

    Raises:
        CorpusError: it cannot be read, an option is not for this corpus, or nothing is left.
    """
    corpus = corpus or detect(path)
    cut = options.shortest_s is not None or options.longest_s is not None
    if corpus.load not in {_iemocap, _synthetic} and (options.merge_excited or cut):
        raise CorpusError(f"{corpus.name}: merging excited and cutting by length are for iemocap alone")
    if corpus.labels and (strange := sorted(set(options.label_map.values()) - {"", *corpus.labels})):
        raise CorpusError(
            f"{strange[0]!r} is not a class of {corpus.name}; rename to one of {', '.join(corpus.labels)}"
        )
    found = corpus.load(path, options)
    kept = [u for u in relabel(found, options.label_map) if not corpus.labels or u.label in corpus.labels]
    if not kept:
        raise CorpusError(f"{path}: none of its {len(found)} utterances is left; see the labels and lengths asked for")
    return kept


def expected(corpus: Corpus, options: Reading = Reading()) -> dict[str, dict[str, int]]:
    """Return how many utterances of each label ``read`` should find in each split; {} where that is not known."""
    if options.shortest_s is not None or options.longest_s is not None:
        return {}
    result: dict[str, dict[str, int]] = {}
    for split, counts in corpus.counts.items():
        numbers = dict.fromkeys(corpus.labels, 0)
        for label, count in counts.items():
            merged = "happy" if options.merge_excited and label == "excited" else label
            renamed = options.label_map.get(merged, merged)
            if renamed in numbers:
                numbers[renamed] += count
        result[split] = {label: count for label, count in numbers.items() if count}
    return result


def protocol_of(corpus: Corpus, utterances: Sequence[Utterance]) -> Protocol:
    """Return the corpus' protocol; of a manifest, the strictest that its columns are there for.

    A row that leaves such a column empty does not change that: ``trainable.gaps`` finds it.
    """
    if corpus.name != "manifest":
        return corpus.protocol
    if any(u.split for u in utterances):
        return "official"
    if len({u.speaker for u in utterances} - {""}) > 1:
        return "speaker"
    return corpus.protocol


def labels_of(utterances: Sequence[Utterance]) -> tuple[str, ...]:
    """Return the labels that occur: in the project's order if it has them all, else sorted."""
    there = {u.label for u in utterances}
    return tuple(label for label in LABELS if label in there) if there <= set(LABELS) else tuple(sorted(there))


def classes(corpus: Corpus, utterances: Sequence[Utterance]) -> tuple[str, ...]:
    """Return the corpus' classes that occur, in its own order, or a manifest's labels."""
    there = {u.label for u in utterances}
    return tuple(label for label in corpus.labels if label in there) if corpus.labels else labels_of(utterances)
