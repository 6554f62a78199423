"""Pairs of speech and text that fusion learns from.

Few corpora have emotional speech that says emotional sentences, so that pairs are made:

- *own words*: a recording and what the recogniser wrote of it, sense or nonsense;
- *agreeing*: a recording and a sentence of the same label;
- *disagreeing*: a recording and a sentence of any label;
- *neutral text*: a recording and a neutral sentence;
- *nonsense*: a recording and what the recogniser wrote, in doubt, of another one;
- *plain*: plain speech and its own words, mostly neutral;
- *speech alone*, *text alone*: the other branch is missing (modality dropout).

Where voice and words disagree, the label is the voice's: what is labelled in the corpora is how something is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.asr import SURE
from edge_runtime.inference.evidence import NAMES, NO_SOUND
from trainer.modality import Float, Int, soft_label

SHARES: Mapping[str, float] = {
    "own_words": 0.48,
    "agreeing": 0.01,
    "disagreeing": 0.3,
    "neutral_text": 0.05,
    "nonsense": 0.1,
    "plain": 0.1,
    "speech_alone": 0.04,
    "text_alone": 0.04,
}
GIVEN_SHARE = 0.15
"""Of the sentences that are paired with a recording, so many count as given by the user, and so as certain."""
NEUTRAL = "neutral"
Mask = NDArray[np.bool_]
CERTAIN = np.array([getattr(NO_SOUND, name) for name in NAMES], np.float32)
MEAN, LOWEST = NAMES.index("mean_log_probability"), NAMES.index("lowest_log_probability")


@dataclass(frozen=True)
class LabelledRows:
    """What one branch says of utterances that it did not learn from.

    Attributes:
        values: its logits or embeddings (n, width).
        labels: index of each utterance's label (n,).
    """

    values: Float
    labels: Int

    def draw(self, random: np.random.Generator, label: int) -> int:
        """Return a random row of the given label."""
        return int(random.choice(np.flatnonzero(self.labels == label)))


@dataclass(frozen=True)
class Words:
    """What text emotion says of the words of each recording, and how far they can be relied on.

    Attributes:
        logits: (recordings, classes), NaN of a recording without words.
        evidence: (recordings, numbers of ``NAMES``).
    """

    logits: Float
    evidence: Float

    @property
    def there(self) -> Mask:
        """Which recordings have words (recordings,)."""
        return ~np.isnan(self.logits[:, 0])

    def where(self, rows: Int | Mask) -> Words:
        """Return those of some recordings: their rows, or a mask."""
        return Words(self.logits[rows], self.evidence[rows])


@dataclass(frozen=True)
class Pairs:
    """Rows for fusion.

    Attributes:
        speech, text: values (n, width).
        present: which of the two are there (n, 2).
        evidence: of the words (n, numbers of ``NAMES``).
        labels: (n,); of plain speech the index after the classes that ``trainer.modality.SOFT`` has.
    """

    speech: Float
    text: Float
    present: Float
    evidence: Float
    labels: Int


def training_pairs(
    speech: Float,
    labels: Int,
    corpora: NDArray[np.str_],
    words: Words,
    text: LabelledRows,
    count: int,
    *,
    names: tuple[str, ...],
    seed: int,
) -> Pairs:
    """Draw ``count`` pairs in the shares of ``SHARES``, each label and each corpus of it as often as the others.

    Args:
        speech: logits of each recording and of its copies (recordings, copies, classes).
        labels: of the recordings (recordings,); beyond the classes as ``trainer.modality.Truth`` has them.
        corpora: of the recordings (recordings,).
        words: of the recordings.
        text: sentences.
        count: how many.
        names: the labels in order; without a neutral one there are no neutral sentences and no plain speech.
        seed: of the draw.
    """
    random, classes, there = np.random.default_rng(seed), len(names), words.there
    plain_label = soft_label(classes, "unlabelled")
    sure = words.evidence[:, MEAN] >= SURE
    doubtful, clear = (_corpora(corpora, there & mask) for mask in (~sure, sure))
    voices = _by_label(labels, corpora, np.ones(len(labels), np.bool_))
    talking, plain = _by_label(labels, corpora, there), np.flatnonzero((labels == plain_label) & there)
    neutral = names.index(NEUTRAL) if NEUTRAL in names else -1
    possible = {
        "own_words": all(label in talking for label in range(classes)),
        "neutral_text": neutral >= 0,
        "nonsense": bool(doubtful),
        "plain": neutral >= 0 and len(plain) > 0,
    }
    shares = {kind: share for kind, share in SHARES.items() if possible.get(kind, True)}
    weights = np.array(list(shares.values()))
    kinds = random.choice(list(shares), size=count, p=weights / weights.sum())
    drawn = random.integers(0, classes, size=count)
    width = speech.shape[2]
    pairs = Pairs(
        np.zeros((count, width), np.float32),
        np.zeros((count, width), np.float32),
        np.ones((count, 2), np.float32),
        np.zeros((count, len(NAMES)), np.float32),
        np.where(kinds == "plain", plain_label, drawn),
    )
    sentence: Mapping[str, Callable[[int], int]] = {
        "agreeing": lambda label: text.draw(random, label),
        "text_alone": lambda label: text.draw(random, label),
        "disagreeing": lambda _: text.draw(random, int(random.integers(classes))),
        "neutral_text": lambda _: text.draw(random, neutral),
    }
    for i, (kind, label) in enumerate(zip(kinds, drawn, strict=True)):
        pairs.present[i] = kind != "text_alone", kind != "speech_alone"
        if kind == "plain":
            row = int(random.choice(plain))
        else:
            row = _any((talking if kind == "own_words" else voices)[int(label)], random)
        if kind != "text_alone":
            pairs.speech[i] = speech[row, random.integers(speech.shape[1])]
        if kind in {"own_words", "plain", "nonsense"}:
            said = _any(doubtful, random) if kind == "nonsense" else row
            pairs.text[i], pairs.evidence[i] = words.logits[said], words.evidence[said]
        elif kind in sentence:
            pairs.text[i] = text.values[sentence[kind](int(label))]
            pairs.evidence[i] = CERTAIN if kind == "text_alone" else _spoken(words.evidence, clear, random)
    return pairs


def spoken_evidence(words: Words, corpora: NDArray[np.str_], count: int, seed: int) -> Float:
    """Return evidence of clear speech (count, numbers), drawn at random, for sentences that nobody recorded."""
    clear = _corpora(corpora, words.there & (words.evidence[:, MEAN] >= SURE))
    random = np.random.default_rng(seed)
    return np.stack([_spoken(words.evidence, clear, random) for _ in range(count)])


def agreeing_rows(speech: LabelledRows, text: LabelledRows, *, seed: int) -> Int:
    """Return for each row of ``speech`` a random row of ``text`` that has its label."""
    random = np.random.default_rng(seed)
    return np.array([text.draw(random, label) for label in speech.labels], dtype=np.intp)


Rows = list[Int]
"""The rows of each corpus that has some: a corpus is drawn first, so that large ones do not rule."""


def _corpora(corpora: NDArray[np.str_], mask: Mask) -> Rows:
    return [np.flatnonzero(mask & (corpora == corpus)) for corpus in np.unique(corpora[mask])]


def _by_label(labels: Int, corpora: NDArray[np.str_], mask: Mask) -> Mapping[int, Rows]:
    return {int(label): _corpora(corpora, mask & (labels == label)) for label in np.unique(labels[mask])}


def _any(rows: Rows, random: np.random.Generator) -> int:
    return int(random.choice(rows[random.integers(len(rows))]))


def _spoken(evidence: Float, clear: Rows, random: np.random.Generator) -> Float:
    """Return the evidence of a clear recording, in which the words may be given; certain where there is none."""
    if not clear:
        return CERTAIN
    found: Float = evidence[_any(clear, random)].copy()
    if random.random() < GIVEN_SHARE:
        found[[MEAN, LOWEST]] = 0.0
    return found
