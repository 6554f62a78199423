"""How far a bundle may differ from what was trained."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import beta

SURE = 0.95
FEW = 3
"""More lost answers than these are never put down to chance."""


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


STRICT = Limits()


def chance(points: float, samples: int) -> int:
    """Return how many of so many labelled samples may be lost though it is more than ``points``: 3 at the most.

    On a hundred samples one is a point already, so a limit of one point would be none at all. A loss counts once it is
    certain, with a one-sided confidence of 95 % (Clopper and Pearson), that more than the limit is lost.
    """
    lowest = (beta.ppf(1 - SURE, lost, samples - lost + 1) for lost in range(1, min(FEW, samples) + 1))
    return sum(1 for share in lowest if 100 * share <= points)
