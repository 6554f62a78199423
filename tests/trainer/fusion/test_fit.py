"""Fusion of the default bundle: what it learns from, and that it is measured on nobody whom its branches know."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from trainer import training_loop
from trainer.corpora.utterance import LABELS, Utterance, label_ids
from trainer.fusion import fit
from trainer.fusion.fit import Settings, Voices, Words
from trainer.fusion.pairs import Side
from trainer.speech import fit as speech_fit
from trainer.speech.network import SpeechEmotion

WIDTH, COPIES, FOLDS = 4, 2, 6
SETTINGS = Settings(
    pairs=40, draws=1, schedule=training_loop.Schedule(epochs=1, batch=20, rate=1e-3, save_minutes=None)
)


def utterance(corpus: str, speaker: int, label: str) -> Utterance:
    name = f"{corpus}-{speaker}"
    sentence = "kids are talking by the door" if corpus == "ravdess" else None
    return Utterance(f"{name}-{label}", corpus, label, name, transcript=sentence)


def said(part: str, count: int) -> list[Utterance]:
    """Return sentences of a part of MELD."""
    return [
        Utterance(f"{part}-{i}", "meld", LABELS[i % 4], "", session=f"{part}-{i}", transcript=f"{part} {i}")
        for i in range(count)
    ]


UTTERANCES = [
    utterance(corpus, speaker, label)
    for corpus in ("ravdess", "emodb")
    for speaker in range(FOLDS)
    for label in (*LABELS, "calm")
]
OWN = {"kids are talking by the door": np.zeros(3, np.float32)}


def voices() -> Voices:
    """Return recordings whose every state is their number."""
    numbers = np.arange(len(UTTERANCES), dtype=np.float32)
    return Voices(UTTERANCES, np.tile(numbers[:, None, None, None], (1, COPIES, 5, 2 * WIDTH)))


def words(first: int) -> Words:
    """Return two sentences of each label in each fold, whose embedding begins with their number."""
    labels, folds = (part.ravel() for part in np.meshgrid(np.tile(range(len(LABELS)), 2), range(FOLDS)))
    torch.manual_seed(0)
    numbers = np.arange(first, first + len(labels))
    embeddings = np.stack([numbers, labels, folds], axis=1).astype(np.float32)
    return Words(Side(embeddings, labels), embeddings[:, [1] * len(LABELS)], folds, nn.Linear(3, len(LABELS)))


HELD, DEV = words(1000), words(2000)


class Trainings:
    """Who each pair of networks was trained on; the networks are fresh ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.heard: list[Sequence[Utterance]] = []
        self.paired: list[tuple[Sequence[Utterance], Side]] = []
        train_network = fit.train_network

        def speech(utterances: Sequence[Utterance], pooled: Any, _: Any, *, seed: int) -> SpeechEmotion:
            self.heard.append(utterances)
            torch.manual_seed(seed)
            network = SpeechEmotion(len(LABELS), width=WIDTH)
            network.standardise(torch.from_numpy(pooled).flatten(0, 1))
            return network.eval()

        def fusion(branch: Any, classifier: Any, voices: Voices, words: Side, own: Any, settings: Settings) -> Any:
            self.paired.append((voices.utterances, words))
            return train_network(branch, classifier, voices, words, own, settings).eval()

        monkeypatch.setattr(speech_fit, "train_network", speech)
        monkeypatch.setattr(fit, "train_network", fusion)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    monkeypatch.setattr("trainer.metrics.RESAMPLES", 20)
    return Trainings(monkeypatch)


def test_no_fold_s_networks_know_the_voices_or_the_words_that_they_are_measured_on(trained: Trainings) -> None:
    everything, four = voices(), np.array([u.label != "calm" for u in UTTERANCES])
    folds = np.array([int(u.speaker[-1]) for u in UTTERANCES])
    for fold in range(FOLDS):
        found = fit._strangers(everything, four, folds, fold, HELD, DEV, OWN, SETTINGS, speech_fit.Settings())
        tested = {UTTERANCES[i].speaker for i in found.voices}
        assert tested == {f"ravdess-{fold}", f"emodb-{fold}"}
        assert set(HELD.folds[found.held]) == {fold}
        ((paired, learned),) = trained.paired[fold:]
        for known in (trained.heard[fold], paired):
            assert not {u.speaker for u in known} & tested
            assert len({u.speaker for u in known}) == 2 * (FOLDS - 1)
            assert "calm" not in {u.label for u in known}
        assert set(learned.embeddings[:, 2]) == set(range(FOLDS)) - {fold}
        assert learned.embeddings[:, 0].max() < 2000  # none of the dev sentences
        assert "calm" not in {UTTERANCES[i].label for i in found.voices}
        np.testing.assert_array_equal(DEV.side.labels[found.partner], label_ids([UTTERANCES[i] for i in found.voices]))


