"""Texts that stand in several corpora, or in several parts of one: none is learned that is tested on."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from trainer.corpora.protocols import tested_split
from trainer.corpora.utterance import Utterance

COMMON_WORDS = 3
"""Texts of so many words or fewer ("Thank you.") are said by everybody: they stay, however often they stand there."""
TESTED, CONFLICTING, REPEATED = "tested on elsewhere", "with different labels", "repeated"
RANKS = {"train": 2, "dev": 1}
"""Of parts that are not tested on, the one whose copy is kept comes first; those of no part come last."""


def comparable(text: str) -> str:
    """Return the words of a text alone: in lower case, without marks."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold().replace("'", "").replace("\u2019", "")))


def without_duplicates(utterances: Sequence[Utterance]) -> tuple[list[Utterance], Counter[str]]:
    """Return the utterances without repeated texts, and how many were left out for each reason.

    A tested part stays whole, since a score is of all of it: its texts are taken out of all else. Of what is left a
    text is kept once, of a dev part rather than of a train part; where its labels differ it is not kept at all.

    Args:
        utterances: of one corpus or of several, with transcripts.
    """
    tested = {corpus: tested_split([u for u in utterances if u.corpus == corpus]) for corpus in _names(utterances)}
    copies: dict[str, list[Utterance]] = defaultdict(list)
    for u in utterances:
        if len((words := comparable(u.transcript or "")).split()) > COMMON_WORDS:
            copies[words].append(u)
    gone: dict[tuple[str, str], str] = {}
    for alike in copies.values():
        free = [u for u in alike if not (u.split and u.split == tested[u.corpus])]
        if len(free) < len(alike):
            gone |= dict.fromkeys(map(_key, free), TESTED)
        elif len({u.label for u in free}) > 1:
            gone |= dict.fromkeys(map(_key, free), CONFLICTING)
        else:
            free.sort(key=lambda u: RANKS.get(u.split, len(RANKS) + 1))
            gone |= dict.fromkeys(map(_key, free[1:]), REPEATED)
    return [u for u in utterances if _key(u) not in gone], Counter(gone.values())


def _names(utterances: Sequence[Utterance]) -> list[str]:
    return list(dict.fromkeys(u.corpus for u in utterances))


def _key(utterance: Utterance) -> tuple[str, str]:
    return utterance.corpus, utterance.id
