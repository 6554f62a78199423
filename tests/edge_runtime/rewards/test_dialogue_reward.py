from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime import DialogueReward, EmotionValues, RewardError
from edge_runtime.rewards.reward import reward_by_response
from tests.edge_runtime.rewards.test_reward import F, answers, prediction

CALM = {"angry": 0.1, "happy": 0.1, "neutral": 0.7, "sad": 0.1}
ANGRY = {"angry": 0.7, "happy": 0.0, "neutral": 0.2, "sad": 0.1}
HAPPY = {"angry": 0.0, "happy": 0.8, "neutral": 0.2, "sad": 0.0}


def test_the_first_turn_has_no_reward_and_the_next_is_compared_with_it():
    reward = DialogueReward(F)
    assert reward(CALM) is None
    assert reward(ANGRY) == pytest.approx(F(ANGRY) - F(CALM))
    assert reward(ANGRY) == pytest.approx(0)


@given(st.lists(answers, min_size=2, max_size=8))
def test_deltas_of_a_dialogue_add_up_to_its_end_less_its_beginning(turns):
    reward = DialogueReward(F)
    total = sum(r for r in map(reward, turns) if r is not None)
    assert total == pytest.approx(F(turns[-1]) - F(turns[0]), abs=1e-9)


@given(st.lists(answers | st.none(), max_size=8))
def test_turns_that_are_not_heard_change_no_other_s_reward(turns):
    with_silence, without = DialogueReward(F), DialogueReward(F)
    rewards = [with_silence(turn) for turn in turns]
    assert [r for r, turn in zip(rewards, turns, strict=True) if turn] == [without(t) for t in turns if t]
    assert all(r is None for r, turn in zip(rewards, turns, strict=True) if turn is None)


def test_a_mood_that_is_added_to_all_turns_cancels_in_the_delta():
    f = EmotionValues({"angry": -1, "happy": 1})
    turns = [0.2, 0.5, 0.3]
    plain, cheered = DialogueReward(f), DialogueReward(f)
    for happy in turns:
        one = plain({"happy": happy, "angry": 1 - happy})
        other = cheered({"happy": happy + 0.4, "angry": 0.6 - happy})
        assert one == pytest.approx(other) if one is not None else other is None


def test_a_prediction_without_speech_gives_none():
    reward = DialogueReward(F)
    assert reward(prediction(CALM)) is None
    assert reward(prediction({})) is None
    assert reward(prediction(HAPPY)) == pytest.approx(F(HAPPY) - F(CALM))


def test_equation_1_asks_the_estimator_before_the_answer_is_known():
    asked = []

    def usual(history, message):
        asked.append((tuple(turn.message for turn in history), message))
        return ANGRY if message == "bad news" else CALM

    reward = DialogueReward(F, response=usual)
    assert reward(CALM, "hello") is None
    assert reward(None, "are you there?") is None
    assert reward(ANGRY, "bad news") == pytest.approx(0)
    # What was expected has passed; staying angry is worse than usual by what the estimate had gone back.
    by_hand = reward_by_response(F, ANGRY, ANGRY, CALM, ANGRY)
    assert reward(ANGRY, "goodbye") == pytest.approx(by_hand)
    assert by_hand < 0
    assert asked == [
        ((), "hello"),
        (("hello", "are you there?"), "bad news"),
        (("hello", "are you there?", "bad news"), "goodbye"),
    ]


def test_equation_2_takes_off_what_was_expected():
    reward = DialogueReward(F, reward=lambda history, message: {"bad news": -0.5}.get(message, 0.0))
    reward(CALM, "hello")
    assert reward(ANGRY, "bad news") == pytest.approx(F(ANGRY) - F(CALM) + 0.5)


def test_the_history_tells_what_was_heard():
    reward = DialogueReward(F)
    reward(prediction(CALM), "hello")
    reward(None, "well?")
    assert [(t.message, t.posterior) for t in reward.history] == [("hello", pytest.approx(CALM)), ("well?", None)]


def test_reset_begins_another_dialogue():
    reward = DialogueReward(F, response=lambda history, message: CALM)
    reward(CALM), reward(ANGRY)
    reward.reset()
    assert reward.history == ()
    assert reward(ANGRY) is None


@pytest.mark.parametrize("bad", [{"angry": 1.0}, {**CALM, "sad": 0.9}])
def test_a_turn_that_is_refused_does_not_count(bad):
    reward = DialogueReward(F)
    reward(CALM)
    with pytest.raises(RewardError):
        reward(bad)
    assert len(reward.history) == 1
    assert reward(HAPPY) == pytest.approx(F(HAPPY) - F(CALM))


@pytest.mark.parametrize("estimate", [{}, {"angry": 1.0}, {**CALM, "sad": 0.9}])
def test_an_estimate_that_is_no_distribution_is_refused_and_the_turn_does_not_count(estimate):
    reward = DialogueReward(F, response=lambda history, message: CALM if message is None else estimate)
    reward(CALM)
    with pytest.raises(RewardError):
        reward(ANGRY, "go wrong")
    assert reward(HAPPY) == pytest.approx(F(HAPPY) - F(CALM))


def test_an_estimated_reward_beyond_all_changes_is_refused_and_the_turn_does_not_count():
    reward = DialogueReward(F, reward=lambda history, message: 99 if message else 0)
    reward(CALM)
    with pytest.raises(RewardError, match="99"):
        reward(ANGRY, "go wrong")
    assert reward(HAPPY) == pytest.approx(F(HAPPY) - F(CALM))


def test_one_equation_at_a_time():
    with pytest.raises(RewardError, match="give one"):
        DialogueReward(F, response=lambda h, m: CALM, reward=lambda h, m: 0.0)


def test_dialogues_in_threads_share_nothing():
    turns = [CALM, ANGRY, HAPPY, CALM] * 50
    alone = DialogueReward(F)
    expected = [alone(turn) for turn in turns]
    found: list[list[float | None]] = []

    def talk() -> None:
        mine = DialogueReward(F)
        found.append([mine(turn) for turn in turns])

    threads = [threading.Thread(target=talk) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 8


def test_a_dialogue_reward_takes_predictions_of_the_runtime(model, jfk):
    values = dict.fromkeys(model.labels, 0.0) | {"happy": 1.0, "angry": -1.0}
    reward = DialogueReward(EmotionValues(values, labels=model.labels))
    heard = model(jfk)
    assert reward(heard) is None
    angry = model.classify_text("I hate you, you ruined everything")
    change = sum(values[k] * (angry.scores[k] - heard.scores[k]) for k in values)
    assert reward(angry) == pytest.approx(change, abs=1e-6)
