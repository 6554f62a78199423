"""A user's own data: a CSV, TSV or JSON-lines file with a row for each utterance.

Columns: ``label``; ``audio`` (a path, relative to the file's folder) or ``transcript`` or both; and, if known,
``speaker``, ``session``, ``split`` and ``id``. Other columns are passed over. What spreadsheets make of it is read as
well: semicolons or tabs between the columns, UTF-16.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge_runtime.system.paths import why
from trainer.corpora.utterance import Utterance, relabel
from trainer.errors import CorpusError

SEPARATORS = {".csv": ",;\t", ".tsv": "\t;,"}
"""The usual one first; spreadsheets write the others, by country and by format."""
LINES = (".jsonl", ".ndjson")
SUFFIXES = (*SEPARATORS, *LINES)
COLUMNS = ("id", "audio", "transcript", "label", "speaker", "session", "split")
OTHER_NAMES = {
    "audio": ("file", "filename", "path", "wav", "recording", "audio_path", "audio_file"),
    "transcript": ("text", "sentence", "words", "utterance"),
    "label": ("emotion", "class", "target", "sentiment"),
}
SPLITS = {
    "train": ("training", "trn"),
    "dev": ("development", "devel", "val", "valid", "validation"),
    "test": ("testing", "tst", "eval", "evaluation"),
}
"""The accepted values of ``split``, and what else each is called; capitals do not matter."""
NOBODY = frozenset({"unknown", "unk", "none", "null", "nan", "n/a", "?", "-"})
"""What is written where nobody knows who speaks: no speaker, least of all one who said all of that."""
ALIKE = 0.75
"""From this likeness on (difflib's ratio) a column counts as a misspelt one: "speaker_id" is 0.82."""

Row = dict[str, str]


def load(path: Path, *, label_map: Mapping[str, str] | None = None) -> list[Utterance]:
    """Return the utterances of a manifest, in its order.

    Without an ``id`` column, an utterance's id is its audio's path as written, or its line's number. Where the
    speaker is not given it is "": no part of such data can be held out by speakers.

    Args:
        path: ``*.csv`` (commas or semicolons), ``*.tsv`` (tabs) or ``*.jsonl`` (an object a line), in UTF-8 or UTF-16;
            texts with separators, quotes or line breaks are quoted in CSV and TSV as spreadsheets do.
        label_map: new names of labels, several to one to merge them; "" leaves a label out.

    Raises:
        CorpusError: no such file, another format, a column or value missing, a split that is none, an id twice; file
            and line are named.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise CorpusError(f"{path}: a manifest's name ends in one of {', '.join(SUFFIXES)}")
    text = _decoded(path)
    rows = _json_rows(path, text) if path.suffix.lower() in LINES else _csv_rows(path, text)
    found: dict[str, Utterance] = {}
    for number, row in rows:
        utterance = _utterance(path, number, row)
        if utterance.id in found:
            raise CorpusError(
                f"{path}:{number}: {utterance.id!r} is there a second time, as in line {found[utterance.id].line}; "
                "delete one of the two rows, or give each its own id in a column 'id'"
            )
        found[utterance.id] = utterance
    if not found:
        raise CorpusError(f"{path}: no rows in it")
    return relabel(list(found.values()), label_map or {})


def _utterance(path: Path, number: int, row: Row) -> Utterance:
    audio, transcript, speaker = row.get("audio", ""), row.get("transcript", ""), row.get("speaker", "")
    if not row.get("label"):
        raise CorpusError(f"{path}:{number}: no label")
    if not audio and not transcript:
        raise CorpusError(f"{path}:{number}: neither audio nor transcript")
    if "\0" in audio:
        raise CorpusError(f"{path}:{number}: a null character in the audio's path")
    return Utterance(
        id=row.get("id") or audio or f"line-{number}",
        corpus="manifest",
        label=row["label"],
        speaker="" if speaker.casefold() in NOBODY else speaker,
        session=row.get("session", ""),
        audio=_recording(path.parent, audio) if audio else None,
        transcript=transcript or None,
        split=_split(f"{path}:{number}", row.get("split", "")),
        line=number,
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


def _split(place: str, written: str) -> str:
    name = written.casefold()
    for split, others in SPLITS.items():
        if name == split or name in others:
            return split
    if written:
        accepted = "; ".join(f"{split} ({', '.join(others)})" for split, others in SPLITS.items())
        raise CorpusError(f"{place}: {written!r} is no split; use {accepted}")
    return ""


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, Row]]:
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
                _check_columns(f"{path}:{begin}", header, f"separated by {separator!r}")
            elif len(fields) != len(header):
                raise CorpusError(
                    f"{path}:{begin}: {len(fields)} fields where there are {len(header)} columns; "
                    f'a text that holds {separator!r} must stand in "quotes"'
                )
            else:
                yield begin, {name: field.strip() for name, field in zip(header, fields, strict=True)}
    except csv.Error as error:
        raise CorpusError(
            f'{path}:{number}: {error}; is a " missing or single? Within "quotes" it is doubled'
        ) from error


def _separator(path: Path, text: str) -> str:
    """Return what stands between the columns: the first that makes a known name in the header, else the usual one."""
    usual = SEPARATORS[path.suffix.lower()]
    known = {*COLUMNS, *(name for names in OTHER_NAMES.values() for name in names)}
    header = next((line for line in text.splitlines() if line.strip()), "")
    for separator in usual:
        if {name.strip(' "').lower() for name in header.split(separator)} & known:
            return separator
    return usual[0]


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise CorpusError(f"{path}:{number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise CorpusError(f'{path}:{number}: expected an object such as {{"audio": "a.wav", "label": "happy"}}')
        row = {name.strip().lower(): value for name, value in row.items()}
        _check_columns(f"{path}:{number}", list(row), "the object's keys")
        yield number, {name: _text(f"{path}:{number}", name, row[name]) for name in COLUMNS if name in row}


def _text(place: str, name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise CorpusError(f"{place}: {name} is {value!r}; expected a text")
    if re.search(r"[\ud800-\udfff]", str(value)):
        raise CorpusError(f"{place}: {name} holds half a character (one \\uD800 to \\uDFFF without its other)")
    return str(value).strip()


def _check_columns(place: str, there: list[str], separated: str) -> None:
    """Refuse columns that are missing, misspelt or there twice: passed over, they would cost data in silence."""
    if twice := sorted({name for name in there if name in COLUMNS and there.count(name) > 1}):
        raise CorpusError(f"{place}: column {twice[0]!r} is there twice")
    others = [name for name in there if name not in COLUMNS]
    for name in COLUMNS[1:]:
        meant = [other for other in others if re.sub(r"\W+", "_", other) in OTHER_NAMES.get(name, ())]
        meant += difflib.get_close_matches(name, others, n=1, cutoff=ALIKE)
        if name not in there and meant:
            raise CorpusError(f"{place}: no column {name!r}, but {meant[0]!r}; did you mean {name!r}? Rename it")
    for names in (("label",), ("audio", "transcript")):
        if not set(names) & set(there):
            raise CorpusError(f"{place}: no column {' or '.join(map(repr, names))}; there are {there} ({separated})")
