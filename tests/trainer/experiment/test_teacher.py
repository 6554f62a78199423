"""Distillation: a text network that learns what another one answers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from tests.trainer.encoders import write_bert
from trainer.checkpoints import CONFIG
from trainer.config import Experiment, Text
from trainer.corpora.dataset import Dataset
from trainer.corpora.utterance import Utterance
from trainer.errors import CheckpointError, ConfigError
from trainer.experiment import cross_validation
from trainer.experiment.run_dir import RunPaths
from trainer.experiment.teacher import taught
from trainer.modality import predict
from trainer.text import checkpoint
from trainer.text.encoding import LENGTH
from trainer.text.modality import text_modality

pytestmark = pytest.mark.usefixtures("quick_collection")
WORDS = ("well", "no", "yes")
LABELS = ("calm", "cross", "keen")
TEXT = Text(encoder="bert", epochs=2, batch_size=4, learning_rate=1e-3)


def corpus(name: str = "manifest") -> Dataset:
    utterances = [
        Utterance(
            f"{i}", name, LABELS[i % 3], f"s{i % 4}", transcript=WORDS[i % 3], split="train" if i < 18 else "test"
        )
        for i in range(24)
    ]
    return Dataset(name, utterances, LABELS)


def experiment(**changes: object) -> Experiment:
    return Experiment(protocol="official", validation_percent=0, text=replace(TEXT, **changes))


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("home") / "weights"
    write_bert(folder / "bert", list(WORDS))
    write_bert(folder / "large", list(WORDS))
    return folder


def fit(folder: Path, made: Experiment, weights: Path) -> Path:
    """Train, and return the folder of the checkpoint of text."""
    cross_validation.run(made, corpus(), RunPaths(folder, weights, folder / "cache", quiet=True))
    return folder / "checkpoints" / "text"


@pytest.fixture(scope="module")
def teacher(tmp_path_factory, weights) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.metrics.RESAMPLES", 20)
        return fit(tmp_path_factory.mktemp("teacher"), experiment(encoder="large"), weights)


def test_the_teachers_answers_are_those_of_its_checkpoint(teacher, weights):
    small = text_modality(list(WORDS), LABELS, TEXT, weights=weights)
    found = taught(small, list(WORDS), LABELS, teacher, 0.3)
    network, texts, _ = checkpoint.restore(teacher)
    logits, _ = predict(network, texts.encode(list(WORDS)), texts.collate, LENGTH)
    np.testing.assert_allclose(found.taught, softmax(logits, axis=1), rtol=1e-6)
    assert found.taught_share == 0.3 and found.examples is small.examples


def test_a_teacher_changes_what_is_learned_and_is_credited(teacher, weights, tmp_path):
    alone = fit(tmp_path / "alone", experiment(), weights)
    helped = fit(tmp_path / "helped", experiment(teacher=str(teacher)), weights)
    config = json.loads((helped / CONFIG).read_text())
    assert config["warmed_on"] == ["manifest"] and config["pretrained"].keys() == {"bert", "large"}
    logits = []
    for folder in (alone, helped):
        network, texts, _ = checkpoint.restore(folder)
        logits.append(predict(network, texts.encode(list(WORDS)), texts.collate, LENGTH)[0])
    assert np.abs(logits[0] - logits[1]).max() > 1e-3


def test_a_teacher_with_other_labels_is_refused(teacher, weights):
    small = text_modality(list(WORDS), ("calm", "cross", "glad"), TEXT, weights=weights)
    with pytest.raises(ConfigError, match="its labels are calm, cross, keen, not calm, cross, glad"):
        taught(small, list(WORDS), ("calm", "cross", "glad"), teacher, 0.5)


def test_a_teacher_that_is_not_there_is_named(weights, tmp_path):
    small = text_modality(list(WORDS), LABELS, TEXT, weights=weights)
    with pytest.raises(CheckpointError, match="nowhere"):
        taught(small, list(WORDS), LABELS, tmp_path / "nowhere", 0.5)


def test_a_teacher_may_not_know_what_folds_are_tested_on(teacher, weights, tmp_path):
    folds = replace(experiment(teacher=str(teacher)), protocol="speaker", folds=2)
    with pytest.raises(ConfigError, match="tested on"):
        fit(tmp_path / "run", folds, weights)
    assert not (tmp_path / "run").exists()
