"""SemEval 2017 Task 4A (Rosenthal et al. 2017): tweets with a sentiment, as in the paper's Table 1."""

from __future__ import annotations

import re
from pathlib import Path

from edge_runtime.errors import CorpusError
from trainer.corpora.records import Utterance

SENTIMENTS = ("positive", "neutral", "negative")
ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def load(folder: Path) -> list[Utterance]:
    """Return the tweets of every ``*.txt`` or ``*.tsv`` file in ``folder``: id, label and text by tabs.

    The files are not quoted; some hold literal ``\\u2019`` escapes, a fourth empty field, or an id twice.
    A tweet that stands twice with one label is kept once, one with conflicting labels not at all.

    Raises:
        CorpusError: there is no file, or a line has no known label.
    """
    tweets: dict[str, Utterance] = {}
    conflicting = set()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in {".txt", ".tsv"}):
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except UnicodeDecodeError as error:
            raise CorpusError(f"{path}: not text in UTF-8: {error}") from error
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            fields = line.rstrip("\r").split("\t")
            if len(fields) < 3 or fields[1] not in SENTIMENTS:
                raise CorpusError(f"{path}:{number}: expected id, {'|'.join(SENTIMENTS)} and text, tab-separated")
            tweet, label, text = fields[:3]
            if tweet in tweets and tweets[tweet].label != label:
                conflicting.add(tweet)
            tweets[tweet] = Utterance(
                id=tweet,
                corpus="semeval",
                label=label,
                speaker="",
                session=path.stem,
                transcript=ESCAPE.sub(lambda m: chr(int(m[1], 16)), text),
            )
    if not tweets:
        raise CorpusError(f"{folder}: no tweets; expected the task's tab-separated files")
    return [u for u in tweets.values() if u.id not in conflicting]
