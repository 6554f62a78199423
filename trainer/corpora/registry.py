"""The corpora that are known (``corpora.toml``), and one way to recognise and to read any of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from trainer.corpora import emodb, iemocap, manifest, meld, ravdess, semeval, synthetic, text_table
from trainer.corpora.files import check_searchable
from trainer.corpora.protocols import Protocol
from trainer.corpora.utterance import LABELS, UNLABELLED, Utterance, relabel
from trainer.errors import CorpusError
from trainer.toml_file import read_entries

OWN = "manifest"
"""The name of a user's own data."""


@dataclass(frozen=True)
class LoadOptions:
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
        name: in its utterances and on the command line.
        title: in full.
        licence: under which it is had.
        credit: to be cited.
        languages: those that are spoken or written, as BCP 47 writes them; () where they are not known.
        modalities: "speech", "text" or both.
        labels: the classes that are learned; of a user's own data none are known before it is read, and plain speech
            has none.
        label_map: its own labels → the project's, where they differ.
        counts: how many utterances of each label each split has as published, beyond the classes too; ``""`` is
            the split of a corpus without official splits.
        protocol: how it is divided into training and test parts by default.
        manifest_sha256: of the ``manifest.csv`` of a corpus that comes as one; "" of others.
        table_sha256: of the table of a corpus of texts that comes as one; "" of others. See
            ``trainer.corpora.text_table``.
        sides: two people take turns in each dialogue of the table.
        permissive: its terms let a product use what is learned from it.
        plain: speech without labels, from which nothing is learned but when not to be sure.
        note: what a user should know about this copy; "" for nothing.
    """

    name: str
    title: str
    licence: str
    credit: str
    protocol: Protocol
    modalities: tuple[str, ...]
    languages: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    label_map: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    manifest_sha256: str = ""
    table_sha256: str = ""
    sides: bool = False
    permissive: bool = False
    plain: bool = False
    note: str = ""

    def is_at(self, path: Path) -> bool:
        """Whether a folder or file looks like this corpus."""
        if reader := READERS.get(self.name):
            return reader[0](path)
        if self.table_sha256:
            return text_table.is_table(path) and _sha256(path) == self.table_sha256
        file = _manifest_file(path)
        if file.suffix.lower() not in manifest.SUFFIXES or not file.is_file():
            return False
        known = {corpus.manifest_sha256 or corpus.table_sha256 for corpus in CORPORA} - {""}
        found = _sha256(file)
        return found == self.manifest_sha256 if self.manifest_sha256 else path == file and found not in known

    def load(
        self, path: Path, options: LoadOptions = LoadOptions(), *, faults: list[str] | None = None
    ) -> list[Utterance]:
        """Return every utterance, whatever its label.

        Args:
            path: the corpus' folder, or a manifest's file.
            options: see ``LoadOptions``; labels are not renamed here.
            faults: see ``trainer.corpora.manifest.load``.

        Raises:
            CorpusError: it cannot be read.
        """
        if reader := READERS.get(self.name):
            found = reader[1](path, options)
        elif self.table_sha256:
            table = text_table.load(path, self.name, sides=self.sides)
            return [replace(u, label=text_table.one_label(u.label, self.label_map)) for u in table]
        else:
            found = manifest.load(_manifest_file(path), corpus=self.name, faults=faults)
        return [replace(u, label=self.label_map.get(u.label, u.label)) for u in found] if self.label_map else found


def _iemocap(path: Path, options: LoadOptions) -> list[Utterance]:
    return iemocap.load(
        path, merge_excited=options.merge_excited, shortest_s=options.shortest_s, longest_s=options.longest_s
    )


def _synthetic(path: Path, options: LoadOptions) -> list[Utterance]:
    return [replace(u, corpus="synthetic", speaker=f"synthetic-{u.speaker[-2:]}") for u in _iemocap(path, options)]


def _meld(path: Path, _: LoadOptions) -> list[Utterance]:
    splits = [split for split in meld.FILES if split in {"train", "dev"} or (path / meld.FILES[split]).is_file()]
    return [u for split in splits for u in meld.load(path, split, clips=True)]


def _semeval(path: Path, _: LoadOptions) -> list[Utterance]:
    splits = [split for split in ("train", "test") if (path / split).is_dir()]
    found = [u for split in splits or [""] for u in semeval.load(path, split)]
    if len({u.id for u in found}) < len(found):
        raise CorpusError(f"{path}: train/ holds tweets of test/; take them away, or the test is of what was learned")
    return found


def _holds(*patterns: str) -> Callable[[Path], bool]:
    return lambda path: any(next(path.glob(pattern), None) for pattern in patterns)


READERS: Mapping[str, tuple[Callable[[Path], bool], Callable[[Path, LoadOptions], list[Utterance]]]] = {
    "iemocap": (lambda path: not synthetic.made_here(path) and iemocap.release_in(path) is not None, _iemocap),
    "synthetic": (synthetic.made_here, _synthetic),
    "semeval": (
        _holds(*(f"{place}*{end}" for place in ("", "train/", "test/") for end in semeval.FILE_ENDS)),
        _semeval,
    ),
    "meld": (_holds(*meld.FILES.values()), _meld),
    "ravdess": (_holds(*(f"{place}03-0[12]-*-*-*-*-*.*" for place in ("", "Actor_*/"))), lambda p, _: ravdess.load(p)),
    "emodb": (_holds(*(f"{place}[01][0-9][ab][01][0-9][A-Z][a-z].*" for place in ("", "wav/"))),
              lambda p, _: emodb.load(p)),
}  # fmt: skip
"""How a corpus that is published in a form of its own is recognised and read; the others are manifests."""

CORPORA = tuple(read_entries(Path(__file__).with_name("corpora.toml"), Corpus).values())


def _manifest_file(path: Path) -> Path:
    return path / "manifest.csv" if path.is_dir() else path


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # reading it says why
        return ""


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
    alike = [corpus for corpus in CORPORA if corpus.is_at(path)]
    if len(alike) == 1:
        return alike[0]
    names = ", ".join(corpus.name for corpus in alike or CORPORA)
    if alike:
        raise CorpusError(f"{path}: looks like {names}; give each its own folder, or say which it is")
    inside = sorted(file for end in manifest.SUFFIXES for file in path.glob(f"*{end}")) if path.is_dir() else []
    advice = (
        f"did you mean the file {inside[0]}?"
        if inside
        else "give a corpus' own folder or a manifest's file, or say which it is"
    )
    raise CorpusError(f"{path}: looks like none of {names}; {advice}")


def read(
    path: Path,
    *,
    corpus: Corpus | None = None,
    options: LoadOptions = LoadOptions(),
    faults: list[str] | None = None,
    left_out: Counter[str] | None = None,
    unlabelled: list[Utterance] | None = None,
) -> list[Utterance]:
    """Return the utterances of the corpus' classes, labels renamed as asked; of a user's own data, all.

    Args:
        path: the corpus' folder, or a manifest's file.
        corpus: the corpus; detected by default.
        options: see ``LoadOptions``.
        faults: gets a sentence for each row of a manifest that cannot be used; these rows are left out. None refuses
            the manifest instead.
        left_out: gets the number of utterances of each label that are neither returned nor in ``unlabelled``.
        unlabelled: gets the recordings of a known corpus that have another emotion or no label (``UNLABELLED``), of a
            corpus of texts such texts. None leaves them out, and refuses plain speech, which has no others.

    Raises:
        CorpusError: it cannot be read, an option is not for this corpus, or nothing is left.
    """
    corpus = corpus or detect(path)
    cut = options.shortest_s is not None or options.longest_s is not None
    if corpus.name not in {"iemocap", "synthetic"} and (options.merge_excited or cut):
        raise CorpusError(f"{corpus.name}: merging excited and cutting by length are for iemocap alone")
    if corpus.labels and (strange := sorted(set(options.label_map.values()) - {"", *corpus.labels})):
        raise CorpusError(
            f"{strange[0]!r} is not a class of {corpus.name}; rename to one of {', '.join(corpus.labels)}"
        )
    if corpus.plain and unlabelled is None:
        raise CorpusError(
            f"{path}: speech without labels, from which no emotion can be learned; name its folder under plain in "
            "[speech.data] of a configuration, and it teaches the others when not to be sure"
        )
    found = corpus.load(path, options, faults=faults)
    renamed = relabel(found, options.label_map)
    kept = [u for u in renamed if u.label in corpus.labels or corpus.name == OWN]
    more: list[Utterance] = []
    if unlabelled is not None and corpus.name != OWN:
        spoken = "speech" in corpus.modalities
        no_class = UNLABELLED - {*corpus.labels}
        more = [u for u in renamed if u.label in no_class and (u.audio is not None or not spoken)]
        unlabelled += more
    if left_out is not None:
        left_out.update(Counter(u.label for u in renamed) - Counter(u.label for u in (*kept, *more)))
    if not kept and not (corpus.plain and more):
        raise CorpusError(f"{path}: none of its {len(found)} utterances is left; see the labels and lengths asked for")
    return kept


def not_learned(left_out: Mapping[str, int]) -> str:
    """Return a sentence on the utterances of labels that are not learned."""
    several = sum(count for label, count in left_out.items() if "," in label)
    named = {label: count for label, count in sorted(left_out.items()) if "," not in label}
    if several:
        named["several at once"] = several
    counts = ", ".join(f"{label} {count:,}" for label, count in named.items())
    return f"utterances of labels that are not learned are left out: {counts}"


def expected(
    corpus: Corpus, options: LoadOptions = LoadOptions(), *, unlabelled: bool = False
) -> dict[str, dict[str, int]]:
    """Return how many utterances of each label ``read`` should find in each split; {} where that is not known.

    Args:
        corpus: as it is published.
        options: with which it is read.
        unlabelled: count those of another emotion or without a label too.
    """
    if options.shortest_s is not None or options.longest_s is not None:
        return {}
    result: dict[str, dict[str, int]] = {}
    for split, counts in corpus.counts.items():
        numbers = dict.fromkeys((*corpus.labels, *(sorted(UNLABELLED) if unlabelled else ())), 0)
        for label, count in counts.items():
            merged = "happy" if options.merge_excited and label == "excited" else label
            renamed = options.label_map.get(merged, merged)
            if renamed in numbers:
                numbers[renamed] += count
        result[split] = {label: count for label, count in numbers.items() if count}
    return result


def protocol_of(corpus: Corpus, utterances: Sequence[Utterance]) -> Protocol:
    """Return the corpus' protocol; of a user's own data, the strictest that its columns are there for.

    A row that leaves such a column empty does not change that: ``trainable.gaps`` finds it.
    """
    if corpus.name != OWN:
        return corpus.protocol
    if any(u.split for u in utterances):
        return "official"
    if len({u.speaker for u in utterances} - {""}) > 1:
        return "speaker"
    return corpus.protocol


def labels_of(utterances: Sequence[Utterance], corpus: Corpus | None = None) -> tuple[str, ...]:
    """Return the labels that occur: in the order of the corpus, else in the project's if it has them all, or sorted."""
    there = {u.label for u in utterances}
    known = corpus.labels if corpus else ()
    order = known or (LABELS if there <= set(LABELS) else sorted(there))
    return tuple(label for label in order if label in there)
