"""Which other recordings of a speaker a recording is compared with, in training and in testing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.corpora.utterance import Utterance

Rows = NDArray[np.intp]

NONE_SHARE = 0.35
"""Share of the examples without a baseline."""
ONE_MOOD_SHARE = 0.15
"""Share of the baselines whose recordings all have one label, as of somebody who is angry throughout."""
SHORTEST_S, LONGEST_S = 1.0, 200.0
"""Seconds of speech in a baseline; their logarithm is drawn evenly."""
MOST_ROWS = 24
"""Recordings of a baseline in training: with more the answer changes little."""


@dataclass(frozen=True)
class Speakers:
    """The recordings of each speaker.

    Attributes:
        own: rows of each speaker, by corpus and name; recordings that name nobody are of no speaker.
        keys: the speaker of each recording; None of one that names nobody.
        labels: of each recording.
        speech_s: seconds of speech in each recording (n,).
    """

    own: dict[tuple[str, str], Rows]
    keys: Sequence[tuple[str, str] | None]
    labels: NDArray[np.str_]
    speech_s: NDArray[np.float32]

    @classmethod
    def of(cls, utterances: Sequence[Utterance], speech_s: NDArray[np.float32]) -> Speakers:
        """Return the speakers of ``utterances``, in which somebody speaks for ``speech_s`` (n,)."""
        rows: dict[tuple[str, str], list[int]] = defaultdict(list)
        keys = [(u.corpus, u.speaker) if u.speaker else None for u in utterances]
        for row, key in enumerate(keys):
            if key is not None:
                rows[key].append(row)
        own = {key: np.array(found, np.intp) for key, found in rows.items()}
        return cls(own, keys, np.array([u.label for u in utterances]), speech_s)

    def others(self, row: int, label: str | None = None) -> Rows:
        """Return the other recordings of the speaker of ``row``, those of one ``label`` if one is given."""
        key = self.keys[row]
        if key is None:
            return np.zeros(0, np.intp)
        own = self.own[key]
        kept = own != row
        if label is not None:
            kept &= self.labels[own] == label
        found: Rows = own[kept]
        return found

    def draw(
        self, row: int, seconds: float, random: np.random.Generator, *, label: str | None = None, most: int = MOST_ROWS
    ) -> Rows:
        """Return others in random order until they speak for ``seconds``; fewer where there are no more."""
        drawn = random.permutation(self.others(row, label))[:most]
        enough = int(np.searchsorted(np.cumsum(self.speech_s[drawn]), seconds)) + 1
        return drawn[:enough]

    def draw_for_training(self, row: int, random: np.random.Generator) -> Rows:
        """Return the recordings of a random baseline: none, short or long, of every mood or of one."""
        if random.random() < NONE_SHARE:
            return np.zeros(0, np.intp)
        seconds = float(np.exp(random.uniform(np.log(SHORTEST_S), np.log(LONGEST_S))))
        label = None
        if random.random() < ONE_MOOD_SHARE:
            there = np.unique(self.labels[self.others(row)])
            label = str(random.choice(there)) if len(there) else None
        return self.draw(row, seconds, random, label=label)
