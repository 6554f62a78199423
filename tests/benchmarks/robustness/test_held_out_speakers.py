"""Networks of folds: they know none of a fold's speakers, and fusion reads them as the bundle's does."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.robustness import held_out_speakers
from benchmarks.robustness.held_out_speakers import NO_FOLD
from benchmarks.unseen.voices import Voices
from trainer.config import Fusion
from trainer.corpora.utterance import Utterance
from trainer.text.transcripts import Recognised


class Words:
    """A text branch that tells the label of a sentence by its first letter."""

    def __init__(self) -> None:
        self.classifier = nn.Linear(2, 2)
        self.classifier.weight.data = torch.eye(2)
        self.classifier.bias.data.zero_()

    def __call__(self, sentences: Sequence[str]) -> tuple[Any, Any]:
        logits = np.eye(2, dtype=np.float32)[[int(s.startswith("a")) for s in sentences]] * 4
        return logits, logits


@pytest.mark.parametrize("block", ["product-of-experts", "gated-experts"])
def test_a_fold_is_that_of_a_speaker_and_its_fusion_reads_divided_embeddings(
    tiny_voices: Voices, monkeypatch: pytest.MonkeyPatch, block: Literal["product-of-experts", "gated-experts"]
) -> None:
    small = SimpleNamespace(fusion=Fusion(block, epochs=1, batch_size=16, pairs=60), seed=0)
    monkeypatch.setattr(held_out_speakers.config, "read", lambda _: small)
    lines = [
        Utterance(
            f"{i}", "meld", ("neutral", "angry")[i % 2], "x", session=f"d{i // 2}", transcript=("no", "ah")[i % 2]
        )
        for i in range(200)
    ]
    utterances = tiny_voices.dataset.utterances
    said = [Recognised("ah" if i % 3 else "", (-0.1 * (i % 9), -1.0, 2.5, 1.0)) for i in range(len(utterances))]
    networks, fold_of = held_out_speakers.train(tiny_voices, lines, Words(), said)  # type: ignore[arg-type]
    assert len(networks) == 6 and len(fold_of) == len(utterances)
    assert all((fold_of[i] == NO_FOLD) == (not u.speaker) for i, u in enumerate(utterances))
    for speaker in {u.speaker for u in utterances}:
        assert len({fold_of[i] for i, u in enumerate(utterances) if u.speaker == speaker}) == 1
    for fold in networks:
        assert (fold.speech.temperatures > 0).all() and (fold.speech.temperatures != 1).any()
        logits, embedding = fold.voice(tiny_voices.pooled.states[0, 0])
        assert logits.shape == (1, 2) and not embedding.requires_grad
        torch.testing.assert_close(fold.speech.classifier(embedding), logits)
        told = (-0.1, -1.0, 2.5, 1.0)
        assert fold.fused(embedding, torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), told).isfinite().all()
