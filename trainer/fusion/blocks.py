"""The paper's classification blocks over both branches' second-to-last layers (section 4)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

HIDDEN, DROPOUT = 128, 0.2
"""Units of the hidden layer of the first block; dropout of both."""


class FeedForwardFusion(nn.Module):
    """Both embeddings side by side → one hidden layer → logits: the block that the paper used."""

    def __init__(self, labels: int, *, speech: int, text: int) -> None:
        """Make a block with fresh weights for embeddings of ``speech`` and ``text`` units."""
        super().__init__()
        self.speech_norm, self.text_norm = nn.LayerNorm(speech), nn.LayerNorm(text)
        self.hidden = nn.Linear(speech + text, HIDDEN)
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(HIDDEN, labels)

    def forward(self, speech_embedding: Tensor, text_embedding: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (batch, labels) and the hidden layer; arguments as of ``FusionEmotion.forward``."""
        voice = self.speech_norm(speech_embedding) * present[:, :1]
        words = self.text_norm(text_embedding) * present[:, 1:]
        embedding = torch.relu(self.hidden(torch.cat([voice, words], dim=1)))
        return self.classifier(self.dropout(embedding)), embedding


class AttentionFusion(nn.Module):
    """Each embedding asks the other what it has to say: the alternative that the paper names (section 4).

    Both are cut into ``parts`` pieces; the pieces of one attend to those of the other and are averaged.
    """

    parts, width = 8, 64

    def __init__(self, labels: int, *, speech: int, text: int) -> None:
        """Make a block with fresh weights for embeddings of ``speech`` and ``text`` units."""
        super().__init__()
        parts, width = self.parts, self.width
        self.speech_norm, self.text_norm = nn.LayerNorm(speech), nn.LayerNorm(text)
        self.speech = nn.Linear(speech, parts * width)
        self.text = nn.Linear(text, parts * width)
        self.to_text = nn.MultiheadAttention(width, 4, dropout=DROPOUT, batch_first=True)
        self.to_speech = nn.MultiheadAttention(width, 4, dropout=DROPOUT, batch_first=True)
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(2 * width, labels)

    def forward(self, speech_embedding: Tensor, text_embedding: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (batch, labels) and the joined layer; arguments as of ``FusionEmotion.forward``."""
        shape = (present.shape[0], self.parts, self.width)
        voice = self.speech(self.speech_norm(speech_embedding)).view(shape) * present[:, :1, None]
        words = self.text(self.text_norm(text_embedding)).view(shape) * present[:, 1:, None]
        voice_read = voice + self.to_text(voice, words, words, need_weights=False)[0]
        words_heard = words + self.to_speech(words, voice, voice, need_weights=False)[0]
        embedding = torch.relu(torch.cat([voice_read.mean(1), words_heard.mean(1)], dim=1))
        return self.classifier(self.dropout(embedding)), embedding


class Joint(nn.Module):
    """Both branches and the block as one network, to be fine-tuned together: the ablation of section 5.3.3."""

    def __init__(self, speech: nn.Module, text: nn.Module, block: nn.Module) -> None:
        """Join trained networks; their inputs come under the names ``speech_…`` and ``text_…``."""
        super().__init__()
        self.speech, self.text, self.block = speech, text, block

    def forward(self, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the block's logits (batch, labels) and hidden layer."""
        voice = self.speech(**unprefixed("speech_", inputs))[1]
        words = self.text(**unprefixed("text_", inputs))[1]
        present = voice.new_ones(len(voice), 2)
        logits, embedding = self.block(voice, words, present)
        return logits, embedding


def unprefixed(prefix: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in inputs.items() if name.startswith(prefix)}
