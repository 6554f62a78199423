"""Pronunciations from the CMU Pronouncing Dictionary, and the words of a vocabulary that sound nearly alike."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from trainer.errors import WeightsError
from trainer.pretrained.download import provenance
from trainer.toml_file import read_toml

FILE = "cmudict.dict"
Phonemes = tuple[str, ...]
Dictionary = Mapping[str, Phonemes]

FEATURES: Mapping[str, str] = read_toml(Path(__file__).with_name("phonemes.toml"))
"""Articulation of the dictionary's phonemes, after the chart and the American English of the Handbook of the
International Phonetic Association (1999); liquids and semivowels as in the dictionary's own list of phonemes."""

VOWELS = frozenset(p for p in FEATURES if p[0] in "AEIOU")
FEATURE_COST = 0.25
"""Of a substitution, for each feature that differs; a vowel for a consonant, a phoneme lost or gained costs 1."""
SYMBOLS = {phoneme: chr(ord("A") + number) for number, phoneme in enumerate(FEATURES)}
"""One character a phoneme, so that pronunciations are strings to a string-matching library."""
SHORTLIST = 64
LINE = re.compile(r"(\S+)((?: [A-Z]+[0-2]?)+)(?: #.*)?")


def read(folder: Path) -> dict[str, Phonemes]:
    """Return word → phonemes without stress, of the first pronunciation, from what ``trainer fetch cmudict`` wrote.

    Raises:
        WeightsError: the dictionary is not there, or is damaged.
    """
    provenance(folder)
    path = folder / FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: cannot be read ({error}); delete the folder and run `trainer fetch`") from error
    words: dict[str, Phonemes] = {}
    for number, line in enumerate(lines, start=1):
        found = LINE.fullmatch(line)
        phonemes = tuple(p.rstrip("012") for p in found[2].split()) if found else ()
        if found is None or not FEATURES.keys() >= set(phonemes):
            raise WeightsError(
                f"{path}:{number}: not a word and its phonemes; delete the folder and run `trainer fetch`"
            )
        if not found[1].endswith(")"):  # read(2) is another pronunciation of the word before
            words[found[1]] = phonemes
    return words


def distance(one: Phonemes, other: Phonemes) -> float:
    """Return how unlike two pronunciations are: 0 the same, 1 nothing in common.

    This is the cost of the cheapest edits (see ``FEATURE_COST``) over the longer one's number of phonemes.
    """
    row = [float(j) for j in range(len(other) + 1)]
    for i, phoneme in enumerate(one, start=1):
        before, row = row, [float(i)]
        costs = _COSTS[phoneme]
        for j, facing in enumerate(other):
            row.append(min(before[j] + costs[facing], before[j + 1] + 1.0, row[j] + 1.0))
    return row[-1] / max(len(one), len(other), 1)


def _cost(one: str, other: str) -> float:
    if (one in VOWELS) != (other in VOWELS):
        return 1.0
    features = zip(FEATURES[one].split(), FEATURES[other].split(), strict=True)
    return FEATURE_COST * sum(a != b for a, b in features)


_COSTS = {one: {other: _cost(one, other) for other in FEATURES} for one in FEATURES}


class Nearest:
    """The words of a vocabulary by how nearly they sound like a given one."""

    def __init__(self, vocabulary: Sequence[str], dictionary: Dictionary) -> None:
        """Index ``vocabulary``: words in lower case, the ones to be preferred among equals first."""
        self._dictionary = dictionary
        self._words = list(vocabulary)
        self._spoken = [w for w in self._words if w in dictionary]
        self._codes = [_code(dictionary[w]) for w in self._spoken]

    def __call__(self, word: str, limit: int) -> list[tuple[str, float]]:
        """Return at most ``limit`` other words and their distances in [0, 1], the nearest first.

        Of a word that is not in the dictionary the pronunciation is unknown. It is compared by spelling, with
        the whole vocabulary: Levenshtein distance over the longer one's number of letters.
        """
        if word in self._dictionary:
            phonemes = self._dictionary[word]
            few = _shortlist(_code(phonemes), self._codes)
            found = [(self._spoken[k], distance(phonemes, self._dictionary[self._spoken[k]])) for k in few]
        else:
            few = _shortlist(word, self._words)
            found = [(self._words[k], Levenshtein.normalized_distance(word, self._words[k])) for k in few]
        return sorted((f for f in found if f[0] != word), key=lambda f: f[1])[:limit]


def _code(phonemes: Phonemes) -> str:
    return "".join(SYMBOLS[p] for p in phonemes)


def _shortlist(code: str, codes: Sequence[str]) -> NDArray[np.intp]:
    """Return which of ``codes`` are nearest by plain edits, which take no time; of equals the first."""
    if not codes:
        return np.empty(0, np.intp)
    edits = process.cdist([code], codes, scorer=Levenshtein.distance, dtype=np.uint16)[0]
    return np.argsort(edits, kind="stable")[:SHORTLIST]
