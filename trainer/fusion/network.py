"""The paper's classification block: both second-to-last layers → feed-forward → softmax (section 4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FusionEmotion(nn.Module):
    """Standardise and project each branch, silence the absent one, join → hidden layer → logits."""

    def __init__(
        self, labels: int, *, speech: int, text: int, projected: int = 64, hidden: int = 64, dropout: float = 0.3
    ) -> None:
        """Make a block with fresh weights for embeddings of ``speech`` and ``text`` units."""
        super().__init__()
        self.speech = _Projection(speech, projected)
        self.text = _Projection(text, projected)
        self.hidden = nn.Linear(2 * projected + 2, hidden)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden, labels)

    def forward(self, speech_embedding: Tensor, text_embedding: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (batch, labels) and the hidden layer (batch, hidden).

        Args:
            speech_embedding: second-to-last layer of speech emotion (batch, speech).
            text_embedding: second-to-last layer of text emotion (batch, text).
            present: 1 where there is a voice, and where there are words (batch, 2); what is absent is not
                looked at.
        """
        voice = self.speech(speech_embedding) * present[:, :1]
        words = self.text(text_embedding) * present[:, 1:]
        joined = torch.cat([voice, words, present], dim=1)
        hidden = torch.relu(self.hidden(self.dropout(joined)))
        return self.classifier(hidden), hidden

    def standardise(self, speech: Tensor, text: Tensor) -> None:
        """Learn centre and spread of both embeddings, each (n, width)."""
        self.speech.standardise(speech)
        self.text.standardise(text)

    def penalty(self) -> Tensor:
        """Return nothing to add to the loss."""
        return self.classifier.weight.new_zeros(())


class _Projection(nn.Module):
    centre: Tensor
    scale: Tensor

    def __init__(self, width: int, projected: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.linear = nn.Linear(width, projected)

    def standardise(self, rows: Tensor) -> None:
        self.centre.copy_(rows.mean(0))
        self.scale.copy_(rows.std(0).clamp_min(1e-2))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.linear((x - self.centre) / self.scale))
