"""Plain speech, which is mostly neutral: how much of it is called an emotion, counted in one way for all commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trainer.modality import Float

SURE = 0.8
"""Plain speech that is called an emotion with this confidence is counted apart."""


def shares(probabilities: Sequence[Float], neutral: int) -> dict[str, Any]:
    """Return how much plain speech is called an emotion, and how much with confidence; the mean over networks.

    Args:
        probabilities: of each network (n, classes).
        neutral: the class that is no emotion.

    Returns:
        ``n`` recordings, the shares ``called_emotional`` and ``and_sure`` of them, and their mean ``confidence``.
    """
    emotional = [each.argmax(1) != neutral for each in probabilities]
    sure = [e & (each.max(1) >= SURE) for e, each in zip(emotional, probabilities, strict=True)]
    return {
        "n": len(probabilities[0]),
        "called_emotional": round(float(np.mean(emotional)), 4),
        "and_sure": round(float(np.mean(sure)), 4),
        "confidence": round(float(np.mean([each.max(1).mean() for each in probabilities])), 4),
    }


def of_all(corpora: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the same over all recordings of several corpora, of which ``shares`` has counted each."""
    total = sum(corpus["n"] for corpus in corpora)
    means = {key: sum(c["n"] * c[key] for c in corpora) / total for key in corpora[0] if key != "n"}
    return {"n": total, **means}
