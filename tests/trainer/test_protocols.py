"""Who is trained on and who is tested on: nobody is on both sides."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.corpora.records import Utterance
from trainer.protocols import FOLDS, held_out, session_fold, speaker_folds


def voices(speakers: dict[str, list[str]], clips: int = 2) -> list[Utterance]:
    return [
        Utterance(f"{name}-{i}", corpus, "sad", name)
        for corpus, names in speakers.items()
        for name in names
        for i in range(clips)
    ]


def check(utterances: list[Utterance], folds: int) -> None:
    found = speaker_folds(utterances, folds)
    assert len(found) == len(utterances)
    places: dict[tuple[str, str], set[int]] = {}
    for u, fold in zip(utterances, found, strict=True):
        places.setdefault((u.corpus, u.speaker), set()).add(fold)
    assert all(len(p) == 1 for p in places.values()), "a speaker is in two folds"
    for corpus in {u.corpus for u in utterances}:
        there = {f for u, f in zip(utterances, found, strict=True) if u.corpus == corpus}
        assert there == set(range(folds)), f"{corpus} is not in every fold"


@st.composite
def corpora(draw):
    folds = draw(st.integers(2, 6))
    names = {
        corpus: [f"{corpus}-{i}" for i in range(draw(st.integers(folds, 14)))]
        for corpus in draw(st.lists(st.sampled_from(["emodb", "ravdess", "own"]), min_size=1, unique=True))
    }
    return draw(st.permutations(voices(names))), folds


@settings(deadline=None)
@given(corpora())
def test_no_speaker_is_in_two_folds_and_every_corpus_is_in_all(case):
    check(*case)


def test_speakers_need_only_be_unique_within_their_corpus():
    check(voices({"one": list("abcdef"), "two": ["a", "a1", "a2", "a3", "a4", "a5", "b"]}), 6)


def test_folds_differ_in_speakers_by_one_at_most():
    utterances = voices({"ravdess": [f"r{i:02}" for i in range(20)]}, clips=1)
    sizes = Counter(speaker_folds(utterances)).values()
    assert len(sizes) == FOLDS
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("speakers", [1, FOLDS - 1])
def test_too_few_speakers_are_refused_and_the_corpus_is_named(speakers):
    names = {"ravdess": [f"r{i}" for i in range(8)], "emodb": [f"e{i}" for i in range(speakers)]}
    with pytest.raises(ValueError, match=f"emodb: {speakers} speakers"):
        speaker_folds(voices(names))


SESSIONS = [f"train-{i}" for i in range(2000)]


def test_held_out_is_about_the_share_asked_for_and_grows_with_it():
    parts = {p: {s for s in SESSIONS if held_out(s, p)} for p in (0, 15, 30, 100)}
    assert len(parts[0]) == 0 and len(parts[100]) == len(SESSIONS)
    assert len(parts[15]) == pytest.approx(0.15 * len(SESSIONS), rel=0.2)
    assert parts[15] < parts[30]


def test_session_folds_are_about_alike_and_independent_of_what_is_held_out():
    folds = Counter(session_fold(s) for s in SESSIONS)
    assert set(folds) == set(range(FOLDS))
    assert min(folds.values()) > 0.75 * len(SESSIONS) / FOLDS
    held = Counter(session_fold(s) for s in SESSIONS if held_out(s, 15))
    assert len(held) == FOLDS and max(held.values()) < 2 * min(held.values())


def test_both_stay_the_same_from_run_to_run():
    # Python's own hash of a string differs between processes; these must not.
    assert [s for s in SESSIONS[:20] if held_out(s, 15)] == ["train-13"]
    assert [session_fold(s) for s in SESSIONS[:8]] == [2, 4, 2, 2, 5, 3, 3, 5]
