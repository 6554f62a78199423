"""A gymnasium environment: an agent talks, a simulated person answers with an emotion, which is the reward.

Needs the extra ``gym``; nothing else in this package imports this module.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_runtime.deprecated import warn_renamed
from edge_runtime.errors import MissingExtraError
from edge_runtime.rewards.dialogue_reward import DialogueReward, ResponseEstimator
from edge_runtime.rewards.reward import Distribution, EmotionValues
from edge_runtime.rewards.user_simulator import LABELS, UserParameters, UserSimulator, simulated_emotion

try:
    import gymnasium
    from gymnasium import spaces
except ImportError as error:
    raise MissingExtraError("the environment needs gymnasium: pip install 'edge-iemonet[gym]'") from error

Form: TypeAlias = Literal["posterior", "delta", "unexpected"]
Observation: TypeAlias = dict[str, Any]
EMOTIONS = EmotionValues({"angry": -1.0, "sad": -1.0, "neutral": 0.0, "happy": 1.0})


def some_effects(random: np.random.Generator, topics: int = 6, acts: int = 4) -> NDArray[np.float64]:
    """Draw how pleasing each act is on each topic, (topics, acts); half of the topics are bad news on the whole."""
    news = np.where(np.arange(topics) % 2 == 0, 0.5, -0.5)
    return news[:, None] + random.normal(0, 0.5, (topics, acts))


class DialogueEnv(gymnasium.Env[Observation, np.int64]):
    """A dialogue of a fixed number of turns.

    An observation is ``topic``, what must be talked about next, and ``emotion``, (labels,), the distribution that was
    heard last; at first that of the person's greeting. An action is the act by which the agent talks about the topic.

    ``info`` tells what no agent may look at: the person's ``mood``, the ``effect`` of the act, and its ``regret``, what
    the best act for the topic would have pleased more.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - declared so by gymnasium

    def __init__(
        self,
        form: Form = "delta",
        *,
        effects: NDArray[np.float64] | None = None,
        user: UserParameters | None = None,
        temper: UserParameters | None = None,
        emotions: EmotionValues = EMOTIONS,
        response: ResponseEstimator | None = None,
        turns: int = 12,
    ) -> None:
        """Set up the world; ``reset`` begins a dialogue.

        Args:
            form: the reward: ``posterior`` is Σ f(e) · P(e|h_t), ``delta`` is equation 2 without an estimate,
                ``unexpected`` is equation 1.
            effects: how pleasing each act is on each topic, (topics, acts); by default always the same six by four.
            user: how moods come and go.
            temper: the old name of ``user``, until version 0.3.
            emotions: f, over ``edge_runtime.rewards.user_simulator.LABELS``.
            response: of equation 1; by default what the topic calls forth on average over the acts, in no mood. It is
                called with the topic as the message.
            turns: how many acts a dialogue has.

        Raises:
            RewardError: ``emotions`` are of other labels.
            ValueError: something else does not fit.
        """
        if form not in {"posterior", "delta", "unexpected"}:
            raise ValueError(f"form {form!r}: use posterior, delta or unexpected")
        if response is not None and form != "unexpected":
            raise ValueError(f"a response estimator belongs to the form unexpected, not {form}")
        if turns < 1:
            raise ValueError(f"turns {turns}: a dialogue has at least one")
        self.effects = some_effects(np.random.default_rng(0)) if effects is None else np.asarray(effects, np.float64)
        if self.effects.ndim != 2 or not self.effects.size or not np.isfinite(self.effects).all():
            raise ValueError("effects must be finite numbers, (topics, acts)")
        self.emotions = EmotionValues(emotions.values, emotions.low, emotions.high, labels=LABELS)
        self.form = form
        self.turns = turns
        if temper is not None:
            warn_renamed("DialogueEnv(temper=)", "DialogueEnv(user=)")
        self.user = user or temper or UserParameters()
        estimator = (response or self._usual) if form == "unexpected" else None
        self._reward = DialogueReward(self.emotions, response=estimator)
        topics, acts = self.effects.shape
        self.observation_space = spaces.Dict(
            {"topic": spaces.Discrete(topics), "emotion": spaces.Box(0.0, 1.0, (len(LABELS),), np.float64)}
        )
        self.action_space = spaces.Discrete(acts)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Meet another person, who says hello."""
        super().reset(seed=seed, options=options)
        self._person = UserSimulator(self.user, self.np_random)
        self._turn = 0
        greeting = self._person.answer()
        self._reward.reset()
        self._reward(greeting)  # compared with by the first act; its topic is none
        return self._observation(greeting), {"mood": self._person.mood}

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Talk about the topic by an act, and hear the answer."""
        of_topic = self.effects[self._topic]
        effect = float(of_topic[action])
        answer = self._person.answer(effect)
        change = self._reward(answer, self._topic)
        assert change is not None, "the greeting was heard"
        reward = self.emotions(answer) if self.form == "posterior" else change
        self._turn += 1
        info = {"mood": self._person.mood, "effect": effect, "regret": float(of_topic.max()) - effect}
        return self._observation(answer), reward, self._turn == self.turns, False, info

    def _observation(self, answer: Distribution) -> Observation:
        self._topic = int(self.np_random.integers(len(self.effects)))
        return {"topic": np.int64(self._topic), "emotion": np.array([answer[label] for label in LABELS])}

    def _usual(self, _: object, topic: int | None, /) -> Distribution:
        return simulated_emotion(0.0 if topic is None else float(self.effects[topic].mean()))
