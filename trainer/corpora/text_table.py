"""A corpus of texts as one table: a row for each utterance, in the order of the dialogue, tabs between the columns.

Nothing is quoted. The columns are those of ``COLUMNS``; ``mapped_label`` is passed over, because the corpus' block in
``corpora.toml`` maps ``label``. A label may be several, joined by commas.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Mapping
from pathlib import Path

from edge_runtime.system.paths import why
from trainer.corpora.dialogue import with_context
from trainer.corpora.utterance import Utterance
from trainer.errors import CorpusError

SUFFIX = ".tsv"
COLUMNS = ("split", "label", "mapped_label", "dialogue_id", "utterance_index", "text")
SPLITS = {"train": "train", "dev": "dev", "test": "test", "all": ""} | {
    "valid_freq": "train", "valid_rare": "train", "test_freq": "train", "test_rare": "test",
}  # fmt: skip
"""Names of splits in a table, and what they are here. Topical-Chat comes without its training part: all of it is
learned from but for conversations on topics that are rare in the rest."""
NAMES = ("Anna", "Ben", "Carol", "Daniel", "Emma", "Frank", "Grace", "Henry", "Julia", "Kevin", "Laura", "Martin",
         "Nina", "Oliver", "Paul", "Rose", "Sarah", "Thomas", "Victor", "Wendy")  # fmt: skip
MASKS = {"NAME": NAMES, "PERSON": NAMES, "LOCATION": ("London", "Paris", "Boston", "Chicago"), "RELIGION": ("church",)}
"""Words in the place of what was masked. Where masks stand, and where not, would tell a network the label."""
MASK = re.compile(r"\[([A-Z]+)\]")
TAG = re.compile(r"</?[a-z][^<>]*>|\[[^\[\]]*\]")
"""Markup, and remarks on what is heard."""
BEFORE_MARKS = re.compile(r"\s+(?=[.,!?;:%)]|n't\b|'(?:s|m|d|t|re|ve|ll)\b)")
"""Spaces of tokenised text: "I do n't know , Anna ."; in other text there are none."""


def load(path: Path, corpus: str, *, sides: bool = False) -> list[Utterance]:
    """Return the utterances of a table, in its order, each with the turns before it.

    Rows without a word are left out. They are one mark, one picture, or nothing.

    Args:
        path: the table, in UTF-8.
        corpus: its name.
        sides: two people take turns in each dialogue, so that every other turn is by the same speaker; else nobody
            knows who speaks.

    Raises:
        CorpusError: it cannot be read, or a row does not fit; file and line are named.
    """
    try:
        # Not read_text: a carriage return inside a text is not the end of a row.
        header, *lines = path.read_bytes().decode("utf-8").split("\n")
    except OSError as error:
        raise CorpusError(f"{path}: {why(path, error, wanted='file')}") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: not text in UTF-8: {error}") from error
    if tuple(header.rstrip("\r").split("\t")) != COLUMNS:
        raise CorpusError(f"{path}:1: expected the columns {', '.join(COLUMNS)}, with tabs between them")
    found = []
    for number, line in enumerate(lines, start=2):
        if line and (utterance := _utterance(f"{path}:{number}", number, corpus, line.rstrip("\r"), sides)):
            found.append(utterance)
    return with_context(found)


def is_table(path: Path) -> bool:
    """Whether a file may be such a table: by its name and its first line."""
    if path.suffix.lower() != SUFFIX:
        return False
    try:
        with path.open("rb") as file:
            return file.readline().rstrip(b"\r\n") == "\t".join(COLUMNS).encode()
    except OSError:  # reading it says why
        return False


def one_label(label: str, label_map: Mapping[str, str]) -> str:
    """Return the label of an utterance that may have several.

    Several that are mapped to one are that one. Others stay as they are written, and are learned from in no way.

    Args:
        label: as written, several joined by commas.
        label_map: own labels → the project's.
    """
    mapped = {label_map.get(part, part) for part in label.split(",")}
    return mapped.pop() if len(mapped) == 1 else label


def clean(text: str) -> str:
    """Return a text without what only one corpus has: masks, markup, pictures, spaces of tokenisation, quotes.

    Subtitles begin a change of speaker with a dash; a table of quoted text that was read unquoted doubles its quotes.
    """
    names = zlib.crc32(text.encode())  # the same text gets the same name each time
    if "[" in text or "<" in text:
        text = TAG.sub(" ", MASK.sub(lambda found: _unmasked(found[1], names), text))
    if not text.isascii():
        text = "".join(c for c in text if unicodedata.category(c) not in {"So", "Sk", "Cf", "Cc"})
    text = BEFORE_MARKS.sub("", text.replace("``", '"').replace("''", '"').replace('""', '"'))
    return " ".join(text.split()).strip('"- \u2013')


def _unmasked(mask: str, number: int) -> str:
    words = MASKS.get(mask, ("",))
    return words[number % len(words)]


def _utterance(where: str, number: int, corpus: str, line: str, sides: bool) -> Utterance | None:
    fields = line.split("\t")
    if len(fields) != len(COLUMNS):
        raise CorpusError(f"{where}: {len(fields)} columns where there are {len(COLUMNS)}")
    split, label, _, dialogue, turn, text = fields
    if split not in SPLITS:
        raise CorpusError(f"{where}: no split called {split!r}; there are {', '.join(SPLITS)}")
    if not label:
        raise CorpusError(f"{where}: without a label")
    if turn and not turn.isdigit():
        raise CorpusError(f"{where}: utterance_index is {turn!r}, which is no number")
    words = clean(text)
    if not any(c.isalpha() for c in words):
        return None
    side = f"{corpus}-{dialogue}-{'ab'[int(turn) % 2]}" if sides and turn else ""
    return Utterance(
        id=f"{number}",
        corpus=corpus,
        label=label,
        speaker=side,
        session=f"{SPLITS[split]}-{dialogue}" if dialogue and turn else "",
        transcript=words,
        split=SPLITS[split],
    )
