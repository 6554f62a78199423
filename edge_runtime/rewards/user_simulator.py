"""A simulated person to talk to, who answers with an emotion: the emotion passes, the mood stays for a while.

It is a model to try rewards on, not a claim about people. Pleasure is a number without unit, 0 where nothing pleases
or annoys. An act pleases by ``effects[topic, act]``; what is heard in the answer is that, the mood, and noise; and the
mood takes on a part of the effect, and fades slowly (the paper's section 3: mood has a longer timescale than emotion).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
LABELS = ("angry", "sad", "neutral", "happy")
PLEASURE = np.array([-1.0, -0.7, 0.0, 1.0])
"""How much pleasure speaks for each label."""
NEUTRAL_LOGITS = np.array([0.0, 0.0, 1.0, 0.0])
"""Without pleasure and annoyance a person is likely to sound neutral."""


@dataclass(frozen=True)
class UserParameters:
    """How a person's emotions and moods come and go.

    Attributes:
        mood_decay: part of the mood that is left a turn later, in [0, 1); 0 is a person without moods.
        uptake: part of an effect that goes into the mood.
        spread: standard deviation of the mood that people bring along.
        noise: standard deviation of pleasure from turn to turn, for no reason.
        observation_noise: standard deviation of the recogniser's error, in each label's logit.
    """

    mood_decay: float = 0.95
    uptake: float = 0.3
    spread: float = 1.5
    noise: float = 0.3
    observation_noise: float = 0.3

    def __post_init__(self) -> None:
        """Refuse what would make a mood grow without end, or is no deviation."""
        if not 0 <= self.mood_decay < 1:
            raise ValueError(f"mood_decay {self.mood_decay}: must be in [0, 1)")
        if not all(np.isfinite(v) and v >= 0 for v in (self.uptake, self.spread, self.noise, self.observation_noise)):
            raise ValueError("uptake, spread, noise and observation_noise must be finite, and not negative")


class UserSimulator:
    """One person in one dialogue.

    Attributes:
        mood: how pleased the person is before the next act.
    """

    def __init__(self, user: UserParameters, random: np.random.Generator) -> None:
        """Meet a person, who brings a mood along."""
        self._user = user
        self._random = random
        # Without a mood that stays, what happened before the dialogue does not matter either.
        self.mood = float(random.normal(0, user.spread)) if user.mood_decay else 0.0

    def answer(self, effect: float = 0.0) -> dict[str, float]:
        """Return the probability of each label that is heard after an act of this effect."""
        user = self._user
        pleasure = self.mood + effect + float(self._random.normal(0, user.noise))
        self.mood = user.mood_decay * (self.mood + user.uptake * effect)
        return simulated_emotion(pleasure, self._random.normal(0, user.observation_noise, len(LABELS)))


def simulated_emotion(pleasure: float, error: Float | float = 0.0) -> dict[str, float]:
    """Return the distribution over ``LABELS`` of a person so pleased, heard with an error in each logit, (labels,)."""
    logits = NEUTRAL_LOGITS + 2 * PLEASURE * pleasure + error
    odds = np.exp(logits - logits.max())
    return dict(zip(LABELS, (odds / odds.sum()).tolist(), strict=True))
