"""Pairs of speech and text: which are made, how often, and which never are."""

from collections import Counter

import numpy as np
import pytest

from trainer.fusion.pairs import SHARES, LabelledRows, agreeing_rows, training_pairs

COUNT, LABELS = 4000, 4
NAMES = ("neutral", "happy", "sad", "angry")
NEUTRAL = 0
OWN = 1000.0
# Every row says which it is: (row + 1, label), so that a pair can be taken apart again.
SPEECH = LabelledRows(
    np.array([[i + 1, i % LABELS] for i in range(24)], np.float32), np.array([i % LABELS for i in range(24)])
)
TEXT = LabelledRows(
    np.array([[i + 101, i % LABELS] for i in range(40)], np.float32), np.array([i % LABELS for i in range(40)])
)


def own_sentences() -> np.ndarray:
    """Return the values of the sentence that each recording says; of the second half none is known."""
    rows = np.array([[OWN + i + 1, -1] for i in range(24)], np.float32)
    rows[12:] = np.nan
    return rows


@pytest.fixture(scope="module")
def pairs():
    return training_pairs(SPEECH, TEXT, own_sentences(), COUNT, names=NAMES, seed=0)


def kind(pairs, i: int) -> str:
    """Tell a pair's kind from its content alone."""
    voice, words = pairs.speech[i], pairs.text[i]
    if not voice[0]:
        return "text_alone"
    if not words[0]:
        return "speech_alone"
    if words[0] > OWN:
        return "own_sentence"
    if voice[1] == words[1]:
        return "agreeing"
    return "neutral_text" if words[1] == NEUTRAL else "neutral_speech"


def test_shares_are_the_stated_ones(pairs):
    found = Counter(kind(pairs, i) for i in range(COUNT))
    # A quarter of the pairs with neutral words or voice is wholly neutral, and so looks like agreement.
    moved = (SHARES["neutral_text"] + SHARES["neutral_speech"]) / LABELS
    expected = dict(SHARES) | {"agreeing": SHARES["agreeing"] + moved}
    for name in ("neutral_text", "neutral_speech"):
        expected[name] *= 1 - 1 / LABELS
    assert found.keys() == SHARES.keys()
    for name, share in expected.items():
        assert found[name] / COUNT == pytest.approx(share, abs=0.025), name


def test_shares_are_whole():
    assert sum(SHARES.values()) == pytest.approx(1)


def test_labels_are_those_that_a_listener_would_give(pairs):
    for i in range(COUNT):
        label, voice, words = pairs.labels[i], pairs.speech[i][1], pairs.text[i][1]
        expected = {
            "agreeing": {voice, words},
            "own_sentence": {voice},
            "neutral_text": {voice},
            "neutral_speech": {words},
            "speech_alone": {voice},
            "text_alone": {words},
        }[kind(pairs, i)]
        assert expected == {label}, kind(pairs, i)


def test_voice_and_words_never_contradict_each_other(pairs):
    both = (pairs.speech[:, 0] > 0) & (pairs.text[:, 0] > 0) & (pairs.text[:, 0] < OWN)
    voice, words = pairs.speech[both, 1], pairs.text[both, 1]
    assert ((voice == words) | (voice == NEUTRAL) | (words == NEUTRAL)).all()


def test_presence_tells_who_is_there_and_the_absent_is_blank(pairs):
    assert (pairs.present[:, 0] == (pairs.speech[:, 0] > 0)).all()
    assert (pairs.present[:, 1] == (pairs.text[:, 0] > 0)).all()
    assert (pairs.present.sum(1) > 0).all()


def test_own_sentences_are_the_voices_own_and_only_where_they_are_known(pairs):
    own = pairs.text[:, 0] > OWN
    assert (pairs.text[own, 0] - OWN == pairs.speech[own, 0]).all()
    assert pairs.speech[own, 0].max() <= 12
    assert np.isfinite(pairs.text).all()


def test_every_label_and_every_example_gets_its_turn(pairs):
    assert np.bincount(pairs.labels) / COUNT == pytest.approx(np.full(LABELS, 1 / LABELS), abs=0.03)
    assert len(np.unique(pairs.speech[:, 0])) == 1 + len(SPEECH.labels)


def test_rare_labels_are_drawn_as_often_as_frequent_ones():
    labels = np.array([0] * 30 + [1, 2, 3])
    rare = LabelledRows(np.ones((33, 2), np.float32), labels)
    found = training_pairs(rare, rare, np.ones((33, 2), np.float32), 2000, names=NAMES, seed=0)
    assert np.bincount(found.labels).min() > 400


def test_a_seed_gives_the_same_pairs():
    one, again, other = (training_pairs(SPEECH, TEXT, own_sentences(), 50, names=NAMES, seed=s) for s in (1, 1, 2))
    for part in ("speech", "text", "present", "labels"):
        assert np.array_equal(getattr(one, part), getattr(again, part))
    assert not np.array_equal(one.speech, other.speech)


def test_labels_without_a_neutral_one_have_no_neutral_pairs():
    found = training_pairs(SPEECH, TEXT, own_sentences(), COUNT, names=("calm", "happy", "sad", "angry"), seed=0)
    both = (found.speech[:, 0] > 0) & (found.text[:, 0] > 0) & (found.text[:, 0] < OWN)
    assert (found.speech[both, 1] == found.text[both, 1]).all()


def test_recordings_without_known_sentences_have_no_pairs_with_their_own():
    nothing = np.full((24, 2), np.nan, np.float32)
    found = training_pairs(SPEECH, TEXT, nothing, COUNT, names=NAMES, seed=0)
    assert found.text[:, 0].max() < OWN and np.isfinite(found.text).all()


def test_each_recording_agrees_with_a_sentence_of_its_label():
    rows = agreeing_rows(SPEECH, TEXT, seed=0)
    assert (SPEECH.labels == TEXT.labels[rows]).all()
    assert np.array_equal(rows, agreeing_rows(SPEECH, TEXT, seed=0))
    assert not np.array_equal(rows, agreeing_rows(SPEECH, TEXT, seed=1))
