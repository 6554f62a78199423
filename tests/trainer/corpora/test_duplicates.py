"""Texts that stand in several places: none is learned that is tested on."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from trainer.corpora import protocols
from trainer.corpora.duplicates import (
    COMMON_WORDS,
    CONFLICTING,
    REPEATED,
    TESTED,
    comparable,
    without_duplicates,
)
from trainer.corpora.utterance import Utterance

LONG = "I have told you four times."


def text(number: int, words: str, label: str = "sad", corpus: str = "a", split: str = "train") -> Utterance:
    return Utterance(f"{number}", corpus, label, "", transcript=words, split=split)


def kept(*utterances: Utterance) -> list[str]:
    return [u.id for u in without_duplicates(utterances)[0]]


def test_a_tested_text_is_taken_out_of_training_in_every_corpus():
    rows = [text(0, LONG), text(1, LONG.upper(), split="test"), text(2, "i have told you, four times", corpus="b")]
    found, gone = without_duplicates(rows)
    assert [u.id for u in found] == ["1"]
    assert gone == {TESTED: 2}


def test_a_tested_part_stays_whole():
    assert kept(text(0, LONG, split="test"), text(1, LONG, "angry", split="test")) == ["0", "1"]


def test_a_text_is_learned_once_and_of_dev_rather_than_of_train():
    rows = [
        text(0, LONG),
        text(1, LONG, split="dev"),
        text(2, LONG),
        text(3, "Something else is said here", split="test"),
    ]
    found, gone = without_duplicates(rows)
    assert [u.id for u in found] == ["1", "3"]
    assert gone == {REPEATED: 2}


def test_a_text_whose_labels_differ_is_not_learned():
    found, gone = without_duplicates([text(0, LONG), text(1, LONG, "angry", corpus="b")])
    assert not found
    assert gone == {CONFLICTING: 2}


def test_what_everybody_says_stays():
    words = "Thank you, Anna."
    assert len(comparable(words).split()) == COMMON_WORDS
    assert kept(text(0, words), text(1, words, "happy"), text(2, words, split="test")) == ["0", "1", "2"]


def test_marks_case_and_apostrophes_do_not_tell_texts_apart():
    assert comparable("Don\u2019t!  You DARE") == comparable("don't you dare") == "dont you dare"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["one two three four", "five six seven eight", "nine"]),
            st.sampled_from(["sad", "angry"]),
            st.sampled_from("ab"),
            st.sampled_from(["train", "dev", "test", ""]),
        ),
        max_size=20,
    )
)
def test_after_it_no_long_text_is_on_both_sides(rows):
    utterances = [text(i, *row) for i, row in enumerate(rows)]
    found, gone = without_duplicates(utterances)
    assert len(found) + sum(gone.values()) == len(utterances)
    tested = {name: protocols.tested_split([u for u in utterances if u.corpus == name]) for name in "ab"}
    apart = [u for u in found if u.split and u.split == tested[u.corpus]]
    learned = [u for u in found if u not in apart]
    assert len(apart) == sum(bool(u.split) and u.split == tested[u.corpus] for u in utterances)
    long = Counter(u.transcript for u in learned if u.transcript != "nine")
    assert not long.keys() & {u.transcript for u in apart}
    assert all(count == 1 for count in long.values())
