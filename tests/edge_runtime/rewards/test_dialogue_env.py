from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from edge_runtime import EmotionValues, RewardError
from edge_runtime.rewards.dialogue_env import DialogueEnv, some_effects
from edge_runtime.rewards.user_simulator import LABELS, UserParameters, UserSimulator, simulated_emotion

FORMS = ("posterior", "delta", "unexpected")
STILL = UserParameters(mood_decay=0.0, noise=0.0, observation_noise=0.0)


def run(env, seed, acts):
    first, _ = env.reset(seed=seed)
    return [first["emotion"], *(env.step(act) for act in acts)]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("form", FORMS)
def test_gymnasium_s_own_check_passes(form):
    check_env(DialogueEnv(form), skip_render_check=True)


@pytest.mark.parametrize("form", FORMS)
def test_a_seed_gives_the_same_dialogue_again_and_another_gives_another(form):
    acts = [0, 1, 2, 3, 2, 1]
    one, same, other = (run(DialogueEnv(form), seed, acts) for seed in (5, 5, 6))
    rewards = [[step[1] for step in found[1:]] for found in (one, same, other)]
    assert rewards[0] == rewards[1] != rewards[2]
    assert np.array_equal(one[-1][0]["emotion"], same[-1][0]["emotion"])


def test_the_reward_is_the_one_asked_for():
    acts = [0, 1, 2, 3]
    worth = np.array([-1, -1, 0, 1])
    for form in ("posterior", "delta"):
        before, *steps = run(DialogueEnv(form), 3, acts)
        for observation, reward, *_ in steps:
            now = observation["emotion"]
            assert reward == pytest.approx(worth @ (now if form == "posterior" else now - before))
            before = now


def test_unexpected_is_less_what_the_estimator_says():
    env = DialogueEnv("unexpected", effects=np.array([[0.5, 0.5]]), user=STILL)
    env.reset(seed=0)
    # Both acts please alike, so the usual answer is the answer.
    assert env.step(0)[1] == pytest.approx(0)
    asked = []

    def none_expected(history, topic):
        asked.append((len(history), topic))
        return simulated_emotion(0.0)

    env = DialogueEnv("unexpected", effects=np.array([[0.5, 0.5]]), user=STILL, response=none_expected)
    env.reset(seed=0)
    rise = env.emotions(simulated_emotion(0.5)) - env.emotions(simulated_emotion(0.0))
    assert env.step(0)[1] == pytest.approx(rise)
    assert asked == [(0, None), (1, 0)]


def test_a_dialogue_ends_after_its_turns():
    steps = run(DialogueEnv(turns=3), 0, [0, 0, 0])[1:]
    assert [(over, cut) for _, _, over, cut, _ in steps] == [(False, False), (False, False), (True, False)]


def test_regret_is_what_the_best_act_would_have_pleased_more():
    env = DialogueEnv(effects=np.array([[0.25, 1.0]]))
    assert [step[4]["regret"] for step in run(env, 0, [0, 1])[1:]] == [0.75, 0.0]


def test_rewards_stay_in_the_bounds_of_their_form():
    for form, bound in (("posterior", 1), ("delta", 2), ("unexpected", 4)):
        env = DialogueEnv(form, effects=10 * some_effects(np.random.default_rng(1)), turns=50)
        rewards = [step[1] for step in run(env, 1, [i % 4 for i in range(50)])[1:]]
        assert max(map(abs, rewards)) <= bound


def test_an_emotion_passes_and_a_mood_lingers():
    def after(user):
        person = UserSimulator(user, np.random.default_rng(0))
        person.mood = 0.0
        return [person.answer(effect)["happy"] for effect in (0.0, 2.0, 0.0, 0.0, 0.0)]

    still = after(STILL)
    assert still[1] > still[0] == still[2] == still[3]
    moody = after(UserParameters(mood_decay=0.8, uptake=0.5, noise=0.0, observation_noise=0.0))
    assert moody[1] > moody[2] > moody[3] > moody[4] > moody[0]


@pytest.mark.parametrize("pleasure", [-50.0, -1.0, 0.0, 1.0, 50.0])
def test_an_answer_is_a_distribution(pleasure):
    answer = simulated_emotion(pleasure, np.zeros(len(LABELS)))
    assert tuple(answer) == LABELS
    assert sum(answer.values()) == pytest.approx(1)
    assert max(answer, key=answer.__getitem__) == ("angry" if pleasure < 0 else "happy" if pleasure > 0 else "neutral")


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"form": "raw"}, "use posterior"),
        ({"turns": 0}, "at least one"),
        ({"effects": np.zeros(3)}, "topics, acts"),
        ({"effects": np.zeros((0, 3))}, "topics, acts"),
        ({"effects": np.array([[np.nan]])}, "finite"),
        (
            {"form": "delta", "response": lambda *_: simulated_emotion(0.0)},
            "belongs to the form unexpected",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, error):
    with pytest.raises(ValueError, match=error):
        DialogueEnv(**settings)


def test_values_of_other_emotions_are_refused():
    with pytest.raises(RewardError, match="unknown bored"):
        DialogueEnv(emotions=EmotionValues({"bored": 0.0}))


@pytest.mark.parametrize("wrong", [{"mood_decay": 1.0}, {"mood_decay": -0.1}, {"noise": -1.0}, {"spread": np.nan}])
def test_a_temper_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must be"):
        UserParameters(**wrong)


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_runtime_does_not_import_gymnasium():
    assert python("import sys, edge_runtime; print('gymnasium' in sys.modules)") == "False"


def test_without_gymnasium_the_error_names_the_extra():
    code = """
import sys
sys.modules["gymnasium"] = None
from edge_runtime import MissingExtraError
try:
    import edge_runtime.rewards.dialogue_env
except MissingExtraError as error:
    assert isinstance(error, ImportError)
    print(error)
"""
    assert "pip install 'edge-iemonet[gym]'" in python(code)
