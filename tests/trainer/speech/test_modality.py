"""Both ways of recognising speech emotion as a branch: features kept, networks standardised on their rows alone."""

import io
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from trainer.config import Speech
from trainer.corpora import registry
from trainer.corpora.utterance import Utterance
from trainer.modality import AUGMENTED, COMPARED, Modality
from trainer.speech import is09
from trainer.speech.features import PooledStates
from trainer.speech.modality import BASELINES, WINDOWS, is09_windows, speech_modality, states_modality

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


WHO = ("anna", "anna", "anna", "ben", "", "")


def spoken() -> list[Utterance]:
    """Return six recordings, the last of which name nobody."""
    return [Utterance(str(i), "own", LABELS[i % 2], who) for i, who in enumerate(WHO)]


def states(copies: int = 3, count: int = len(WHO)) -> PooledStates:
    random = np.random.default_rng(0)
    values = random.normal(size=(count, copies, 5, 8)).astype(np.float16)
    return PooledStates(values, random.uniform(1, 4, (count, copies)).astype(np.float32))


def of_states(copies: int = 3, seed: int = 0, **settings: object) -> Modality:
    return states_modality(states(copies), spoken(), LABELS, replace(Speech(), **settings), seed)


def test_each_copy_is_trained_on_with_two_baselines_and_the_recording_itself_is_tested_without():
    branch = of_states()
    for row, copies in enumerate(branch.copies):
        assert [(e["row"], e["copy"]) for e in copies] == [(row, n) for n in range(3) for _ in range(BASELINES)]
        assert all(row not in e["others"] for e in copies)
        example = branch.examples[row]
        assert (example["row"], example["copy"], len(example["others"])) == (row, 0, 0)


def test_what_is_read_is_learned_of_the_training_rows_alone():
    rows = np.array([0, 3])
    network = of_states().fresh(rows, 0)
    expected = states().states[rows].astype(np.float32).reshape(6, 5, 8)[:, network.mean_layers, :4].mean(0)
    np.testing.assert_allclose(network.standardizer.mean[: len(network.mean_layers)], expected, atol=1e-5)


def test_classes_of_any_size_count_alike_in_what_is_read():
    """Three recordings of one label weigh as much as one of the other."""
    rows = np.array([0, 2, 4, 1])
    network = of_states().fresh(rows, 0)
    each = states().states[rows].astype(np.float32)[:, :, network.mean_layers, :4].mean(1)
    expected = (each[:3].mean(0) + each[3]) / 2
    np.testing.assert_allclose(network.standardizer.mean[: len(network.mean_layers)], expected, atol=1e-5)


def test_a_batch_has_rows_and_seconds_of_each_baseline_padded_by_0():
    branch, pooled = of_states(), states()
    network = branch.fresh(np.arange(6), 0)
    batch = branch.collate_for(network)(
        [
            {"row": 0, "copy": 2, "others": np.array([1, 2])},
            {"row": 3, "copy": 0, "others": np.zeros(0, np.intp)},
            {"row": 1, "copy": 1, "others": np.array([2])},
        ]
    )
    features = network.pooled_features(torch.from_numpy(pooled.states).flatten(0, 1).float()).view(6, 3, -1).detach()
    assert {name: tuple(value.shape) for name, value in batch.items()} == {
        "features": (3, network.features),
        "baseline": (3, 2, network.features),
        "baseline_s": (3, 2),
    }
    torch.testing.assert_close(batch["features"], torch.stack([features[0, 2], features[3, 0], features[1, 1]]))
    # What is augmented is compared with recordings that are augmented.
    torch.testing.assert_close(batch["baseline"][0], features[[1, 2], 2])
    torch.testing.assert_close(batch["baseline"][2, 0], features[2, 1])
    assert not batch["baseline"][1].any() and not batch["baseline"][2, 1].any()
    seconds = pooled.speech_s
    expected = [[seconds[1, 2], seconds[2, 2]], [0, 0], [seconds[2, 1], 0]]
    np.testing.assert_allclose(batch["baseline_s"], expected)


def test_recordings_without_any_baseline_make_a_batch():
    branch = of_states()
    network = branch.fresh(np.arange(6), 0).eval()
    batch = branch.collate_for(network)(list(branch.examples))
    assert batch["baseline_s"].shape == (6, 1) and not batch["baseline_s"].any()
    torch.testing.assert_close(network(**batch)[0], network(batch["features"])[0])


def test_each_recording_is_also_tested_with_a_baseline_and_in_its_augmented_copies():
    branch = of_states()
    assert set(branch.variants) == {COMPARED, AUGMENTED}
    for row in range(len(WHO)):
        (compared,) = branch.variants[COMPARED][row]
        others = {i for i, who in enumerate(WHO) if who and who == WHO[row] and i != row}
        assert (compared["row"], compared["copy"], set(compared["others"].tolist())) == (row, 0, others)
        assert [(e["row"], e["copy"], len(e["others"])) for e in branch.variants[AUGMENTED][row]] == [
            (row, 1, 0),
            (row, 2, 0),
        ]


def test_without_speakers_or_copies_there_are_no_variants():
    nobody = [replace(u, speaker="") for u in spoken()]
    assert not states_modality(states(1), nobody, LABELS, Speech(), 0).variants


def test_baselines_are_the_seeds():
    def drawn(seed: int) -> list[list[int]]:
        return [e["others"].tolist() for copies in of_states(seed=seed).copies for e in copies]

    assert drawn(0) == drawn(0) != drawn(1)


def test_encoder_states_are_computed_as_the_settings_ask(utterances, cache, monkeypatch):
    asked = {}

    def found(rows, weights, **options):
        asked.update(options)
        return states(options["augmentations"] + 1, len(rows))

    monkeypatch.setattr("trainer.speech.modality.pooled_states", found)
    branch = make(utterances, Speech(augmentations=1), cache)
    assert (asked["augmentations"], asked["seed"]) == (1, 0)
    assert [len(c) for c in branch.copies] == [2 * BASELINES] * 4


def test_the_same_seed_gives_the_same_network(utterances, cache):
    fresh = make(utterances, Speech(features="is09"), cache).fresh
    one, same, other = (fresh(np.arange(4), seed).classifier.weight for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_the_schedule_is_that_of_the_settings(utterances, cache):
    settings = replace(Speech(features="is09"), epochs=3, batch_size=5, learning_rate=0.01, weight_decay=0.5)
    schedule = make(utterances, settings, cache).schedule
    assert (schedule.epochs, schedule.batch_size, schedule.learning_rate, schedule.weight_decay) == (3, 5, 0.01, 0.5)
