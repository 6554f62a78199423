"""With what a recording is compared: others of its own speaker, and never itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.corpora.utterance import Utterance
from trainer.speech import baselines
from trainer.speech.baselines import MOST_ROWS, Speakers

LABELS = ("calm", "furious", "other", "unlabelled")


def made(people: list[tuple[str, str, str]], seconds: list[float]) -> Speakers:
    """Return the speakers of recordings of (corpus, speaker, label)."""
    utterances = [Utterance(str(i), corpus, label, who) for i, (corpus, who, label) in enumerate(people)]
    return Speakers.of(utterances, np.array(seconds, np.float32))


people = st.lists(
    st.tuples(st.sampled_from(["first", "second"]), st.sampled_from(["", "anna", "ben"]), st.sampled_from(LABELS)),
    min_size=1,
    max_size=40,
)


def seconds_of(count: int) -> list[float]:
    return np.random.default_rng(count).uniform(0.3, 6, count).tolist()


@settings(max_examples=100)
@given(people, st.integers(0, 2**32 - 1))
def test_a_baseline_is_of_other_recordings_of_the_same_speaker_of_the_same_corpus(spoken, seed):
    speakers = made(spoken, seconds_of(len(spoken)))
    for row, (corpus, who, _) in enumerate(spoken):
        drawn = speakers.draw_for_training(row, np.random.default_rng(seed))
        assert row not in drawn
        assert len(set(drawn.tolist())) == len(drawn) <= MOST_ROWS
        assert all(spoken[other][:2] == (corpus, who) for other in drawn)
        assert who or not len(drawn)


@settings(max_examples=100)
@given(people, st.floats(0, 60), st.integers(0, 2**32 - 1))
def test_a_baseline_is_as_long_as_asked_for_and_no_recording_longer(spoken, wanted, seed):
    lengths = seconds_of(len(spoken))
    speakers = made(spoken, lengths)
    for row in range(len(spoken)):
        drawn = speakers.draw(row, wanted, np.random.default_rng(seed))
        found = [lengths[other] for other in drawn]
        there = len(speakers.others(row))
        assert sum(found) >= wanted - 1e-3 or len(drawn) == min(there, MOST_ROWS)
        assert sum(found[:-1]) < wanted + 1e-3


@settings(max_examples=50)
@given(people, st.sampled_from(LABELS), st.integers(0, 2**32 - 1))
def test_a_baseline_of_one_mood_has_only_recordings_of_that_label(spoken, label, seed):
    speakers = made(spoken, seconds_of(len(spoken)))
    for row in range(len(spoken)):
        drawn = speakers.draw(row, 1e6, np.random.default_rng(seed), label=label)
        assert {spoken[other][2] for other in drawn} <= {label}
        there = [i for i, other in enumerate(spoken) if i != row and other == (*spoken[row][:2], label)]
        assert sorted(drawn) == (there if spoken[row][1] else [])


def test_a_recording_that_names_nobody_has_no_baseline_even_beside_others_that_name_nobody():
    speakers = made([("first", "", "calm")] * 5, [3.0] * 5)
    assert not len(speakers.others(0))
    assert not len(speakers.draw(0, 60.0, np.random.default_rng(0)))


def test_the_only_recording_of_a_speaker_has_no_baseline():
    speakers = made([("first", "anna", "calm"), ("second", "anna", "calm"), ("first", "ben", "calm")], [3.0] * 3)
    for seed in range(20):
        assert not len(speakers.draw_for_training(0, np.random.default_rng(seed)))


def test_the_same_seed_draws_the_same_and_another_seed_others():
    speakers = made([("first", "anna", LABELS[i % 2]) for i in range(40)], [3.0] * 40)
    one, same, other = (speakers.draw(0, 60.0, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2))
    assert one == same != other


def test_a_longer_list_is_cut_where_asked():
    speakers = made([("first", "anna", "calm")] * 100, [0.1] * 100)
    assert len(speakers.draw(0, 60.0, np.random.default_rng(0))) == MOST_ROWS
    assert len(speakers.draw(0, 60.0, np.random.default_rng(0), most=64)) == 64


@pytest.fixture
def drawn() -> list[np.ndarray]:
    speakers = made([("first", "anna", LABELS[i % 3]) for i in range(90)], [4.0] * 90)
    return [speakers.draw_for_training(0, np.random.default_rng(i)) for i in range(2000)]


def test_in_training_about_a_third_have_no_baseline_and_others_have_short_and_long_ones(drawn):
    counts = np.array([len(rows) for rows in drawn])
    assert np.mean(counts == 0) == pytest.approx(baselines.NONE_SHARE, abs=0.04)
    assert counts.max() == MOST_ROWS
    assert np.mean(counts == 1) > 0.1 and np.mean(counts > 10) > 0.1


def test_in_training_some_baselines_are_of_one_mood(drawn):
    long = [rows for rows in drawn if len(rows) >= 8]
    one_mood = np.mean([len(set((rows % 3).tolist())) == 1 for rows in long])
    assert one_mood == pytest.approx(baselines.ONE_MOOD_SHARE, abs=0.05)
