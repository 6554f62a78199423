"""How much a bundle may lose on the way from the trained networks, and in words where it loses more."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scipy.stats import beta

CONFIDENCE = 0.95
MAX_BY_CHANCE = 3
"""More lost answers than these are never put down to chance."""
MIN_LABELLED = 50
"""Fewer labelled samples than this measure no accuracy."""


@dataclass(frozen=True)
class Limits:
    """What may be lost on the way.

    Attributes:
        points: of WA or UA, where accuracy can be measured (50 labelled samples at least); elsewhere no clear label
            may change. See ``chance`` for what that means on few samples.
        allow_shortfall: write the bundle all the same, with the shortfall in its manifest.
    """

    points: float = 1.0
    allow_shortfall: bool = False


def chance(points: float, samples: int) -> int:
    """Return how many of so many labelled samples may be lost though it is more than ``points``: 3 at the most.

    On a hundred samples one is a point already, so a limit of one point would be none at all. A loss counts once it is
    certain, with a one-sided confidence of 95 % (Clopper and Pearson), that more than the limit is lost.
    """
    lowest = (beta.ppf(1 - CONFIDENCE, lost, samples - lost + 1) for lost in range(1, min(MAX_BY_CHANCE, samples) + 1))
    return sum(1 for share in lowest if 100 * share <= points)


def accuracy_violations(found: Mapping[str, Any], *, limit_points: float) -> list[str]:
    """Return, in words, where a comparison exceeds its limits; nothing where it holds.

    Args:
        found: as ``export.evaluation.compare.differences`` returns it.
        limit_points: WA and UA that may be lost, in points, where they were measured; what few samples lose may be
            chance. Elsewhere no clear label may change, of labelled samples none but by chance, nor the answer to a
            sample go missing.
    """
    violations = []
    for output, figures in _outputs(found).items():
        by_chance = chance(limit_points, figures["labelled"])
        if "wa" in figures:
            violations += [
                f"{output}: {name.upper()} falls by {figures[name]['points_lost']:.2f} points "
                f"({figures[name]['exact']:.4f} to {figures[name]['now']:.4f}), and {limit_points:g} are allowed"
                for name in ("wa", "ua")
                if figures[name]["points_lost"] > limit_points and figures[name]["answers_lost"] > by_chance
            ]
        elif figures["clear_labels_changed"] > by_chance:
            violations.append(f"{output}: {figures['clear_labels_changed']} of {figures['n']} clear labels changed")
        if figures["answers_lost"] and "wa" not in figures:
            violations.append(f"{output}: {figures['answers_lost']} answers are missing")
    return violations


def advice(found: Mapping[str, Any], precision: str) -> str:
    """Return what helps where a comparison exceeds its limits."""
    measured = [figures for figures in _outputs(found).values() if "wa" in figures]
    other = "" if precision == "fp32" else "--fp32 loses nothing; "
    if measured:
        worst = max(figures[name]["points_lost"] for figures in measured for name in ("wa", "ua"))
        how = f"--limit-points {math.ceil(max(worst, 0.0))} allows that much; " if worst > 0 else ""
    else:
        how = (
            f"{found['samples']} is too little to measure accuracy on: --evaluate names a corpus of {MIN_LABELLED} or "
            "more labelled utterances, such as the one that was trained on; "
        )
    return f"{other}{how}--allow-shortfall writes it all the same, and says so in its card"


def _outputs(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the figures of each output, without those of the transcripts."""
    return {name: f for name, f in found.items() if isinstance(f, Mapping) and "same_label" in f}
