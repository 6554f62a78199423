"""Simulated recognition errors: how many, of what kind, what stays, and that no text breaks them."""

import re
from itertools import product

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.text import recognition_errors
from trainer.text.recognition_errors import RecognitionErrors, strip_exclamations
from trainer.text.wer import word_error_rate

DICTIONARY = {
    word: tuple(sounds.split())
    for word, sounds in {
        "i": "AY",
        "she": "SH IY",
        "saw": "S AO",
        "sold": "S OW L D",
        "wanted": "W AA N T AH D",
        "painted": "P EY N T AH D",
        "the": "DH AH",
        "small": "S M AO L",
        "smart": "S M AA R T",
        "yellow": "Y EH L OW",
        "house": "HH AW S",
        "horse": "HH AO R S",
        "table": "T EY B AH L",
        "cable": "K EY B AH L",
        "near": "N IH R",
        "water": "W AO T ER",
        "corner": "K AO R N ER",
        "station": "S T EY SH AH N",
        "no": "N OW",
        "know": "N OW",
        "now": "N AW",
        "elephant": "EH L AH F AH N T",
    }.items()
}
SENTENCES = [
    f"{who} {does} the {how} {what} near the {where}."
    for who, does, how, what, where in product(
        ("I", "She", "Nobody", "My brother"),
        ("saw", "sold", "wanted", "carried", "painted"),
        ("small", "smart", "yellow", "heavy"),
        ("house", "horse", "table", "cable"),
        ("water", "corner", "station"),
    )
]


def simulator(sentences=SENTENCES, *, rate=0.2, seed=0):
    return RecognitionErrors(sentences, rate=rate, seed=seed, dictionary=DICTIONARY)


@pytest.fixture
def only_substitutions(monkeypatch):
    monkeypatch.setattr(recognition_errors, "SUBSTITUTIONS", 1.0)
    monkeypatch.setattr(recognition_errors, "INSERTIONS", 0.0)


@pytest.mark.parametrize("rate", [0.02, 0.06, 0.2, 0.5])
def test_the_word_error_rate_is_the_one_asked_for(rate):
    errors = simulator(rate=rate)
    normal = jiwer.Compose(
        [jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.Strip(), jiwer.ReduceToListOfListOfWords()]
    )
    heard = errors.corrupt(SENTENCES)
    found = jiwer.wer(SENTENCES, heard, reference_transform=normal, hypothesis_transform=normal)
    assert found == pytest.approx(rate, abs=0.005)
    assert errors.realised == pytest.approx(found)


def test_one_word_sentences_come_out_at_the_rate_too():
    sentences = ["House!", "horse", "Table?", "cable."] * 150
    errors = simulator(sentences, rate=0.1)
    assert word_error_rate(sentences, errors.corrupt(sentences)) == pytest.approx(0.1, abs=0.005)


def test_a_rate_that_cannot_be_reached_is_stated_as_realised():
    errors = simulator(["House!"], rate=0.3)
    assert errors.realised in {0.0, 1.0}
    assert errors.realised == word_error_rate(["House!"], errors.corrupt(["House!"]))


def test_the_kinds_of_errors_have_the_shares_of_the_recogniser():
    heard = simulator(rate=0.1).corrupt(SENTENCES)
    found = jiwer.process_words([s.lower() for s in SENTENCES], [s.lower() for s in heard])
    total = found.substitutions + found.deletions + found.insertions
    assert found.substitutions / total == pytest.approx(0.66, abs=0.06)
    assert found.insertions / total == pytest.approx(0.17, abs=0.06)
    assert found.deletions > 0


def test_a_word_is_taken_for_one_that_sounds_like_it_the_nearer_the_likelier():
    words, probabilities = simulator(["no", "know", "now", "elephant"]).substitutes("no", "")
    odds = dict(zip(words, probabilities, strict=True))
    assert odds.keys() == {"know", "now", "elephant"}
    assert odds["know"] > odds["now"] > 100 * odds["elephant"] > 0
    assert sum(probabilities) == pytest.approx(1)


def test_of_two_that_sound_alike_the_one_that_follows_more_often_is_likelier():
    errors = simulator(["you know", "you know", "they now", "they now", "say no"])
    after_you, after_they = (dict(zip(*errors.substitutes("no", w), strict=True)) for w in ("you", "they"))
    assert after_you["know"] > after_they["know"]
    assert after_they["now"] > after_you["now"]


def test_a_word_of_unknown_sound_is_taken_for_one_spelled_like_it():
    words, probabilities = simulator(["house", "elephant", "no"]).substitutes("houze", "")
    assert words[0] == "house"
    assert probabilities[0] > 0.9


