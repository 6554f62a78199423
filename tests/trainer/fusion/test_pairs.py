"""Pairs of speech and text: which are made, how often, and what their label is."""

from collections import Counter

import numpy as np
import pytest

from edge_runtime.inference.asr import SURE
from trainer.fusion.pairs import (
    CERTAIN,
    GIVEN_SHARE,
    SHARES,
    LabelledRows,
    Words,
    agreeing_rows,
    spoken_evidence,
    training_pairs,
)

COUNT, CLASSES = 6000, 4
NAMES = ("neutral", "happy", "sad", "angry")
PLAIN = 5
OWN = 1000.0
# Every value says which row it is of: (row + 1, label, …), so that a pair can be taken apart again.
LABELS = np.array([i % CLASSES for i in range(24)] + [4, 4] + [PLAIN] * 4)
CORPORA = np.array(["a"] * 20 + ["b"] * 6 + ["plain"] * 4)
SPEECH = np.zeros((30, 2, CLASSES), np.float32)
SPEECH[:, :, 0], SPEECH[:, :, 1], SPEECH[:, 1, 2] = np.arange(1, 31)[:, None], LABELS[:, None], 1
TEXT = LabelledRows(
    np.array([[i + 101, i % CLASSES, 0, 0] for i in range(40)], np.float32), np.array([i % CLASSES for i in range(40)])
)
DOUBTFUL = np.arange(30) % 5 == 0


def words(there: int = 30) -> Words:
    """Return the words of each recording, of every fifth in doubt; of those from ``there`` on none are known."""
    logits = np.array([[OWN + i + 1, 0, 0, 0] for i in range(30)], np.float32)
    logits[there:] = np.nan
    mean = np.where(DOUBTFUL, SURE - 0.1, SURE + 0.1)
    return Words(logits, np.stack([mean, mean - 1, np.arange(30.0), np.ones(30)], axis=1).astype(np.float32))


def made(**changes):
    options = {"names": NAMES, "seed": 0} | changes
    its_words = options.pop("words", words())
    return training_pairs(SPEECH, options.pop("labels", LABELS), CORPORA, its_words, TEXT, COUNT, **options)


@pytest.fixture(scope="module")
def pairs():
    return made()


def kind(pairs, i: int) -> str:
    """Tell a pair's kind from its content alone, as far as that is possible."""
    voice, said = pairs.speech[i], pairs.text[i]
    if not voice[0]:
        return "text_alone"
    if not said[0]:
        return "speech_alone"
    if said[0] > OWN:
        same = said[0] - OWN == voice[0]
        return "plain" if voice[1] == PLAIN else "own_words" if same else "nonsense"
    return "sentence"


def test_shares_are_the_stated_ones(pairs):
    found = Counter(kind(pairs, i) for i in range(COUNT))
    expected = {name: SHARES[name] for name in ("own_words", "nonsense", "plain", "speech_alone", "text_alone")}
    expected["sentence"] = SHARES["agreeing"] + SHARES["disagreeing"] + SHARES["neutral_text"]
    whole = sum(SHARES.values())
    for name, share in expected.items():
        assert found[name] / COUNT == pytest.approx(share / whole, abs=0.02), name
    sentences = [i for i in range(COUNT) if kind(pairs, i) == "sentence"]
    agree = np.mean([pairs.speech[i, 1] == pairs.text[i, 1] for i in sentences])
    chance = (SHARES["disagreeing"] + SHARES["neutral_text"]) / CLASSES
    assert agree == pytest.approx((SHARES["agreeing"] + chance) / expected["sentence"], abs=0.05)


def test_the_label_is_the_voice_s_wherever_there_is_one(pairs):
    for i in range(COUNT):
        values = pairs.text[i] if kind(pairs, i) == "text_alone" else pairs.speech[i]
        assert pairs.labels[i] == values[1]
    assert 4 not in pairs.labels  # another emotion teaches nothing here


def test_presence_tells_who_is_there_and_the_absent_is_blank(pairs):
    assert (pairs.present[:, 0] == (pairs.speech[:, 0] > 0)).all()
    assert (pairs.present[:, 1] == (pairs.text[:, 0] > 0)).all()
    assert (pairs.evidence[pairs.present[:, 1] == 0] == 0).all()


def test_evidence_is_that_of_the_words(pairs):
    own = [i for i in range(COUNT) if pairs.text[i, 0] > OWN]
    for i in own:
        np.testing.assert_array_equal(pairs.evidence[i], words().evidence[int(pairs.text[i, 0] - OWN) - 1])
    nonsense = [i for i in range(COUNT) if kind(pairs, i) == "nonsense"]
    assert (pairs.evidence[nonsense, 0] < SURE).all()
    sentences = [i for i in range(COUNT) if kind(pairs, i) == "sentence"]
    assert (pairs.evidence[sentences, 0] > SURE).all()
    given = pairs.evidence[sentences, 0] == 0
    assert given.mean() == pytest.approx(GIVEN_SHARE, abs=0.04)
    assert (pairs.evidence[sentences, 1][given] == 0).all()
    alone = [i for i in range(COUNT) if kind(pairs, i) == "text_alone"]
    assert (pairs.evidence[alone] == CERTAIN).all()


def test_labels_and_corpora_count_alike_and_copies_get_their_turn(pairs):
    classes = pairs.labels[pairs.labels < CLASSES]
    assert np.bincount(classes) / len(classes) == pytest.approx(np.full(CLASSES, 1 / CLASSES), abs=0.03)
    voices = pairs.speech[(pairs.speech[:, 0] > 0) & (pairs.labels < CLASSES), 0]
    assert (voices <= 20).mean() == pytest.approx(0.5, abs=0.03)
    assert pairs.speech[pairs.speech[:, 0] > 0, 2].mean() == pytest.approx(0.5, abs=0.03)


def test_a_seed_gives_the_same_pairs():
    one, again, other = (made(seed=seed) for seed in (1, 1, 2))
    for part in ("speech", "text", "present", "evidence", "labels"):
        assert np.array_equal(getattr(one, part), getattr(again, part))
    assert not np.array_equal(one.speech, other.speech)


def test_labels_without_a_neutral_one_have_no_plain_speech_and_no_neutral_sentences():
    found = made(names=("calm", "happy", "sad", "angry"))
    assert set(found.labels) == {0, 1, 2, 3}


def test_recordings_without_words_have_no_pairs_with_their_own():
    found = made(words=words(there=0))
    assert found.text[:, 0].max() < OWN
    assert np.isfinite(found.text).all()
    both = (found.present == 1).all(axis=1)
    assert (found.evidence[both] == CERTAIN).all()


def test_evidence_of_a_sentence_is_drawn_from_clear_recordings():
    found = spoken_evidence(words(), CORPORA, 200, seed=0)
    assert found.shape == (200, 4)
    assert (found[:, 0] > SURE).all()
    assert (spoken_evidence(words(there=0), CORPORA, 2, seed=0) == CERTAIN).all()


def test_each_recording_agrees_with_a_sentence_of_its_label():
    speech = LabelledRows(SPEECH[:24, 0], LABELS[:24])
    rows = agreeing_rows(speech, TEXT, seed=0)
    assert (speech.labels == TEXT.labels[rows]).all()
    assert np.array_equal(rows, agreeing_rows(speech, TEXT, seed=0))
    assert not np.array_equal(rows, agreeing_rows(speech, TEXT, seed=1))
