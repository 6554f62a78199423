"""How words sound: what is read, what is refused, and which words are near."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from trainer.errors import WeightsError
from trainer.text import pronunciation
from trainer.text.pronunciation import FEATURES, Nearest, distance

PHONEMES = st.lists(st.sampled_from(sorted(FEATURES)), min_size=1, max_size=7).map(tuple)
WORDS = {
    "no": ("N", "OW"),
    "know": ("N", "OW"),
    "now": ("N", "AW"),
    "bat": ("B", "AE", "T"),
    "pat": ("P", "AE", "T"),
    "cat": ("K", "AE", "T"),
    "cats": ("K", "AE", "T", "S"),
    "boat": ("B", "OW", "T"),
    "elephant": ("EH", "L", "AH", "F", "AH", "N", "T"),
}


@pytest.fixture
def fetched(tmp_path):
    """Return a function that writes a dictionary as `trainer fetch` leaves it."""

    def write(content: bytes):
        (tmp_path / "source.json").write_text(json.dumps({"name": "cmudict"}))
        (tmp_path / pronunciation.FILE).write_bytes(content)
        return tmp_path

    return write


def test_words_are_read_without_stress_variants_and_remarks(fetched):
    folder = fetched(
        b"'bout B AW1 T\nread R EH1 D\nread(2) R IY1 D\naalborg AO1 L B AO0 R G # place, danish\nit's IH1 T S\n"
    )
    assert pronunciation.read(folder) == {
        "'bout": ("B", "AW", "T"),
        "read": ("R", "EH", "D"),
        "aalborg": ("AO", "L", "B", "AO", "R", "G"),
        "it's": ("IH", "T", "S"),
    }


@pytest.mark.parametrize("line", [b"word", b"word XX1 Y", b"word  ", b"word b aw t", b"\xff\xfe"])
def test_a_damaged_dictionary_is_refused(fetched, line):
    with pytest.raises(WeightsError, match=r"cmudict\.dict.*trainer fetch"):
        pronunciation.read(fetched(b"a AH0\n" + line + b"\n"))


def test_the_damaged_line_is_named(fetched):
    with pytest.raises(WeightsError, match=r"cmudict\.dict:2: "):
        pronunciation.read(fetched(b"a AH0\nword QQ\n"))


def test_a_dictionary_that_was_not_fetched_is_refused(tmp_path, fetched):
    with pytest.raises(WeightsError, match="trainer fetch"):
        pronunciation.read(tmp_path / "none")
    (fetched(b"") / pronunciation.FILE).unlink()
    with pytest.raises(WeightsError, match="trainer fetch"):
        pronunciation.read(tmp_path)


def test_no_two_phonemes_are_articulated_alike():
    assert len(FEATURES) == len(set(FEATURES.values())) == 39
    assert all(len(f.split()) == 3 for f in FEATURES.values())


@given(PHONEMES, PHONEMES)
def test_distance_is_symmetric_bounded_and_zero_only_of_the_same(one, other):
    found = distance(one, other)
    assert found == pytest.approx(distance(other, one))
    assert 0 <= found <= 1
    assert (found == 0) == (one == other)


@given(PHONEMES, PHONEMES)
def test_distance_by_sound_is_a_part_of_the_edit_distance(one, other):
    edits = Levenshtein.distance(one, other)
    assert distance(one, other) * max(len(one), len(other)) <= edits + 1e-9
    assert distance(one, other) * max(len(one), len(other)) >= edits * pronunciation.FEATURE_COST - 1e-9


@given(PHONEMES, PHONEMES, PHONEMES)
def test_distance_obeys_the_triangle_inequality(one, other, third):
    def cost(a, b):
        return distance(a, b) * max(len(a), len(b))

    assert cost(one, third) <= cost(one, other) + cost(other, third) + 1e-9


def test_the_more_features_differ_the_further():
    bat, pat, cat = (WORDS[w] for w in ("bat", "pat", "cat"))
    assert 0 < distance(bat, pat) < distance(bat, cat) < distance(bat, ("N", "UW", "D"))
    vowel, consonant = distance(bat, ("B", "EH", "T")), distance(bat, ("B", "S", "T"))
    assert vowel < consonant == pytest.approx(1 / 3)


def test_the_nearest_come_first_and_the_word_itself_not_at_all():
    near = Nearest(list(WORDS), WORDS)
    found = near("no", 3)
    assert found[:2] == [("know", 0.0), ("now", distance(WORDS["no"], WORDS["now"]))]
    assert len(found) == 3
    everything = near("cat", 99)
    assert {w for w, _ in everything} == WORDS.keys() - {"cat"}
    assert everything == sorted(everything, key=lambda f: f[1])
    assert all(d == distance(WORDS["cat"], WORDS[w]) for w, d in everything)


def test_of_equals_the_first_is_preferred():
    dictionary = {"two": ("T", "UW"), "too": ("T", "UW"), "to": ("T", "UW")}
    assert [w for w, _ in Nearest(["to", "too", "two"], dictionary)("two", 2)] == ["to", "too"]
    assert [w for w, _ in Nearest(["too", "to", "two"], dictionary)("two", 2)] == ["too", "to"]


def test_a_word_of_unknown_sound_is_compared_by_spelling():
    near = Nearest([*WORDS, "catz"], WORDS)
    assert near("catzz", 1) == [("catz", pytest.approx(0.2))]
    assert near("xelephant", 1)[0][0] == "elephant"
    assert "catz" not in {w for w, _ in near("cat", 99)}  # nobody knows how it sounds


def test_an_empty_vocabulary_has_no_neighbours():
    assert Nearest([], WORDS)("cat", 5) == []
    assert Nearest([], WORDS)("zzz", 5) == []


def test_a_long_vocabulary_is_cut_short_without_losing_the_nearest():
    dictionary = {f"w{i}": tuple(sorted(FEATURES)[(i * k) % 39] for k in (1, 5, 7, 11)) for i in range(39)}
    dictionary |= {f"far{i}": ("S", "T", "R", "EH", "NG", "K", "TH") * 2 for i in range(200)} | WORDS
    assert [w for w, _ in Nearest(list(dictionary), dictionary)("cats", 1)] == ["cat"]
