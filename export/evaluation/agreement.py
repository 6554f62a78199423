"""How far two sets of scores of the same inputs agree, and how accurate one set is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.metrics import unweighted_accuracy, weighted_accuracy

CLEAR_MARGIN = 0.1
"""A label is clear where the two best scores lie at least this far apart."""

Float = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class LabelAgreement:
    """How far the second set of scores differs from the first.

    Attributes:
        n: inputs.
        labels_changed: how many have another best label.
        clear_labels_changed: of them, how many had a clear label in the first set.
        mean_difference: of a score.
        max_difference: of a score.
    """

    n: int
    labels_changed: int
    clear_labels_changed: int
    mean_difference: float
    max_difference: float

    @property
    def same_label(self) -> float:
        """The share of the inputs whose best label is the same."""
        return (self.n - self.labels_changed) / self.n


def label_agreement(before: Float, after: Float, *, margin: float = CLEAR_MARGIN) -> LabelAgreement:
    """Compare probabilities (n, labels), n at least 1; a label is clear by ``margin``."""
    best = np.sort(before, axis=1)
    changed = before.argmax(1) != after.argmax(1)
    difference = np.abs(before - after)
    return LabelAgreement(
        n=len(before),
        labels_changed=int(changed.sum()),
        clear_labels_changed=int(np.sum(changed & (best[:, -1] - best[:, -2] >= margin))),
        mean_difference=float(difference.mean()),
        max_difference=float(difference.max()),
    )


def accuracy(truth: Sequence[int] | NDArray[np.intp], guesses: NDArray[np.intp]) -> dict[str, float]:
    """Return WA and UA of guessed labels (n,); a guess of -1 is always wrong."""
    right = np.asarray(truth)
    return {"wa": weighted_accuracy(right, guesses), "ua": unweighted_accuracy(right, guesses)}
