"""SemEval 2017 Task 4A (Rosenthal et al. 2017): tweets with a sentiment, as in the paper's Table 1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from trainer.corpora.files import files_below
from trainer.corpora.utterance import Utterance
from trainer.errors import CorpusError

SENTIMENTS = ("positive", "neutral", "negative")
FILE_ENDS = ("-A.txt", "-A.tsv", "subtask-A.*.txt", "subtask-A.*.tsv")
ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
TEST_COUNT = 12_284


def load(folder: Path, split: str = "") -> list[Utterance]:
    """Return the tweets of every ``*.txt`` or ``*.tsv`` file in ``folder``: id, label and text by tabs.

    The files are not quoted; some hold literal ``\\u2019`` escapes, a fourth empty field, or an id twice.
    A tweet that stands twice with one label is kept once, one with conflicting labels not at all. The official
    test set is another matter: a score is of all of its tweets or of none.

    Args:
        folder: with the files somewhere below; with a split, the folder that holds ``train/`` and ``test/``.
        split: "train" or "test"; without, whatever is below ``folder``.

    Raises:
        CorpusError: there is no file, a line has no known label, or the test set is not the official 12,284 tweets.
    """
    folder = folder / split
    tweets: dict[str, Utterance] = {}
    conflicting = set()
    for tweet in _tweets(folder):
        if tweet.id in tweets and split == "test":
            raise CorpusError(f"{folder}: tweet {tweet.id} stands twice; keep the official test file alone there")
        if tweet.id in tweets and tweets[tweet.id].label != tweet.label:
            conflicting.add(tweet.id)
        tweets[tweet.id] = replace(tweet, split=split)
    if not tweets:
        raise CorpusError(f"{folder}: no tweets; expected the task's tab-separated files")
    if split == "test" and len(tweets) != TEST_COUNT:
        raise CorpusError(f"{folder}: {len(tweets)} tweets where the official test set has {TEST_COUNT}")
    return [u for u in tweets.values() if u.id not in conflicting]


def _tweets(folder: Path) -> Iterator[Utterance]:
    for path in files_below(folder, (".txt", ".tsv")):
        try:
            # Not read_text: it would take a carriage return within a tweet for the end of the line.
            lines = path.read_bytes().decode().split("\n")
        except UnicodeDecodeError as error:
            raise CorpusError(f"{path}: not text in UTF-8: {error}") from error
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            fields = line.rstrip("\r").split("\t")
            if len(fields) < 3 or fields[1] not in SENTIMENTS:
                raise CorpusError(f"{path}:{number}: expected id, {'|'.join(SENTIMENTS)} and text, tab-separated")
            tweet, label, text = fields[:3]
            yield Utterance(
                id=tweet,
                corpus="semeval",
                label=label,
                speaker="",
                session=path.stem,
                transcript=ESCAPE.sub(lambda m: chr(int(m[1], 16)), text),
            )
