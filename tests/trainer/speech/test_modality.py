"""Both ways of recognising speech emotion as a branch: features kept, networks standardised on their rows alone."""

import io
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from trainer.config import Speech
from trainer.corpora import registry
from trainer.speech import is09
from trainer.speech.modality import WINDOWS, is09_windows, speech_modality

LABELS = ("calm", "furious")


@pytest.fixture(scope="module")
def utterances(tmp_path_factory, talks):
    return registry.read(talks(tmp_path_factory.mktemp("talks"), speakers=1))


@pytest.fixture(scope="module")
def cache(tmp_path_factory, utterances):
    folder = tmp_path_factory.mktemp("cache")
    is09_windows(utterances, folder, quiet=True)
    return folder


def make(utterances, settings, cache):
    return speech_modality(utterances, LABELS, settings, weights=cache, cache=cache, seed=0, quiet=True)


@pytest.fixture
def never_computed(monkeypatch):
    def never(*_, **__):
        raise AssertionError("computed again")

    monkeypatch.setattr(is09.IS09, "forward", never)


def test_features_are_computed_once(utterances, cache, never_computed):
    windows = is09_windows(utterances, cache)
    assert len(windows) == 4
    assert all(w.shape[1] == 384 and w.dtype == np.float32 and 1 <= len(w) <= WINDOWS for w in windows)


def test_features_follow_their_utterances_when_the_order_changes(utterances, cache):
    there = is09_windows(utterances, cache, quiet=True)
    back = is09_windows(utterances[::-1], cache, quiet=True)[::-1]
    for one, other in zip(there, back, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert not np.allclose(there[0], there[1])


def test_other_recordings_have_other_features(utterances, cache, never_computed):
    with pytest.raises(AssertionError, match="computed again"):
        is09_windows(utterances[:3], cache, quiet=True)


def test_nothing_half_computed_is_kept(utterances, tmp_path, monkeypatch):
    compute, calls = is09.IS09.forward, []

    def cut(*arguments):
        calls.append(1)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return compute(*arguments)

    monkeypatch.setattr(is09.IS09, "forward", cut)
    with pytest.raises(KeyboardInterrupt):
        is09_windows(utterances, tmp_path, quiet=True)
    assert not list(tmp_path.iterdir())


def test_progress_goes_to_standard_error(utterances, tmp_path, monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    is09_windows(utterances[:1], tmp_path)
    assert out.getvalue() == ""


@pytest.mark.parametrize("masked", [True, False])
def test_the_papers_network_is_fed_as_in_the_paper(masked, utterances, cache):
    settings = Speech(features="is09", attention_size=16, masked=masked, dropout=0.3)
    branch = make(utterances, settings, cache)
    longest = max(len(e["windows"]) for e in branch.examples)
    batch = branch.collate([dict(e) for e in branch.examples])
    assert batch["windows"].shape == (4, longest if masked else WINDOWS, 384)
    network = branch.fresh(np.arange(4), 0)
    assert network.scorer[0].out_features == 16 and network.masked is masked and network.dropout.p == 0.3
    assert branch.length == "windows" and [len(c) for c in branch.copies] == [1] * 4


def test_the_papers_network_is_standardised_on_its_rows_alone(utterances, cache):
    branch = make(utterances, Speech(features="is09"), cache)
    rows = np.array([0, 2])
    mine = np.concatenate([branch.examples[i]["windows"] for i in rows])
    np.testing.assert_allclose(branch.fresh(rows, 0).standardizer.mean, mine.mean(0), rtol=1e-3, atol=1e-3)


def test_encoder_states_have_copies_to_train_on_and_the_recording_itself_to_test_on(utterances, cache, monkeypatch):
    pooled = np.random.default_rng(0).normal(size=(4, 3, 5, 8)).astype(np.float32)
    monkeypatch.setattr("trainer.speech.modality.pooled_states", lambda *_, **__: pooled)
    branch = make(utterances, Speech(augmentations=2), cache)
    assert [len(c) for c in branch.copies] == [3] * 4
    np.testing.assert_array_equal(branch.examples[1]["pooled"], pooled[1, 0])
    network = branch.fresh(np.array([0, 3]), 0)
    expected = pooled[[0, 3]].reshape(6, 5, 8)[:, network.mean_layers, :4].mean(0)
    np.testing.assert_allclose(network.standardizer.mean[: len(network.mean_layers)], expected, atol=1e-5)


def test_the_same_seed_gives_the_same_network(utterances, cache):
    fresh = make(utterances, Speech(features="is09"), cache).fresh
    one, same, other = (fresh(np.arange(4), seed).classifier.weight for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_the_schedule_is_that_of_the_settings(utterances, cache):
    settings = replace(Speech(features="is09"), epochs=3, batch_size=5, learning_rate=0.01, weight_decay=0.5)
    schedule = make(utterances, settings, cache).schedule
    assert (schedule.epochs, schedule.batch_size, schedule.learning_rate, schedule.weight_decay) == (3, 5, 0.01, 0.5)
