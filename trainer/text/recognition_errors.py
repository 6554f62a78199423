"""Words as a speech recogniser would have written them: simulated errors at a target rate.

The paper trains on artificially noised transcripts (section 5.3.1). Here a word becomes one of the vocabulary
that is spelled nearly like it (the nearer, the likelier), is dropped, or is doubled by a common word; and
shouted punctuation is calmed, for a recogniser seldom writes an exclamation mark.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler

# Shares of Whisper-like recognisers' errors: substitutions prevail.
SUBSTITUTION, DELETION = 0.7, 0.2
WORD = re.compile(r"[A-Za-z']+")
NEIGHBOURS = 8
SHARPNESS = 12.0


class RecognitionErrors:
    """A seeded source of recognition errors over the vocabulary of given sentences."""

    def __init__(self, sentences: Sequence[str], *, rate: float, seed: int) -> None:
        """Learn the vocabulary; ``rate`` is the word error rate aimed at (0.06 in the paper)."""
        if not 0 <= rate < 1:
            raise ValueError(f"word error rate {rate}: must lie in [0, 1)")
        counts = Counter(w.lower() for s in sentences for w in WORD.findall(s))
        self.vocabulary = sorted(counts)
        self.common = [w for w, _ in counts.most_common(50)]
        self.rate = rate
        self.random = np.random.default_rng(seed)
        self._near: dict[str, tuple[list[str], list[float]]] = {}

    def __call__(self, sentence: str) -> str:
        """Return ``sentence`` with errors."""
        heard = re.sub(r"[!?]*![!?]*", ".", sentence)
        words = []
        for word in heard.split():
            if self.random.random() >= self.rate or not WORD.search(word):
                words.append(word)
                continue
            kind = self.random.random()
            if kind < SUBSTITUTION:
                words.append(WORD.sub(lambda m: self._substitute(m.group()), word, count=1))
            elif kind >= SUBSTITUTION + DELETION and self.common:
                words += [word, str(self.random.choice(self.common))]
        return " ".join(words) or heard

    def _substitute(self, word: str) -> str:
        near, weights = self._neighbours(word.lower())
        return str(self.random.choice(near, p=weights)) if near else word

    def _neighbours(self, word: str) -> tuple[list[str], list[float]]:
        if word not in self._near:
            found = process.extract(word, self.vocabulary, scorer=JaroWinkler.similarity, limit=NEIGHBOURS + 1)
            near = [(w, score) for w, score, _ in found if w != word][:NEIGHBOURS]
            weights = np.exp(SHARPNESS * np.array([score for _, score in near]))
            self._near[word] = ([w for w, _ in near], list(weights / weights.sum()))
        return self._near[word]
