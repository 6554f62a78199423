"""Pooled states: their shape, their seed, and what is computed again."""

import importlib.util
import inspect
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.export.tiny import vad
from trainer.audio import load_audio
from trainer.corpora.utterance import Utterance
from trainer.errors import ConfigError, WeightsError
from trainer.speech import features
from trainer.speech.features import augmented, pooled_states


@pytest.fixture
def pretrained(tmp_path, tiny_whisper) -> Path:
    tiny_whisper.save_pretrained(tmp_path / "weights" / "whisper-tiny.en")
    (tmp_path / "weights" / "silero-vad").mkdir()
    vad(tmp_path / "weights" / "silero-vad" / "vad.onnx")
    for folder in (tmp_path / "weights").iterdir():
        (folder / "source.json").write_text("{}")
    return tmp_path / "weights"


@pytest.fixture
def voices(tmp_path, clip) -> list[Utterance]:
    return [
        Utterance(str(i), "emodb", "sad", f"s{i}", audio=clip(tmp_path / f"{i}.flac", seconds=0.4, seed=i))
        for i in range(2)
    ]


@pytest.mark.parametrize("samples", [features.PIECE + 1, 31 * 16_000])
def test_a_recording_longer_than_the_encoder_takes_is_heard_in_pieces(tmp_path, pretrained, samples):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, samples), 16_000)
    long = [Utterance("a", "emodb", "sad", "s", audio=path)]
    found = pooled_states(long, pretrained, augmentations=0, seed=0, cache=tmp_path / "cache", quiet=True)
    assert found.states.shape == (1, 1, 3, 32)
    assert np.isfinite(found.states).all()
    assert 0 < found.speech_s[0, 0] <= samples / 16_000 + 0.02


def test_each_recording_gives_itself_and_its_augmentations(tmp_path, pretrained, voices):
    options = {"augmentations": 2, "cache": tmp_path / "cache", "quiet": True}
    seconds = pooled_states(voices, pretrained, seed=0, **options).speech_s
    assert seconds.shape == (2, 3) and ((seconds > 0) & (seconds < 0.5)).all()
    found = pooled_states(voices, pretrained, seed=0, **options).states
    other = pooled_states(voices, pretrained, seed=1, **options).states
    assert found.shape == (2, 3, 3, 32)
    assert np.isfinite(found).all()
    # A seed changes the augmentations, and never the recording as it is.
    np.testing.assert_allclose(other[:, 0], found[:, 0], atol=1e-3)
    assert not np.allclose(other[:, 1:], found[:, 1:])
    assert not np.allclose(found[0, 0], found[1, 0])


def test_babble_is_of_the_speakers_own_other_recordings(tmp_path, clip, monkeypatch):
    people = [("a", 0), ("a", 1), ("b", 2), ("a", 3)]
    said = [
        Utterance(str(i), "emodb", "sad", who, audio=clip(tmp_path / f"{i}.flac", seconds=0.4, seed=seed))
        for i, (who, seed) in enumerate(people)
    ]
    heard = []
    monkeypatch.setattr(features, "BABBLE_SHARE", 1.0)
    monkeypatch.setattr(features, "load_audio", lambda path: heard.append(path.stem) or load_audio(path))
    clean, *others = augmented(said, 0, 3, 0)
    np.testing.assert_array_equal(clean, load_audio(said[0].audio))
    assert len(others) == 3
    assert set(heard) == {"0", "1", "3"}
    heard.clear()
    augmented(said, 2, 3, 0)  # nobody else is b
    assert heard == ["2"]


def test_a_share_of_the_augmentations_has_babble(tmp_path, clip, monkeypatch):
    said = [Utterance(str(i), "emodb", "sad", "a", audio=clip(tmp_path / f"{i}.flac", seconds=0.1)) for i in range(3)]
    with_babble = []
    monkeypatch.setattr(features.augment, "augment", lambda x, _, babble: with_babble.append(babble is not None) or x)
    augmented(said, 0, 200, 0)
    assert abs(np.mean(with_babble) - features.BABBLE_SHARE) < 0.1


def test_features_are_cached_until_recording_or_settings_change(tmp_path, pretrained, voices, clip):
    options = {"augmentations": 0, "seed": 0, "cache": tmp_path / "cache", "quiet": True}
    first = pooled_states(voices, pretrained, **options)
    (kept,) = (tmp_path / "cache").iterdir()
    with kept.open("wb") as file:
        np.savez(file, states=first.states + 1, speech_s=first.speech_s + 1)
    there = pooled_states(voices, pretrained, **options)
    np.testing.assert_array_equal(there.states, first.states + 1)
    np.testing.assert_array_equal(there.speech_s, first.speech_s + 1)
    clip(voices[1].audio, seconds=0.4, seed=9)
    again = pooled_states(voices, pretrained, **options)
    np.testing.assert_allclose(again.states[0], first.states[0], atol=1e-3)
    assert not np.allclose(again.states[1], first.states[1])