def test_nothing_is_taken_for_its_like_without_the_apostrophe():
    errors = RecognitionErrors(
        ["its house", "it's house"], rate=0, seed=0, dictionary=DICTIONARY | {"its": ("IH", "T", "S")}
    )
    assert "its" not in errors.substitutes("it's", "")[0]


@pytest.mark.usefixtures("only_substitutions")
def test_capitals_and_marks_around_a_word_survive():
    sentences = [
        '"House," said SHE - (small) horse?!',
        "Table; cable... now, she-",
        "WATER she near_ 'the corner'",
    ] * 20
    heard = simulator(sentences, rate=0.5).corrupt(sentences)
    changed = 0
    for before, after in zip(sentences, heard, strict=True):
        for one, other in zip(before.split(), after.split(), strict=True):
            changed += one != other
            assert re.sub("[A-Za-z]+", "x", one) == re.sub("[A-Za-z]+", "x", other)
            assert one[:1].isupper() == other[:1].isupper()
            assert len(one) < 2 or one.isupper() == other.isupper() or len(other) == 1
    assert changed > 100


def test_the_word_i_keeps_its_capital_and_gives_it_to_no_other_word():
    sentences = ["she saw what I saw", "no I know"] * 100
    heard = simulator(sentences, rate=0.5).corrupt(sentences)
    assert any(" I " in h for h in heard)
    assert not any(re.search(r"\bi\b", h) for h in heard)
    assert not any(re.search(r" (She|Saw|Know|No)\b", h) for h in heard)


def test_a_lost_word_leaves_its_mark_to_the_one_before(monkeypatch):
    monkeypatch.setattr(recognition_errors, "SUBSTITUTIONS", 0.0)
    monkeypatch.setattr(recognition_errors, "INSERTIONS", 0.0)
    sentences = ["She saw, now."] * 60
    heard = set(simulator(sentences, rate=0.4).corrupt(sentences))
    assert heard <= {"She saw, now.", "She saw,", "She, now.", "saw, now.", "She,", "saw,", "now.", ""}
    assert {"She saw,", "She, now."} <= heard


@given(st.lists(st.text(), max_size=5))
@settings(max_examples=50)
def test_an_error_rate_of_zero_changes_nothing(sentences):
    assert simulator(SENTENCES[:20], rate=0).corrupt(sentences) == sentences


def test_a_sentence_of_which_nothing_is_misheard_keeps_even_its_spaces():
    sentences = [f"  she  saw\tthe {w}\n" for w in ("house", "horse")] * 100
    heard = simulator(sentences, rate=0.02).corrupt(sentences)
    assert sum(h == s for h, s in zip(heard, sentences, strict=True)) > 150


def test_errors_depend_on_seed_words_and_place_alone():
    some = SENTENCES[::4]
    errors = simulator(some)
    heard = errors.corrupt(some)
    assert heard == errors.corrupt(some) == simulator(some).corrupt(some)
    assert heard != simulator(some, seed=1).corrupt(some)
    assert errors.corrupt([*some[:100], *["other"] * 50, *some[150:]])[150:] == heard[150:]
    same = errors.corrupt(["She saw the house near the water."] * 50)
    assert len(set(same)) > 5


@pytest.mark.parametrize("rate", [-0.01, 0.51, 1, float("nan"), float("inf")])
def test_an_error_rate_outside_0_to_1_is_refused(rate):
    with pytest.raises(ValueError, match="word error rate"):
        simulator(rate=rate)


@settings(max_examples=100)
@given(st.lists(st.text(), max_size=4), st.integers(0, 100), st.sampled_from([0.06, 0.5]))
def test_any_text_is_heard_as_text(sentences, seed, rate):
    heard = simulator(sentences, rate=rate, seed=seed).corrupt([*sentences, "She saw it", ""])
    assert len(heard) == len(sentences) + 2
    assert all(isinstance(h, str) for h in heard)
    assert not heard[-1]


@pytest.mark.parametrize("sentences", [[], [""], ["...", "123 456", "\U0001f600 !"]])
def test_without_a_letter_nothing_is_misheard(sentences):
    errors = simulator(sentences, rate=0.5)
    assert errors.corrupt(sentences) == sentences
    assert errors.realised == 0
    assert len(errors.corrupt(SENTENCES)) == len(SENTENCES)  # with no vocabulary, words are only lost


@pytest.mark.parametrize(
    ("shouted", "calmed"),
    [("Stop!", "Stop."), ("What?!", "What."), ("What!?!", "What."), ("No!!! Go!", "No. Go."), ("Why?", "Why?")],
)
def test_exclamation_marks_become_full_stops(shouted, calmed):
    assert strip_exclamations(shouted) == calmed