def test_every_voice_is_measured_once_and_all_temperatures_are_fitted(trained: Trainings) -> None:
    found = fit.measure(voices(), HELD, DEV, OWN, SETTINGS, speech_fit.Settings())
    assert len(trained.paired) == FOLDS
    assert set(found["calibration"]) == {"fusion", "fusion_text_only", "fusion_speech_only"}
    per_corpus = FOLDS * len(LABELS)
    assert found["ravdess_with_its_own_sentences"]["fused"]["n"] == per_corpus
    assert found["agreeing_pairs_of_unknown_speakers_and_dev_words"]["fused"]["n"] == 2 * per_corpus
    assert found["dev_words_alone"]["fused"]["n"] == FOLDS * len(DEV.folds)


def test_what_is_kept_learns_from_sentences_that_text_emotion_has_not_seen(
    trained: Trainings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Text emotion learns from MELD's train part but for what it holds out; fusion learns from that alone."""
    torch.manual_seed(0)
    branch = SpeechEmotion(len(LABELS), width=WIDTH)
    branch.standardise(torch.randn(8, 5, 2 * WIDTH))
    corpus = SimpleNamespace(learned=said("train", 48), held=said("held", 480), dev=said("dev", 8))
    number = {u.transcript: i for i, u in enumerate([*corpus.learned, *corpus.held, *corpus.dev])}

    def through(_: Any, sentences: Sequence[str]) -> tuple[Any, Any]:
        rows = np.array([[number.get(s, -1), 0, 0] for s in sentences], np.float32)
        return np.zeros((len(sentences), len(LABELS)), np.float32), rows

    config = {"labels": list(LABELS), "settings": {"schedule": {"epochs": 1, "batch": 8, "rate": 1e-3}}}
    text = (SimpleNamespace(classifier=nn.Linear(3, len(LABELS))), SimpleNamespace(run=through), config)
    monkeypatch.setattr(fit.speech_fit, "restore", lambda _: (branch.eval(), config))
    monkeypatch.setattr(fit.speech_fit, "load", lambda _: UTTERANCES)
    monkeypatch.setattr(fit.text_fit, "restore", lambda _: text)
    monkeypatch.setattr(fit.text_fit, "TextCorpus", lambda _: corpus)
    monkeypatch.setattr(fit, "pooled_states", lambda *_, **__: voices().pooled)
    monkeypatch.setattr(fit, "measure", lambda *_: {})
    monkeypatch.setattr(fit.checkpoints, "digest", str)
    fit.fit(tmp_path, tmp_path, tmp_path, tmp_path, tmp_path / "out", settings=SETTINGS, cache=tmp_path)
    ((paired, learned),) = trained.paired
    held = [number[u.transcript] for u in corpus.held]
    assert sorted(learned.embeddings[:, 0]) == held
    assert {u.label for u in paired} == set(LABELS)
    assert len(paired) == len(UTTERANCES) * len(LABELS) // (len(LABELS) + 1)


def test_answers_to_known_recordings_are_made_unsure_and_the_branch_is_left_as_it_was() -> None:
    torch.manual_seed(0)
    branch = SpeechEmotion(len(LABELS), width=WIDTH)
    branch.standardise(torch.randn(8, 5, 2 * WIDTH))
    branch.eval()
    pooled = torch.randn(3, COPIES, 5, 2 * WIDTH).numpy()
    dropout = branch.input_dropout.p
    drawn = fit.unsure_embeddings(branch, pooled, 200, seed=0)
    sure = fit.sure_embeddings(branch, pooled)
    assert drawn.shape == (3 * COPIES * 200, sure.shape[1])
    assert len(np.unique(drawn[:200], axis=0)) > 100  # of one recording
    np.testing.assert_array_equal(drawn, fit.unsure_embeddings(branch, pooled, 200, seed=0))
    assert np.abs(drawn - fit.unsure_embeddings(branch, pooled, 200, seed=1)).max() > 0
    assert (branch.input_dropout.p, branch.training, branch.input_dropout.training) == (dropout, False, False)
    np.testing.assert_array_equal(sure, fit.sure_embeddings(branch, pooled))


def test_the_seed_decides_the_network(trained: Trainings) -> None:
    branch = SpeechEmotion(len(LABELS), width=WIDTH)
    branch.standardise(torch.from_numpy(voices().pooled).flatten(0, 1))
    branch.eval()
    known = voices().where(np.array([u.label != "calm" for u in UTTERANCES]))
    first, again, other = (
        fit.train_network(branch, HELD.classifier, known, HELD.side, OWN, replace(SETTINGS, seed=seed)).state_dict()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["hidden.weight"], other["hidden.weight"])
    torch.testing.assert_close(first["speech.weight"], branch.classifier.weight)
    torch.testing.assert_close(first["text.weight"], HELD.classifier.weight)