def test_an_interrupted_encoding_goes_on_where_it_was(tmp_path, pretrained, clip, monkeypatch):
    voices = [
        Utterance(str(i), "emodb", "sad", "s", audio=clip(tmp_path / f"{i}.flac", seconds=0.3, seed=i))
        for i in range(5)
    ]
    options = {"augmentations": 1, "seed": 0, "quiet": True}
    whole = pooled_states(voices, pretrained, cache=tmp_path / "whole", **options)
    monkeypatch.setattr(features, "PART", 2)
    asked = []

    def interrupted(utterances, number, augmentations, seed):
        asked.append(number)
        if asked.count(3) == 1 and number == 3:
            raise KeyboardInterrupt
        return augmented(utterances, number, augmentations, seed)

    monkeypatch.setattr(features, "_key", lambda *_: "same")
    monkeypatch.setattr(features, "augmented", interrupted)
    cache = tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt):
        pooled_states(voices, pretrained, cache=cache, **options)
    found = pooled_states(voices, pretrained, cache=cache, **options)
    assert asked == [0, 1, 2, 3, 2, 3, 4]
    np.testing.assert_array_equal(found.states, whole.states)
    np.testing.assert_array_equal(found.speech_s, whole.speech_s)
    assert [path.name for path in cache.iterdir()] == ["pooled-same.npz"]


def test_a_recording_in_which_nobody_is_found_counts_in_full(tiny_whisper, monkeypatch):
    """Its label is known, so that it is learned from; the mask of states tells the seconds."""
    monkeypatch.setattr(features, "speech_mask", lambda _, waveform: np.zeros(-(-len(waveform) // 320), bool))
    encoder = features.whisper.SpeechEncoder(tiny_whisper).eval()
    states, seconds = features.pool_recording(np.zeros(8_000, np.float32), encoder, None)
    assert np.isfinite(states).all() and seconds == pytest.approx(0.5)


def test_seconds_are_those_of_speech_alone(tiny_whisper, monkeypatch):
    monkeypatch.setattr(features, "speech_mask", lambda _, waveform: np.arange(-(-len(waveform) // 320)) < 10)
    encoder = features.whisper.SpeechEncoder(tiny_whisper).eval()
    assert features.pool_recording(np.zeros(8_000, np.float32), encoder, None)[1] == pytest.approx(0.2)


def test_features_are_computed_again_when_the_code_of_augmentation_changes(tmp_path, pretrained, voices, monkeypatch):
    options = {"augmentations": 1, "seed": 0, "cache": tmp_path / "cache", "quiet": True}
    pooled_states(voices, pretrained, **options)
    changed = tmp_path / "changed_augment.py"
    changed.write_text(inspect.getsource(features.augment).replace("< 0.25:", "< 0.26:"))
    spec = importlib.util.spec_from_file_location("changed_augment", changed)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "changed_augment", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(features, "augment", module)
    pooled_states(voices, pretrained, **options)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_missing_codec_is_told_before_anything_is_encoded_and_matters_to_augmentations_alone(
    tmp_path, pretrained, voices, monkeypatch
):
    def missing() -> None:
        raise ConfigError("augmentation needs the codec OPUS")

    options = {"seed": 0, "cache": tmp_path / "cache", "quiet": True}
    kept = pooled_states(voices, pretrained, augmentations=1, **options)
    monkeypatch.setattr(features.augment, "check_codecs", missing)
    pooled_states(voices, pretrained, augmentations=0, **options)
    np.testing.assert_array_equal(pooled_states(voices, pretrained, augmentations=1, **options).states, kept.states)
    monkeypatch.setattr(features, "augmented", lambda *_: pytest.fail("encoded"))
    with pytest.raises(ConfigError, match="needs the codec OPUS"):
        pooled_states(voices, pretrained, augmentations=2, **options)


@pytest.mark.parametrize("name", ["whisper-tiny.en", "silero-vad"])
def test_weights_that_were_not_fetched_are_named(tmp_path, pretrained, voices, name):
    (pretrained / name / "source.json").unlink()
    with pytest.raises(WeightsError, match=f"{name}.*trainer fetch"):
        pooled_states(voices, pretrained, augmentations=0, seed=0, cache=tmp_path / "cache", quiet=True)
    assert not (tmp_path / "cache").exists()


def test_another_encoder_is_read_and_kept_apart(tmp_path, pretrained, voices):
    (pretrained / "whisper-tiny.en").rename(pretrained / "whisper-base")
    options = {"augmentations": 0, "seed": 0, "cache": tmp_path / "cache", "quiet": True}
    with pytest.raises(WeightsError, match=r"whisper-tiny\.en"):
        pooled_states(voices, pretrained, **options)
    found = pooled_states(voices, pretrained, encoder="whisper-base", **options)
    assert found.states.shape == (2, 1, 3, 32)
    with pytest.raises(WeightsError, match=r"whisper-tiny\.en"):  # what another encoder made is not taken for it
        pooled_states(voices, pretrained, **options)
