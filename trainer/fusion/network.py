"""The paper's classification block: both second-to-last layers → feed-forward → softmax (section 4)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FusionEmotion(nn.Module):
    """Each branch's evidence for each label, added up and corrected by a small feed-forward block.

    The first layer on either embedding is the branch's own auxiliary classifier, frozen: a free one, as wide
    as the embeddings, learns the thousand sentences at hand by heart and does worse than the voice alone on
    others. So fusion begins as a product of experts, and learns what to make of their disagreement.
    """

    def __init__(self, labels: int, *, speech: int, text: int, hidden: int = 32, dropout: float = 0.1) -> None:
        """Make a block with fresh weights for embeddings of ``speech`` and ``text`` units."""
        super().__init__()
        self.speech = nn.Linear(speech, labels)
        self.text = nn.Linear(text, labels)
        for layer in (self.speech, self.text):
            layer.requires_grad_(False)
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
            present: 1 where there is a voice, and where there are words (batch, 2); what is absent is not
                looked at.
        """
        voice = F.log_softmax(self.speech(speech_embedding), dim=1) * present[:, :1]
        words = F.log_softmax(self.text(text_embedding), dim=1) * present[:, 1:]
        hidden = torch.relu(self.hidden(self.dropout(torch.cat([voice, words, present], dim=1))))
        logits = self.trust[0] * voice + self.trust[1] * words + self.correction(hidden)
        return logits, hidden

    def adopt(self, speech: nn.Linear, text: nn.Linear) -> None:
        """Take over the branches' auxiliary classifiers."""
        self.speech.load_state_dict(speech.state_dict())
        self.text.load_state_dict(text.state_dict())

    def penalty(self) -> Tensor:
        """Return nothing to add to the loss."""
        return self.trust.new_zeros(())
