"""What a network is trained towards: a weighted, smoothed distribution over labels for each example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]


def group_weights(groups: Sequence[Hashable], power: float = 1.0) -> Float:
    """Return a weight for each example, falling with the size of its group; 1 on average.

    With the labels as groups and power 1 this is the paper's weighted cross-entropy (section 5.1): every
    class counts alike. Power 0.5 goes half of the way, 0 weighs nothing.
    """
    counts = Counter(groups)
    weights = np.array([counts[g] ** -power for g in groups])
    result: Float = (weights / weights.mean()).astype(np.float32)
    return result


def one_hot(labels: NDArray[np.integer[Any]], classes: int, *, smoothing: float = 0.0) -> Float:
    """Return distributions (n, classes): 1 - smoothing on the label, the rest spread over all."""
    result = np.full((len(labels), classes), smoothing / classes, np.float32)
    result[np.arange(len(labels)), labels] += 1.0 - smoothing
    return result
