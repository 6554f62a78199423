"""How far a bundle may differ from what was trained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What may be lost on the way.

    Attributes:
        points: of WA or UA, where accuracy can be measured (50 labelled samples at least); elsewhere no clear label
            may change.
        allow_shortfall: write the bundle all the same, with the shortfall in its manifest.
    """

    points: float = 1.0
    allow_shortfall: bool = False


STRICT = Limits()
