"""Simulated recognition errors: how many, of what kind, and that no text breaks them."""

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.text.recognition_errors import RecognitionErrors

SENTENCES = [
    f"{who} {does} the {how} {what} near the {where}"
    for who in ("I", "she", "nobody", "my brother")
    for does in ("saw", "sold", "wanted", "carried", "painted")
    for how in ("small", "smart", "yellow", "heavy")
    for what in ("house", "horse", "table", "cable")
    for where in ("water", "corner", "station")
]


@pytest.mark.parametrize("rate", [0.06, 0.1, 0.3])
def test_the_word_error_rate_is_near_the_one_asked_for(rate):
    errors = RecognitionErrors(SENTENCES, rate=rate, seed=0)
    heard = [errors(s) for s in SENTENCES]
    assert jiwer.wer(SENTENCES, heard) == pytest.approx(rate, abs=0.02 + rate / 20)


def test_substitutions_prevail_and_there_are_deletions_and_insertions():
    errors = RecognitionErrors(SENTENCES, rate=0.3, seed=0)
    found = jiwer.process_words(SENTENCES, [errors(s) for s in SENTENCES])
    assert found.substitutions > found.deletions > found.insertions > 0


def test_what_replaces_a_word_is_of_the_vocabulary_and_spelled_like_it():
    errors = RecognitionErrors(["house"] * 3 + ["horse", "mouse", "xylophone"], rate=0.99, seed=0)
    heard = " ".join(errors("house") for _ in range(300)).split()
    assert set(heard) <= {"house", "horse", "mouse", "xylophone"}
    assert heard.count("horse") + heard.count("mouse") > 10 * heard.count("xylophone")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(["yes", "No,", "don't", "42", "stop."]), min_size=1).map(" ".join))
def test_rate_zero_changes_no_word(sentence):
    assert RecognitionErrors(SENTENCES, rate=0, seed=0)(sentence) == sentence


@pytest.mark.parametrize(
    ("shouted", "calm"),
    [("Stop!", "Stop."), ("What?!", "What."), ("What!?!", "What."), ("No!!! Go!", "No. Go."), ("Why?", "Why?")],
)
def test_exclamation_marks_are_calmed(shouted, calm):
    assert RecognitionErrors(SENTENCES, rate=0, seed=0)(shouted) == calm


def test_a_seed_gives_the_same_errors_and_another_seed_others():
    one, again, other = (RecognitionErrors(SENTENCES, rate=0.3, seed=s) for s in (1, 1, 2))
    heard = [one(s) for s in SENTENCES[:50]]
    assert heard == [again(s) for s in SENTENCES[:50]]
    assert heard != [other(s) for s in SENTENCES[:50]]


@pytest.mark.parametrize("rate", [-0.01, 1, 1.5, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match="word error rate"):
        RecognitionErrors(SENTENCES, rate=rate, seed=0)


@settings(deadline=None, max_examples=100)
@given(st.text(), st.integers(0, 100))
def test_any_text_is_heard_as_text(text, seed):
    heard = RecognitionErrors(SENTENCES[:20], rate=0.9, seed=seed)(text)
    assert isinstance(heard, str)
    assert "!" not in heard


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(["", "...", "123", "\u4f60\u597d", "yes"]), max_size=3))
def test_any_vocabulary_will_do_even_none(sentences):
    errors = RecognitionErrors(sentences, rate=0.9, seed=0)
    for _ in range(20):
        assert isinstance(errors("Nobody said anything of that kind"), str)
