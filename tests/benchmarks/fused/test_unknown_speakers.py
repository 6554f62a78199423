"""Networks that know a corpus and not the speaker, small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.fused import unknown_speakers
from benchmarks.unseen.voices import MANY_SPEAKERS, Voices
from trainer import modality
from trainer.config import Experiment, Speech
from trainer.errors import ConfigError
from trainer.experiment import fold, stacking

EXPERIMENT = Experiment(speech=Speech(epochs=1))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Return the rows of every network that is trained, as they come."""
    monkeypatch.setattr("trainer.metrics.RESAMPLES", 20)
    rows: list[np.ndarray] = []
    real: Callable[..., Any] = modality.train

    def spy(*args: Any, **how: Any) -> Any:
        rows.append(args[1])
        return real(*args, **how)

    monkeypatch.setattr(fold, "train", spy)
    return rows


def test_fusion_gets_every_named_speaker_answered_by_a_network_that_does_not_know_them(
    tiny_voices: Voices, trained: list[np.ndarray], tmp_path: Path
) -> None:
    outcome = unknown_speakers.run(tiny_voices, EXPERIMENT, tmp_path / "folds")
    assert len(outcome.folds) == len(trained) == MANY_SPEAKERS
    speech = stacking.of_speech(tiny_voices.dataset, outcome)
    named = [i for i, u in enumerate(tiny_voices.dataset.everything) if u.speaker]
    assert sorted(speech.rows_of) == named  # each once, plain speech too
    for row, number in zip(speech.rows_of, speech.folds, strict=True):
        assert row not in trained[number]
    assert speech.compared is not None
    classes = len(tiny_voices.dataset.labels)
    assert speech.compared.shape == (len(named), classes) and speech.copies.shape == (len(named), 3, classes)
    clear = speech.labels < classes
    assert (speech.copies[clear, 0].argmax(1) == speech.labels[clear]).mean() > 0.8
    assert not np.allclose(speech.compared[clear], speech.copies[clear, 0])


def test_what_is_finished_is_kept_and_the_rest_goes_on(
    tiny_voices: Voices, trained: list[np.ndarray], tmp_path: Path
) -> None:
    first = unknown_speakers.run(tiny_voices, EXPERIMENT, tmp_path)
    (tmp_path / "part-2" / "answers.npz").unlink()
    trained.clear()
    again = unknown_speakers.run(tiny_voices, EXPERIMENT, tmp_path)
    assert len(trained) == 1
    for one, other in zip(first.folds, again.folds, strict=True):
        np.testing.assert_array_equal(one.answers()["speech"], other.answers()["speech"])


def test_folds_of_other_settings_or_recordings_are_refused(
    tiny_voices: Voices, trained: list[np.ndarray], tmp_path: Path
) -> None:
    unknown_speakers.run(tiny_voices, EXPERIMENT, tmp_path)
    with pytest.raises(ConfigError, match=r"experiment\.seed"):
        unknown_speakers.run(tiny_voices, replace(EXPERIMENT, seed=1), tmp_path)
    fewer = replace(tiny_voices.dataset, unlabelled=tiny_voices.dataset.unlabelled[:-1])
    with pytest.raises(ConfigError, match="corpus"):
        unknown_speakers.run(replace(tiny_voices, dataset=fewer), EXPERIMENT, tmp_path)


def test_seconds_of_a_baseline_are_those_of_the_speakers_other_recordings(tiny_voices: Voices) -> None:
    found = tiny_voices.compared_s()
    everything = tiny_voices.dataset.everything
    assert found.shape == (len(everything),)
    nobody = [i for i, u in enumerate(everything) if not u.speaker or u.corpus in {"books", "calls"}]
    assert found[nobody].tolist() == [0.0] * len(nobody)
    assert set(np.delete(found, nobody).tolist()) == {14.0}
