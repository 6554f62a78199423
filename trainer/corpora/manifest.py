"""A manifest: a CSV, TSV or JSON-lines file with a row for each utterance, of a user's own data or of a corpus.

Columns: ``label``; ``audio`` (a path, relative to the file's folder) or ``transcript`` or both; and, if known,
``speaker``, ``session``, ``split`` and ``id``. Other columns are passed over. Files as spreadsheets write them are
read too: semicolons or tabs between the columns, UTF-16.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_runtime.system.paths import why
from trainer.corpora.utterance import NAMED, Utterance
from trainer.errors import CorpusError
from trainer.toml_file import read_toml

SEPARATORS = {".csv": ",;\t", ".tsv": "\t;,"}
"""The usual one first; spreadsheets write the others, by country and by format."""
LINES = (".jsonl", ".ndjson")
SUFFIXES = (*SEPARATORS, *LINES)
COLUMNS = ("id", "audio", "transcript", "label", "speaker", "session", "split")
_WORDS = read_toml(Path(__file__).with_name("manifest_words.toml"))
OTHER_NAMES: dict[str, list[str]] = _WORDS["columns"]
"""Names by which a column is called wrongly."""
SPLITS: dict[str, list[str]] = _WORDS["splits"]
"""The accepted values of ``split``, and other names of each; capitals do not matter."""
NOBODY: list[str] = _WORDS["nobody"]
"""Written in the place of an unknown speaker: such utterances have no speaker, rather than one in common."""
ALIKE = 0.75
"""From this likeness on (difflib's ratio) a column counts as a misspelt one: "speaker_id" is 0.82."""

Row = dict[str, str]


def load(path: Path, *, corpus: str = "manifest", faults: list[str] | None = None) -> list[Utterance]:
    """Return the utterances of a manifest, in its order.

    Without an ``id`` column, an utterance's id is its audio's path as written, or its line's number. Where the
    speaker is not given it is "": no part of such data can be held out by speakers.

    Args:
        path: ``*.csv`` (commas or semicolons), ``*.tsv`` (tabs) or ``*.jsonl`` (an object a line), in UTF-8 or UTF-16;
            texts with separators, quotes or line breaks are quoted in CSV and TSV as spreadsheets do.
        corpus: name of the corpus that the utterances belong to.
        faults: gets a sentence for each row that cannot be used; these rows are left out. None refuses a manifest that
            has such rows.

    Raises:
        CorpusError: no such file, another format, a column missing, or nothing that can be used. Without ``faults``
            also a value missing, a split that is none, an id twice; file and line are named.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise CorpusError(f"{path}: a manifest's name ends in one of {', '.join(SUFFIXES)}")
    text = _decoded(path)
    rows = _json_rows(text) if path.suffix.lower() in LINES else _csv_rows(path, text)
    found: dict[str, Utterance] = {}
    refused: list[str] = []
    for number, row in rows:
        try:
            utterance = _utterance(path, corpus, number, row)
            _refuse_again(utterance, found.get(utterance.id))
            found[utterance.id] = utterance
        except CorpusError as error:
            refused.append(f"{path}:{number}: {error}")
    if refused and (faults is None or not found):
        more = f"; and {len(refused) - NAMED:,} more; `trainer corpora check` lists all" if len(refused) > NAMED else ""
        raise CorpusError("; ".join(refused[:NAMED]) + more)
    if not found:
        raise CorpusError(f"{path}: no rows in it")
    if faults is not None:
        faults += refused
    return list(found.values())


def _utterance(path: Path, corpus: str, number: int, row: Row | CorpusError) -> Utterance:
    if isinstance(row, CorpusError):
        raise row
    audio, transcript, speaker = row.get("audio", ""), row.get("transcript", ""), row.get("speaker", "")
    if not row.get("label"):
        raise CorpusError("no label")
    if not audio and not transcript:
        raise CorpusError("neither audio nor transcript")
    if "\0" in audio:
        raise CorpusError("a null character in the audio's path")
    speaker = "" if speaker.casefold() in NOBODY else speaker
    return Utterance(
        id=row.get("id") or audio or f"line-{number}",
        corpus=corpus,
        label=row["label"],
        speaker=speaker if corpus == "manifest" or not speaker else f"{corpus}-{speaker}",
        session=row.get("session", ""),
        audio=_recording(path.parent, audio) if audio else None,
        transcript=transcript or None,
        split=_split(row.get("split", "")),
        line=number,
    )


def _refuse_again(one: Utterance, earlier: Utterance | None) -> None:
    if earlier is not None:
        raise CorpusError(
            f"{one.id!r} is there a second time, as in line {earlier.line}; "
            "delete one of the two rows, or give each its own id in a column 'id'"
        )


def _decoded(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path}: {why(path, error)}") from error
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CorpusError(
            f"{path}:{line}: not text in UTF-8 or UTF-16: {error.reason}; save it again as CSV UTF-8"
        ) from error


def _recording(folder: Path, written: str) -> Path:
    """Return the path of a recording: as written, or as another system would write the name of a file that is there.

    Windows has backslashes between folders; macOS keeps the parts of a letter with an accent apart, others do not.
    """
    for slashes in (written, written.replace("\\", "/")):
        for form in (slashes, unicodedata.normalize("NFC", slashes), unicodedata.normalize("NFD", slashes)):
            try:
                if (folder / form).exists():
                    return folder / form
            except OSError:  # too long a name, say: decoding it tells
                break
    return folder / written


def _split(written: str) -> str:
    name = written.casefold()
    for split, others in SPLITS.items():
        if name == split or name in others:
            return split
    if written:
        accepted = "; ".join(f"{split} ({', '.join(others)})" for split, others in SPLITS.items())
        raise CorpusError(f"{written!r} is no split; use {accepted}")
    return ""


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, Row | CorpusError]]:
    """Yield each row and the number of its first line; in the place of a row that cannot be told apart, why."""
    separator = _separator(path, text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] | None = None
    number = 1
    try:
        for fields in reader:
            begin, number = number, reader.line_num + 1
            if not any(field.strip() for field in fields):
                continue
            if header is None:
                header = [name.strip().lower() for name in fields]
                if wrong := _wrong_columns(header, f"separated by {separator!r}"):
                    raise CorpusError(f"{path}:{begin}: {wrong}")
            elif len(fields) != len(header):
                yield (
                    begin,
                    CorpusError(
                        f"{len(fields)} fields where there are {len(header)} columns; "
                        f'a text that holds {separator!r} must stand in "quotes"'
                    ),
                )
            else:
                yield begin, {name: field.strip() for name, field in zip(header, fields, strict=True)}
    except csv.Error as error:
        raise CorpusError(
            f'{path}:{number}: {error}; is a " missing or single? Within "quotes" it is doubled'
        ) from error


def _separator(path: Path, text: str) -> str:
    """Return the separator of columns: the first with which the header has a known name, else the usual one."""
    usual = SEPARATORS[path.suffix.lower()]
    known = {*COLUMNS, *(name for names in OTHER_NAMES.values() for name in names)}
    header = next((line for line in text.splitlines() if line.strip()), "")
    for separator in usual:
        if {name.strip(' "').lower() for name in header.split(separator)} & known:
            return separator
    return usual[0]


def _json_rows(text: str) -> Iterator[tuple[int, Row | CorpusError]]:
    """Yield each row and its line's number; in the place of one that is not to be read, why."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, _json_row(line)
            except CorpusError as error:
                yield number, error


def _json_row(line: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise CorpusError(f"not JSON: {error}") from error
    if not isinstance(row, dict):
        raise CorpusError('expected an object such as {"audio": "a.wav", "label": "happy"}')
    row = {name.strip().lower(): value for name, value in row.items()}
    if wrong := _wrong_columns(list(row), "the object's keys"):
        raise CorpusError(wrong)
    return {name: _text(name, row[name]) for name in COLUMNS if name in row}


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise CorpusError(f"{name} is {value!r}; expected a text")
    if re.search(r"[\ud800-\udfff]", str(value)):
        raise CorpusError(f"{name} holds half a character (one \\uD800 to \\uDFFF without its other)")
    return str(value).strip()


def _wrong_columns(there: list[str], separated: str) -> str | None:
    """Return which column is missing, misspelt or there twice: passed over, it would cost data in silence."""
    if twice := sorted({name for name in there if name in COLUMNS and there.count(name) > 1}):
        return f"column {twice[0]!r} is there twice"
    others = [name for name in there if name not in COLUMNS]
    for name in COLUMNS[1:]:
        meant = [other for other in others if re.sub(r"\W+", "_", other) in OTHER_NAMES.get(name, ())]
        meant += difflib.get_close_matches(name, others, n=1, cutoff=ALIKE)
        if name not in there and meant:
            return f"no column {name!r}, but {meant[0]!r}; did you mean {name!r}? Rename it"
    for names in (("label",), ("audio", "transcript")):
        if not set(names) & set(there):
            return f"no column {' or '.join(map(repr, names))}; there are {there} ({separated})"
    return None
