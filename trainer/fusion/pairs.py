"""Training pairs of voice and words, made honestly, for want of an open corpus that has both.

RAVDESS and EmoDB have emotional voices that say neutral sentences, MELD has emotional words and no voice. So:

- *agreeing*: a voice and MELD words of the same label;
- *neutral words*: an emotional voice with neutral MELD words, or with the sentence that it really says: the
  label is the voice's;
- *neutral voice*: emotional words in a neutral voice: the label is the words';
- *alone*: one of them only (modality dropout).

What is never made is a voice and words that contradict each other, for nobody can say which is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Int = NDArray[np.integer[Any]]

SHARES: Mapping[str, float] = {
    "agreeing": 0.6,
    "own_sentence": 0.1,
    "neutral_words": 0.05,
    "neutral_voice": 0.05,
    "voice_alone": 0.1,
    "words_alone": 0.1,
}
NEUTRAL = 0


@dataclass(frozen=True)
class Side:
    """One branch's embeddings (n, width) and their labels (n,)."""

    embeddings: Float
    labels: Int

    def draw(self, random: np.random.Generator, label: int) -> int:
        """Return a random row of the given label."""
        return int(random.choice(np.flatnonzero(self.labels == label)))


@dataclass(frozen=True)
class Pairs:
    """Rows for fusion: both embeddings, which of them are present (n, 2), and the label (n,)."""

    speech: Float
    text: Float
    present: Float
    labels: Int


def training_pairs(voices: Side, words: Side, own_words: NDArray[np.floating[Any]], count: int, *, seed: int) -> Pairs:
    """Draw ``count`` pairs in the shares of ``SHARES``, each label as often as the others.

    Args:
        voices: embeddings of recordings.
        words: embeddings of MELD's sentences.
        own_words: embedding of what each recording says (recordings, width), NaN where nobody wrote it down.
        count: how many.
        seed: of the draw.
    """
    random = np.random.default_rng(seed)
    known = Side(voices.embeddings, np.where(np.isnan(own_words).any(1), -1, voices.labels))
    kinds = random.choice(list(SHARES), size=count, p=list(SHARES.values()))
    labels = random.integers(0, int(voices.labels.max()) + 1, size=count)
    speech = np.zeros((count, voices.embeddings.shape[1]), np.float32)
    text = np.zeros((count, words.embeddings.shape[1]), np.float32)
    present = np.ones((count, 2), np.float32)
    for i, (kind, label) in enumerate(zip(kinds, labels, strict=True)):
        present[i] = kind != "words_alone", kind != "voice_alone"
        if kind != "words_alone":
            source = known if kind == "own_sentence" else voices
            voice = source.draw(random, NEUTRAL if kind == "neutral_voice" else label)
            speech[i] = voices.embeddings[voice]
            if kind == "own_sentence":
                text[i] = own_words[voice]
        if kind in {"agreeing", "neutral_voice", "words_alone"}:
            text[i] = words.embeddings[words.draw(random, label)]
        elif kind == "neutral_words":
            text[i] = words.embeddings[words.draw(random, NEUTRAL)]
    return Pairs(speech, text, present, labels)


def agreeing_pairs(voices: Side, words: Side, *, seed: int) -> tuple[Int, Int]:
    """Return rows of voices and words that agree: each voice once, with random words of its label."""
    random = np.random.default_rng(seed)
    return np.arange(len(voices.labels)), np.array([words.draw(random, label) for label in voices.labels])
