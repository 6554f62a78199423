"""The paper's classification block: both second-to-last layers → feed-forward → softmax (section 4)."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Experts(nn.Module):
    """Both branches' own classifiers, frozen: the first layer of a block that reads their answers."""

    def __init__(self, labels: int, *, speech: int, text: int) -> None:
        """Make classifiers with fresh weights for embeddings of ``speech`` and ``text`` units."""
        super().__init__()
        self.adopt(nn.Linear(speech, labels), nn.Linear(text, labels))

    def adopt(self, speech: nn.Linear, text: nn.Linear) -> None:
        """Take over copies of the branches' classifiers, whose inputs the embeddings then are."""
        self.speech, self.text = copy.deepcopy(speech), copy.deepcopy(text)
        for layer in (self.speech, self.text):
            layer.requires_grad_(False)


class FusionEmotion(Experts):
    """A product of experts: each branch's log-probabilities, weighed, added and corrected by a feed-forward block.

    The first layer on either embedding is the branch's own classifier, frozen. A free layer, as wide as the
    embeddings, learns a thousand sentences by heart and is less accurate than speech alone on others.
    """

    def __init__(self, labels: int, *, speech: int, text: int, hidden: int = 32, dropout: float = 0.1) -> None:
        """Make a block with fresh weights for embeddings of ``speech`` and ``text`` units."""
        super().__init__(labels, speech=speech, text=text)
        self.trust = nn.Parameter(torch.ones(2))
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(2 * labels + 2, hidden)
        self.correction = nn.Linear(hidden, labels)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    def forward(self, speech_embedding: Tensor, text_embedding: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (batch, labels) and the hidden layer (batch, hidden).

        Args:
            speech_embedding: second-to-last layer of speech emotion (batch, speech).
            text_embedding: second-to-last layer of text emotion (batch, text).
            present: 1 where there is speech, and where there is text (batch, 2); an absent branch has no influence.
        """
        speech = F.log_softmax(self.speech(speech_embedding), dim=1) * present[:, :1]
        text = F.log_softmax(self.text(text_embedding), dim=1) * present[:, 1:]
        hidden = torch.relu(self.hidden(self.dropout(torch.cat([speech, text, present], dim=1))))
        logits = self.trust[0] * speech + self.trust[1] * text + self.correction(hidden)
        return logits, hidden
