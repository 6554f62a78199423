"""The reward of each turn of a dialogue: the paper's section 3, with the estimators that it leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edge_runtime.errors import RewardError
from edge_runtime.rewards.reward import (
    Answer,
    Distribution,
    EmotionValues,
    posterior,
    reward_by_change,
    reward_by_response,
)


@dataclass(frozen=True)
class Turn:
    """A turn of a dialogue.

    Attributes:
        message: what the system did, whatever the application calls that.
        posterior: what was heard in answer, or None.
    """

    message: Any
    posterior: Distribution | None


class ResponseEstimator(Protocol):
    """P_est of equation 1: how a person is likely to answer."""

    def __call__(self, history: Sequence[Turn], message: Any, /) -> Distribution:
        """Return P_est(e|h_t), from the turns before and the message that was just given."""
        ...


class RewardEstimator(Protocol):
    """r_est of equation 2: what change is to be expected since the last turn that was heard."""

    def __call__(self, history: Sequence[Turn], message: Any, /) -> float:
        """Return r_est, from the turns before and the message that was just given."""
        ...


class DialogueReward:
    """The reward of each turn of one dialogue; each dialogue, and each thread, has its own.

    >>> reward = DialogueReward(EmotionValues({"happy": 1, "angry": -1}))
    >>> reward({"happy": 0.5, "angry": 0.5})  # the first turn: there is nothing to compare with
    >>> reward({"happy": 0.75, "angry": 0.25})
    0.5
    """

    def __init__(
        self,
        emotions: EmotionValues,
        *,
        response: ResponseEstimator | None = None,
        reward: RewardEstimator | None = None,
    ) -> None:
        """Begin a dialogue.

        Args:
            emotions: f.
            response: given, rewards are those of equation 1.
            reward: given, rewards are those of equation 2; with neither, too, r_est being 0.

        Raises:
            RewardError: both are given.
        """
        if response is not None and reward is not None:
            raise RewardError("equation 1 has an estimated response, equation 2 an estimated reward: give one")
        self.emotions = emotions
        self._response = response
        self._reward = reward
        self.reset()

    def reset(self) -> None:
        """Begin another dialogue: the next turn is a first one."""
        self._history: list[Turn] = []
        self._before: Distribution | None = None
        self._estimated_before: Distribution | None = None

    @property
    def history(self) -> tuple[Turn, ...]:
        """The turns so far, those that were not heard included."""
        return tuple(self._history)

    def __call__(self, answer: Answer, message: Any = None) -> float | None:
        """Take a turn and return its reward.

        The first turn that is heard has no reward (None): it is what the next is compared with. So has a turn in which
        nothing was heard; the next one that is heard is compared with the last one that was.

        Args:
            answer: what was heard.
            message: what the system had done before; for the estimator.

        Raises:
            RewardError: the answer or an estimate is not over E, or no distribution. The turn is then as if it had
                not been taken.
        """
        now = posterior(answer, self.emotions)
        estimated: Distribution | None = None
        result: float | None = None
        if now is not None:
            if self._response is not None:
                estimated = posterior(self._response(self.history, message), self.emotions)
                if estimated is None:
                    raise RewardError("the estimator gave an empty response: it must be a distribution")
            if self._before is not None:
                result = self._compared(now, self._before, estimated, message)
            self._before, self._estimated_before = now, estimated
        self._history.append(Turn(message, now))
        return result

    def _compared(self, now: Distribution, before: Distribution, estimated: Distribution | None, message: Any) -> float:
        if estimated is not None and self._estimated_before is not None:
            return reward_by_response(self.emotions, now, before, estimated, self._estimated_before)
        expected = 0.0 if self._reward is None else self._reward(self.history, message)
        return reward_by_change(self.emotions, now, before, expected)
