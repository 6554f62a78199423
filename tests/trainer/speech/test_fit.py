"""Speech emotion of the default bundle: who is trained on, and that nobody of them is measured on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from trainer import training_loop
from trainer.corpora.utterance import LABELS, Utterance
from trainer.speech import fit
from trainer.speech.fit import Settings
from trainer.speech.network import SpeechEmotion

COPIES, WIDTH, FOLDS = 3, 4, 6
UTTERANCES = [
    Utterance(f"{corpus}-{speaker}-{label}", corpus, label, f"{corpus}-{speaker}")
    for corpus in ("ravdess", "emodb")
    for speaker in range(FOLDS)
    for label in (*LABELS, "calm")[: 5 if corpus == "ravdess" else 4]
]
NUMBERS = np.arange(len(UTTERANCES), dtype=np.float32)
POOLED = np.tile(NUMBERS[:, None, None, None], (1, COPIES, 5, 2 * WIDTH))
"""Every state is the recording's number."""


class Trainings:
    """Who each network was trained on, and whom it was asked about; it always answers with the right label."""

    def __init__(self) -> None:
        self.known: list[Sequence[Utterance]] = []
        self.asked: list[list[Utterance]] = []

    def train_network(self, utterances: Sequence[Utterance], pooled: Any, _: Settings, *, seed: int) -> int:
        assert [UTTERANCES[int(n)] for n in pooled[:, 0, 0, 0]] == list(utterances)
        self.known.append(utterances)
        return len(self.known) - 1

    def logits(self, network: int, pooled: Any) -> Any:
        asked = [UTTERANCES[int(n)] for n in pooled[:, 0, 0, 0]]
        assert not {u.speaker for u in asked} & {u.speaker for u in self.known[network]}
        self.asked.append(asked)
        right = [LABELS.index(u.label) if u.label in LABELS else 0 for u in asked]
        return np.tile(9 * np.eye(len(LABELS), dtype=np.float32)[right][:, None], (1, COPIES, 1))


@pytest.fixture(scope="module")
def measured() -> tuple[Trainings, dict[str, Any], Any]:
    """Who was trained on, the measurements, and the logits."""
    trained = Trainings()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.metrics.RESAMPLES", 5)
        patch.setattr(fit, "train_network", trained.train_network)
        patch.setattr(fit, "logits", trained.logits)
        return trained, *fit.measure(UTTERANCES, POOLED, Settings())


def test_nobody_is_measured_by_a_network_that_knows_the_speaker(measured: Any) -> None:
    trained, found, unknown = measured
    assert len(trained.known) == FOLDS + 2
    for known in trained.known[:FOLDS]:
        assert len({u.speaker for u in known}) == 2 * (FOLDS - 1)
    assert sorted(u.id for asked in trained.asked[:FOLDS] for u in asked) == sorted(u.id for u in UTTERANCES)
    assert unknown.shape == (len(UTTERANCES), COPIES, len(LABELS))
    assert all(found["speaker_exclusive"][corpus]["clean"]["wa"] == 1 for corpus in ("ravdess", "emodb"))
    assert found["speaker_exclusive"]["emodb"]["altered"]["n"] == FOLDS * len(LABELS) * (COPIES - 1)


def test_the_other_corpus_is_trained_on_alone(measured: Any) -> None:
    trained, *_ = measured
    for known, asked in zip(trained.known[FOLDS:], trained.asked[FOLDS:], strict=True):
        assert {u.corpus for u in known} == {"ravdess", "emodb"} - {u.corpus for u in asked}
        assert len({u.corpus for u in asked}) == 1


def test_calm_is_measured_and_never_trained_on(measured: Any) -> None:
    trained, found, _ = measured
    assert all(u.label in LABELS for known in trained.known for u in known)
    assert found["calm_is_called"] == {LABELS[0]: 1.0}
    assert found["speaker_exclusive"]["ravdess"]["clean"]["n"] == FOLDS * len(LABELS)


def test_each_corpus_classes_count_alike_and_copies_have_their_recording_s_label(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = [UTTERANCES[0]] * 6 + [UTTERANCES[1]] * 2 + [UTTERANCES[-1]] * 4
    seen: list[training_loop.Example] = []
    monkeypatch.setattr(fit.loop, "train", lambda _, examples, *__, **___: seen.extend(examples))
    fit.train_network(chosen, np.zeros((12, COPIES, 5, 2 * WIDTH), np.float32), Settings(smoothing=0.0), seed=0)
    targets = np.stack([e[training_loop.TARGET] for e in seen]).reshape(12, COPIES, len(LABELS))
    assert (targets == targets[:, :1]).all()
    assert targets.argmax(2)[:, 0].tolist() == [LABELS.index(u.label) for u in chosen]
    weights = targets[:, 0].sum(1)
    assert weights[:6].sum() == pytest.approx(weights[6:8].sum())
    assert weights[:6].sum() == pytest.approx(weights[8:].sum())


def test_the_seed_decides_the_first_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit.loop, "train", lambda *_, **__: [])
    chosen = [u for u in UTTERANCES if u.label in LABELS][:8]
    pooled = np.random.default_rng(0).normal(size=(8, COPIES, 5, 2 * WIDTH)).astype(np.float32)

    def weights(seed: int) -> torch.Tensor:
        network: SpeechEmotion = fit.train_network(chosen, pooled, Settings(), seed=seed)
        return network.hidden.weight

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))
