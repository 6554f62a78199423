"""Who is trained on and who is tested on: nobody is on both sides."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.corpora import protocols
from trainer.corpora.protocols import (
    MANY_SESSIONS,
    VALIDATION_MOST,
    Fold,
    held_out,
    plan,
    session_fold,
)
from trainer.corpora.utterance import Utterance
from trainer.errors import CorpusError

FOLDS = 6


def voices(speakers: dict[str, list[str]], clips: int = 2) -> list[Utterance]:
    return [
        Utterance(f"{name}-{i}", corpus, "sad", name)
        for corpus, names in speakers.items()
        for name in names
        for i in range(clips)
    ]


def fold_of(utterances: list[Utterance], folds: int) -> list[int]:
    """Return the part that tests each utterance; every utterance is tested once."""
    numbers = np.full(len(utterances), -1)
    for number, fold in enumerate(plan(utterances, "speaker", folds=folds)):
        assert (numbers[fold.test] == -1).all()
        numbers[fold.test] = number
    assert (numbers >= 0).all()
    return numbers.tolist()


def check(utterances: list[Utterance], folds: int) -> None:
    found = fold_of(utterances, folds)
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


@given(corpora())
def test_no_speaker_is_in_two_folds_and_every_corpus_is_in_all(case):
    check(*case)


def test_speakers_need_only_be_unique_within_their_corpus():
    check(voices({"one": list("abcdef"), "two": ["a", "a1", "a2", "a3", "a4", "a5", "b"]}), 6)


def test_folds_differ_in_speakers_by_one_at_most():
    utterances = voices({"ravdess": [f"r{i:02}" for i in range(20)]}, clips=1)
    sizes = Counter(fold_of(utterances, FOLDS)).values()
    assert len(sizes) == FOLDS
    assert max(sizes) - min(sizes) <= 1


def test_one_corpus_is_left_out_at_a_time():
    utterances = voices({"ravdess": ["a", "b"], "emodb": ["a"], "own": ["c"]})
    found = {fold.name: {utterances[i].corpus for i in fold.test} for fold in plan(utterances, "corpus")}
    assert found == {"emodb": {"emodb"}, "own": {"own"}, "ravdess": {"ravdess"}}


def test_a_single_corpus_cannot_be_left_out():
    with pytest.raises(CorpusError, match="leaves out one of several corpora, and there is one"):
        plan(voices({"own": ["a", "b"]}), "corpus")


SESSIONS = [f"train-{i}" for i in range(2000)]


def test_held_out_is_about_the_share_asked_for_and_grows_with_it():
    parts = {p: {s for s in SESSIONS if held_out(s, p)} for p in (0, 15, 30, 100)}
    assert len(parts[0]) == 0 and len(parts[100]) == len(SESSIONS)
    assert len(parts[15]) == pytest.approx(0.15 * len(SESSIONS), rel=0.2)
    assert parts[15] < parts[30]


def test_session_folds_are_about_alike_and_independent_of_what_is_held_out():
    folds = Counter(session_fold(s, FOLDS) for s in SESSIONS)
    assert set(folds) == set(range(FOLDS))
    assert min(folds.values()) > 0.75 * len(SESSIONS) / FOLDS
    held = Counter(session_fold(s, FOLDS) for s in SESSIONS if held_out(s, 15))
    assert len(held) == FOLDS and max(held.values()) < 2 * min(held.values())


def test_divisions_are_the_same_in_every_run():
    # Python's own hash of a string differs between processes; these must not.
    assert [s for s in SESSIONS[:20] if held_out(s, 15)] == ["train-13"]
    assert [session_fold(s, FOLDS) for s in SESSIONS[:8]] == [2, 4, 2, 2, 5, 3, 3, 5]


def talks(speakers: int, clips: int = 3) -> list[Utterance]:
    """Return utterances of so many speakers, two to a session."""
    return [
        Utterance(f"{s}-{i}", "own", "sad", f"s{s:02}", session=f"session {s // 2}")
        for i in range(clips)
        for s in range(speakers)
    ]


def check_each_is_tested_once(folds: list[Fold], count: int) -> None:
    np.testing.assert_array_equal(np.sort(np.concatenate([f.test for f in folds])), np.arange(count))
    for fold in folds:
        assert len(fold.validation) == 0
        np.testing.assert_array_equal(np.sort(np.concatenate([fold.train, fold.test])), np.arange(count))


@given(st.integers(2, 12), st.integers(1, 4), st.integers(2, 12), st.integers(0, 3))
def test_shuffled_parts_are_alike_and_of_the_seed(speakers, clips, folds, seed):
    utterances = talks(speakers, clips)
    count = min(folds, len(utterances))
    found = plan(utterances, "shuffled", folds=count, seed=seed)
    check_each_is_tested_once(found, len(utterances))
    sizes = {len(f.test) for f in found}
    assert len(found) == count and max(sizes) - min(sizes) <= 1
    again = plan(utterances, "shuffled", folds=count, seed=seed)
    assert all(np.array_equal(a.test, b.test) for a, b in zip(found, again, strict=True))


def test_the_papers_ten_shuffled_parts_mix_speakers_and_depend_on_the_seed():
    utterances = talks(6, 20)
    one, other = plan(utterances, "shuffled"), plan(utterances, "shuffled", seed=1)
    assert [f.name for f in one] == [f"part {i} of 10" for i in range(1, 11)]
    assert any(not np.array_equal(a.test, b.test) for a, b in zip(one, other, strict=True))
    speakers = [u.speaker for u in utterances]
    assert {speakers[i] for i in one[0].train} & {speakers[i] for i in one[0].test}


@given(st.integers(2, 12), st.integers(1, 4), st.data())
def test_no_speaker_is_trained_on_and_tested(speakers, clips, data):
    utterances = data.draw(st.permutations(talks(speakers, clips)))
    count = data.draw(st.none() | st.integers(2, speakers))
    found = plan(utterances, "speaker", folds=count)
    check_each_is_tested_once(found, len(utterances))
    assert len(found) == (count or speakers)
    for fold in found:
        tested = {utterances[i].speaker for i in fold.test}
        assert not tested & {utterances[i].speaker for i in fold.train}
        assert fold.name == ", ".join(sorted(tested))


def test_sessions_are_left_out_one_at_a_time_whatever_the_number_of_folds():
    found = plan(talks(10), "session", folds=3)
    check_each_is_tested_once(found, 30)
    assert [f.name for f in found] == [f"session {i}" for i in range(5)]
    assert {len(f.test) for f in found} == {6}


def split(*parts: tuple[str, int], sessions: int = 1) -> list[Utterance]:
    names = [name for name, count in parts for _ in range(count)]
    return [Utterance(str(i), "own", "sad", "", f"d{i % sessions}", split=s) for i, s in enumerate(names)]


@pytest.mark.parametrize(
    ("parts", "tested"),
    [
        ((("train", 5), ("dev", 2), ("test", 3)), "test"),
        ((("dev", 2), ("train", 5)), "dev"),
        ((("train", 5), ("validation", 1)), "validation"),
    ],
)
def test_the_official_test_part_is_tested_and_nothing_but_train_is_trained_on(parts, tested):
    utterances = split(*parts)
    (fold,) = plan(utterances, "official")
    assert fold.name == tested
    assert {utterances[i].split for i in fold.test} == {tested} and len(fold.test) == dict(parts)[tested]
    assert [utterances[i].split for i in fold.train] == ["train"] * 5 and len(fold.validation) == 0


@pytest.mark.parametrize("sessions", [1, MANY_SESSIONS])
def test_validation_rows_are_of_the_training_part_and_whole_dialogues(sessions):
    utterances = split(("train", 600), ("test", 30), sessions=sessions)
    (fold,) = plan(utterances, "official", validation_percent=20)
    assert {utterances[i].split for i in fold.validation} == {"train"}
    np.testing.assert_array_equal(np.sort(np.concatenate([fold.train, fold.validation])), np.arange(600))
    assert 0.1 < len(fold.validation) / 600 < 0.3
    shared = {utterances[i].session for i in fold.validation} & {utterances[i].session for i in fold.train}
    assert bool(shared) == (sessions == 1)


@pytest.mark.parametrize(
    ("utterances", "protocol", "folds", "named"),
    [
        (talks(4), "hope", None, "'hope'; use one of shuffled, session, speaker, corpus, official"),
        (talks(2, 1), "shuffled", 3, "2 utterances cannot be dealt to 3 folds"),
        (talks(2, 1), "shuffled", 1, "to 1 folds"),
        (talks(4), "speaker", 5, "4 speakers cannot be dealt to 5 folds"),
        (talks(1), "speaker", None, "1 speakers cannot be dealt to 1 folds"),
        (split(("train", 2)), "speaker", None, "2 utterances name no speaker"),
        (talks(2), "session", None, "1 sessions"),
        (split(("train", 2)), "official", None, "found: train"),
        (split(("test", 2)), "official", None, "found: test"),
        (talks(2), "official", None, "found: none"),
    ],
)
def test_a_corpus_that_cannot_be_divided_is_refused(utterances, protocol, folds, named):
    with pytest.raises(CorpusError, match=named):
        plan(utterances, protocol, folds=folds)


def lines(corpus: str, split: str, count: int) -> list[Utterance]:
    return [Utterance(f"{split}{i}", corpus, ("sad", "happy")[i % 2], "", split=split) for i in range(count)]


def test_a_corpus_that_is_left_out_is_tested_on_its_official_part_which_nobody_learns_from():
    rows = [
        *lines("a", "train", 6),
        *lines("a", "dev", 4),
        *lines("a", "test", 3),
        *lines("b", "train", 5),
        *lines("b", "dev", 2),
        *lines("c", "", 7),
    ]
    folds = {fold.name: fold for fold in plan(rows, "corpus")}
    assert list(folds) == ["a", "b", "c"]
    tested = {name: {(rows[i].corpus, rows[i].split) for i in fold.test} for name, fold in folds.items()}
    assert tested == {"a": {("a", "test")}, "b": {("b", "dev")}, "c": {("c", "")}}
    validated = {name: {(rows[i].corpus, rows[i].split) for i in fold.validation} for name, fold in folds.items()}
    assert validated == {"a": {("a", "train"), ("a", "dev")}, "b": {("b", "train")}, "c": set()}
    for name, fold in folds.items():
        learned = {(rows[i].corpus, rows[i].split) for i in fold.train}
        assert name not in {corpus for corpus, _ in learned}
        assert not learned & {("a", "test"), ("b", "dev")}


def test_of_a_corpus_that_is_left_out_few_utterances_of_each_label_are_validated_on():
    rows = [*lines("a", "train", 3 * VALIDATION_MOST), *lines("a", "test", 4), *lines("b", "", 4)]
    first, again = (plan(rows, "corpus")[0].validation for _ in range(2))
    assert Counter(rows[i].label for i in first) == {"sad": VALIDATION_MOST, "happy": VALIDATION_MOST}
    np.testing.assert_array_equal(first, again)


def test_the_tested_split_is_the_first_of_test_and_dev():
    both = [*lines("a", "dev", 1), *lines("a", "test", 1), *lines("a", "train", 1)]
    assert protocols.tested_split(both) == "test"
    assert protocols.tested_split([u for u in both if u.split != "test"]) == "dev"
    assert protocols.tested_split(lines("a", "train", 2)) is None
