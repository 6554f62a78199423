"""What was said before: in the same dialogue, by whom, and never in another one."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.inference.text_tokens import Turn
from trainer.corpora.dialogue import TURNS, with_context
from trainer.corpora.utterance import Utterance, relabel


def said(text: str | None, speaker: str = "ann", session: str = "one", split: str = "train") -> Utterance:
    return Utterance("id", "chat", "neutral", speaker, session, transcript=text, split=split)


def test_turns_come_in_order_with_who_spoke():
    found = with_context([said("hello"), said("hi", "ben"), said("well?"), said("fine", "")])
    assert [u.context for u in found[:3]] == [
        (),
        (Turn("hello", "other"),),
        (Turn("hello", "same"), Turn("hi", "other")),
    ]
    assert found[3].context == (Turn("hello"), Turn("hi"), Turn("well?"))


def test_an_utterance_without_words_or_of_another_label_is_no_gap():
    found = with_context([said("hello"), said(None), said(""), replace(said("what?"), label="surprise"), said("so")])
    assert [turn.text for turn in found[-1].context] == ["hello", "what?"]


def test_without_a_dialogue_nothing_was_said_before():
    assert [u.context for u in with_context([said("one", session=""), said("two", session="")])] == [(), ()]


def test_the_last_turns_are_kept():
    found = with_context([said(str(number)) for number in range(TURNS + 3)])
    assert [turn.text for turn in found[-1].context] == [str(number) for number in range(2, TURNS + 2)]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["train", "dev"])), max_size=20))
def test_no_turn_is_of_another_dialogue_or_split(places):
    utterances = [said(f"{session} {split}", session=session, split=split) for session, split in places]
    for number, u in enumerate(with_context(utterances)):
        assert {turn.text for turn in u.context} <= {u.transcript}
        assert len(u.context) == min(TURNS, places[:number].count(places[number]))


def test_a_context_is_kept_when_labels_are_renamed_and_is_no_part_of_what_an_utterance_is():
    first, second = with_context([said("hello"), said("hi")])
    assert relabel([second], {"neutral": "calm"})[0].context == second.context
    assert second == said("hi") and first.context != second.context
