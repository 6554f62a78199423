"""An emotion as a reward for reinforcement learning: the paper's section 3.

With P(e|h_t) the posterior of emotion e after turn t of a dialogue, f a mapping of emotions to [p, q], and
ΔP(e|h_t) = P(e|h_t) - P(e|h_{t-1}):

- equation 1: r_t = Σ f(e) · (ΔP(e|h_t) - ΔP_est(e|h_t)), where P_est is the response that was to be expected;
- equation 2: r_t = Σ f(e) · ΔP(e|h_t) - r_est, where r_est is the reward that was to be expected.

Probabilities sum to 1, so Σ f(e) · P(e|h_t) is in [p, q], a delta's reward in [p - q, q - p], and the rewards of
equations 1 and 2 in [2(p - q), 2(q - p)].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass
from typing import TypeAlias

from edge_runtime.errors import RewardError
from edge_runtime.prediction import Prediction, Scores

Distribution: TypeAlias = Mapping[str, float]
"""Probability of each emotion."""
Answer: TypeAlias = Prediction | Scores | Distribution | None
"""The answer to one turn. None, an empty mapping, or a Prediction without speech means that nobody spoke."""
TOLERANCE = 1e-3
"""Probabilities may miss the sum of 1 by this much, as float32 or rounded decimals do."""


@dataclass(frozen=True)
class EmotionValues:
    """f: E → [p, q], what each emotion is worth.

    Attributes:
        values: f(e); its keys are E.
        low: p.
        high: q.
        labels: when given, the emotions that a classifier knows (``model.labels``), which E must equal.

    Raises:
        RewardError: p is not below q, a value is not in [p, q], or E is not the classifier's.
    """

    values: Mapping[str, float]
    low: float = -1.0
    high: float = 1.0
    labels: InitVar[Sequence[str] | None] = None

    def __post_init__(self, labels: Sequence[str] | None) -> None:
        """Check everything, and keep a copy that the caller cannot alter."""
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise RewardError(f"the interval [{self.low}, {self.high}]: p must be below q, both finite")
        if not self.values:
            raise RewardError("no emotion has a value")
        for label, value in self.values.items():
            if not self.low <= value <= self.high:
                raise RewardError(f"{label!r} is worth {value}, outside [{self.low}, {self.high}]")
        if labels is not None:
            _same_labels(self.values, labels, "the values")
        object.__setattr__(self, "values", dict(self.values))

    def __call__(self, weights: Mapping[str, float]) -> float:
        """Return Σ f(e) · weights(e), of probabilities or of their changes."""
        return math.fsum(value * weights[label] for label, value in self.values.items())


def posterior(answer: Answer, emotions: EmotionValues) -> Distribution | None:
    """Return P(e|h_t) over E, or None where nothing was heard.

    A sum that misses 1 by no more than ``TOLERANCE`` is made 1.

    Args:
        answer: of the runtime, or a mapping. Of a Prediction the fused scores are taken, from the modalities that
            there were; hand in its ``speech`` or ``text`` to compare like with like.
        emotions: f, whose keys are E.

    Raises:
        RewardError: its labels are not E, or it is no distribution.
    """
    scores = answer.scores if isinstance(answer, Prediction | Scores) else answer
    if not scores:
        return None
    _same_labels(scores, emotions.values, "the scores")
    for label, score in scores.items():
        if not 0 <= score <= 1 + TOLERANCE:  # false of NaN too
            raise RewardError(f"the score of {label!r} is {score}, not a probability")
    total = math.fsum(scores.values())
    if abs(total - 1) > TOLERANCE:
        raise RewardError(f"the scores sum to {total:.4f}, not to 1: give probabilities of all emotions")
    return {label: scores[label] / total for label in emotions.values}


def delta(now: Distribution, before: Distribution) -> dict[str, float]:
    """Return ΔP(e|h_t) = P(e|h_t) - P(e|h_{t-1}); it sums to 0."""
    return {label: now[label] - before[label] for label in now}


def reward_by_response(
    emotions: EmotionValues,
    now: Distribution,
    before: Distribution,
    estimated_now: Distribution,
    estimated_before: Distribution,
) -> float:
    """Return equation 1, in [2(p - q), 2(q - p)].

    Args:
        emotions: f.
        now: P(e|h_t).
        before: P(e|h_{t-1}).
        estimated_now: P_est(e|h_t).
        estimated_before: P_est(e|h_{t-1}).
    """
    actual, expected = delta(now, before), delta(estimated_now, estimated_before)
    return emotions({label: actual[label] - expected[label] for label in actual})


def reward_by_change(
    emotions: EmotionValues, now: Distribution, before: Distribution, estimated_reward: float = 0.0
) -> float:
    """Return equation 2, in [p - q, q - p] shifted by ``-estimated_reward``.

    Args:
        emotions: f.
        now: P(e|h_t).
        before: P(e|h_{t-1}).
        estimated_reward: r_est; an estimate of Σ f(e) · ΔP(e|h_t), so it is in [p - q, q - p].

    Raises:
        RewardError: ``estimated_reward`` is not.
    """
    widest = emotions.high - emotions.low
    if not abs(estimated_reward) <= widest:  # true of NaN too
        raise RewardError(
            f"the estimated reward is {estimated_reward}, but no change is worth more than ±{widest:g}: "
            "clip it in the estimator if that can go beyond"
        )
    return emotions(delta(now, before)) - estimated_reward


def _same_labels(found: Mapping[str, float], wanted: Sequence[str] | Mapping[str, float], what: str) -> None:
    missing = sorted(set(wanted) - set(found))
    unknown = sorted(set(found) - set(wanted))
    if missing or unknown:
        raise RewardError(
            f"{what} are not over the same emotions: "
            + "; ".join(
                f"{word} {', '.join(names)}" for word, names in (("missing", missing), ("unknown", unknown)) if names
            )
        )
