"""The graphs of speech emotion, text emotion and fusion."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from export.graphs import export
from trainer.fusion.network import FusionEmotion
from trainer.speech.network import SpeechEmotion, SpeechEmotionGraph
from trainer.text.network import TextEmotion

OUTPUTS = ["logits", "embedding"]
BATCHED = {"logits": {0: "batch"}, "embedding": {0: "batch"}}


def export_speech(network: SpeechEmotion, layers: int, path: Path) -> None:
    """Write hidden states (of ``layers`` layers and the input) and their spoken part → logits, embedding."""
    export(
        SpeechEmotionGraph(network),
        (torch.randn(1, layers + 1, 90, network.width), torch.ones(1, 90)),
        path,
        inputs=["hidden_states", "spoken"],
        outputs=OUTPUTS,
        axes={
            "hidden_states": {0: "batch", 2: "states"},
            "spoken": {0: "batch", 1: "states"},
            **BATCHED,
        },
    )


def export_text(network: TextEmotion, path: Path) -> None:
    """Write token ids and mask → logits, embedding."""
    ids = torch.ones(2, 11, dtype=torch.int64)
    export(
        network,
        (ids, ids),
        path,
        inputs=["input_ids", "attention_mask"],
        outputs=OUTPUTS,
        axes={
            "input_ids": {0: "batch", 1: "tokens"},
            "attention_mask": {0: "batch", 1: "tokens"},
            **BATCHED,
        },
    )


class _FusionGraph(nn.Module):
    """Fusion as it is exported: its hidden layer is nobody's input."""

    def __init__(self, network: FusionEmotion) -> None:
        super().__init__()
        self.network = network

    def forward(self, speech_embedding: Tensor, text_embedding: Tensor, present: Tensor) -> Tensor:
        logits: Tensor = self.network(speech_embedding, text_embedding, present)[0]
        return logits


def export_fusion(network: FusionEmotion, path: Path) -> None:
    """Write both embeddings and which of them are present → logits."""
    speech, text = network.speech.in_features, network.text.in_features
    names = ["speech_embedding", "text_embedding", "present"]
    export(
        _FusionGraph(network),
        (torch.randn(1, speech), torch.randn(1, text), torch.ones(1, 2)),
        path,
        inputs=names,
        outputs=["logits"],
        axes={name: {0: "batch"} for name in (*names, "logits")},
    )
