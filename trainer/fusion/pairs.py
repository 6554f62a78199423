"""Pairs of speech and text for corpora that have one of them only.

RAVDESS and EmoDB have emotional speech that says neutral sentences, MELD has emotional text without speech. So:

- *agreeing*: speech and text of the same label;
- *own sentence*: emotional speech with the sentence that it says: the label is that of speech;
- *neutral text*: emotional speech with a neutral sentence: the label is that of speech;
- *neutral speech*: an emotional sentence with neutral speech: the label is that of text;
- *speech alone*, *text alone*: the other branch is missing (modality dropout).

Speech and text that contradict each other are never paired: nobody can say which label is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trainer.modality import Float, Int

SHARES: Mapping[str, float] = {
    "agreeing": 0.6,
    "own_sentence": 0.1,
    "neutral_text": 0.05,
    "neutral_speech": 0.05,
    "speech_alone": 0.1,
    "text_alone": 0.1,
}
NEUTRAL = "neutral"


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
class Pairs:
    """Rows for fusion: values of speech and text (n, width), which of them are present (n, 2), and the label (n,)."""

    speech: Float
    text: Float
    present: Float
    labels: Int


def training_pairs(
    speech: LabelledRows, text: LabelledRows, own: Float, count: int, *, names: tuple[str, ...], seed: int
) -> Pairs:
    """Draw ``count`` pairs in the shares of ``SHARES``, each label as often as the others.

    Args:
        speech: recordings.
        text: sentences.
        own: the values of the sentence that each recording says (recordings, width), NaN where none is known.
        count: how many.
        names: the labels in order; without a neutral one there are no pairs of neutral speech or text.
        seed: of the draw.
    """
    random = np.random.default_rng(seed)
    with_text = LabelledRows(speech.values, np.where(np.isnan(own).any(1), -1, speech.labels))
    possible = {
        kind: share
        for kind, share in SHARES.items()
        if not (kind.startswith("neutral") and NEUTRAL not in names)
        and not (kind == "own_sentence" and set(speech.labels) - set(with_text.labels))
    }
    shares = np.array(list(possible.values()))
    kinds = random.choice(list(possible), size=count, p=shares / shares.sum())
    labels = random.integers(0, len(names), size=count)
    neutral = names.index(NEUTRAL) if NEUTRAL in names else -1
    spoken = np.zeros((count, speech.values.shape[1]), np.float32)
    written = np.zeros((count, text.values.shape[1]), np.float32)
    present = np.ones((count, 2), np.float32)
    for i, (kind, label) in enumerate(zip(kinds, labels, strict=True)):
        present[i] = kind != "text_alone", kind != "speech_alone"
        if kind != "text_alone":
            source = with_text if kind == "own_sentence" else speech
            row = source.draw(random, neutral if kind == "neutral_speech" else label)
            spoken[i] = speech.values[row]
            if kind == "own_sentence":
                written[i] = own[row]
        if kind in {"agreeing", "neutral_speech", "text_alone"}:
            written[i] = text.values[text.draw(random, label)]
        elif kind == "neutral_text":
            written[i] = text.values[text.draw(random, neutral)]
    return Pairs(spoken, written, present, labels)


def agreeing_rows(speech: LabelledRows, text: LabelledRows, *, seed: int) -> Int:
    """Return for each row of ``speech`` a random row of ``text`` that has its label."""
    random = np.random.default_rng(seed)
    return np.array([text.draw(random, label) for label in speech.labels], dtype=np.intp)
