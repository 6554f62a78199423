"""Fixtures of the benchmarks' tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmarks.unseen.voices import Voices
from trainer.config import Experiment, Speech
from trainer.corpora import ravdess
from trainer.corpora.dataset import Dataset
from trainer.corpora.utterance import Utterance
from trainer.experiment.cross_validation import truth_of
from trainer.speech.baselines import Speakers
from trainer.speech.features import PooledStates
from trainer.speech.modality import states_modality

Check = Callable[[Any], bool]


@pytest.fixture(scope="session")
def positive() -> Check:
    """Whether every number in nested dicts and lists is finite and not negative, and there is one."""

    def check(value: Any) -> bool:
        if isinstance(value, Mapping | list):
            return bool(value) and all(map(check, value.values() if isinstance(value, Mapping) else value))
        return not isinstance(value, float | int) or bool(np.isfinite(value) and value >= 0)

    return check


@pytest.fixture
def two_clips(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, jfk: Path) -> None:
    """Two short clips stand in for RAVDESS, which is not in the repository."""
    speech, rate = soundfile.read(jfk)
    files = [tmp_path / "one.wav", tmp_path / "two.wav"]
    soundfile.write(files[0], speech[int(5.1 * rate) : int(7.9 * rate)], rate)
    soundfile.write(files[1], speech[int(8.0 * rate) :], rate)
    monkeypatch.setattr(ravdess, "load", lambda folder: [SimpleNamespace(audio=file) for file in files])


@pytest.fixture
def tiny_voices() -> Voices:
    """Return recordings of two corpora and bursts, two of plain speech, and states that tell the label.

    Each recording has two seconds of speech. The last recording of the first corpus names no speaker.
    """
    labels = ("neutral", "angry")
    spoken = [
        Utterance(f"{corpus}-{who}-{label}-{n}", corpus, label, f"{corpus}-{who}")
        for corpus in ("first", "second", "emogator")
        for who in "abcd"
        for label in labels
        for n in range(4)
    ]
    spoken.insert(32, Utterance("first-nobody", "first", "angry", ""))
    plain = [
        Utterance(f"{name}-{n}", name, "unlabelled", f"{name}-{n}") for name in ("books", "calls") for n in range(4)
    ]
    dataset = Dataset("tiny", spoken, labels, plain)
    random = np.random.default_rng(0)
    states = random.normal(size=(len(dataset.everything), 2, 5, 8))
    states += np.array([u.label == "angry" for u in dataset.everything])[:, None, None, None] * 3
    pooled = PooledStates(states.astype(np.float16), np.full(states.shape[:2], 2.0, np.float32))
    settings = Speech(augmentations=1, epochs=1, batch_size=32, learning_rate=1e-2, unlabelled_weight=0.4)
    experiment = Experiment(speech=settings)
    modality = states_modality(pooled, dataset.everything, labels, settings, 0)
    speakers = Speakers.of(dataset.everything, pooled.speech_s[:, 0])
    return Voices(dataset, pooled, modality, truth_of(dataset, experiment), speakers)
