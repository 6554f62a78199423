"""Each corruption does to speech what its name says."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.robustness.corruptions import AXES, MP3, OPUS, VOICES, VORBIS, corruptions, encoded
from edge_runtime.audio.recording import SAMPLE_RATE
from trainer.audio import load_audio


def power_db(x):
    return 10 * np.log10(np.mean(np.square(x, dtype=np.float64)))


@pytest.fixture(scope="module")
def speech(jfk):
    return load_audio(jfk)[: 3 * SAMPLE_RATE]


@pytest.fixture(scope="module")
def others(jfk):
    return list(np.array_split(load_audio(jfk), 2 * VOICES))


def test_noise_and_babble_keep_their_signal_to_noise_ratio(speech, others):
    noisy = [way for way in corruptions(others) if way.kind in {"white noise", "babble"}]
    assert {way.kind for way in noisy} == {"white noise", "babble"}
    for way in noisy:
        noise = way.change(speech, np.random.default_rng(1)) - speech
        assert power_db(speech) - power_db(noise) == pytest.approx(way.level, abs=0.05), way


def test_corrupted_speech_keeps_its_length_and_every_axis_has_corruptions(speech, others):
    ways = corruptions(others)
    assert {way.kind for way in ways} == set(AXES)
    for way in ways:
        changed = way.change(speech, np.random.default_rng(3))
        assert changed.dtype == np.float32 and np.isfinite(changed).all()
        wanted = len(speech) / way.level if way.kind == "speed" else len(speech)
        assert abs(len(changed) - wanted) <= 0.06 * SAMPLE_RATE, way
        assert not np.array_equal(changed, speech)


def test_gain_clips_at_full_scale_and_clipping_at_its_share(speech, others):
    ways = {
        (w.kind, w.level): w.change(speech, np.random.default_rng(0))
        for w in corruptions(others)
        if w.kind in {"gain", "clipping"}
    }
    assert np.abs(ways["gain", 30.0]).max() == 1.0
    assert np.abs(ways["gain", -40.0]).max() == pytest.approx(0.01 * np.abs(speech).max(), rel=0.02)
    assert np.abs(ways["clipping", 0.2]).max() == pytest.approx(0.2 * np.abs(speech).max(), rel=1e-5)


@pytest.mark.parametrize(
    ("form", "kind", "rates"), [("OGG", "OPUS", OPUS), ("OGG", "VORBIS", VORBIS), ("MP3", "MPEG_LAYER_III", MP3)]
)
def test_codecs_take_about_the_bits_that_their_level_says(jfk, form, kind, rates):
    x = load_audio(jfk)
    found = [len(encoded(x, form, kind, level)) * 8 / 1000 / (len(x) / SAMPLE_RATE) for _, level in rates]
    for kbit, (said, _) in zip(found, rates, strict=True):
        assert 0.5 * said < kbit < 2 * said
    assert found[1] < found[0]
