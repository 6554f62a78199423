"""Fusion in which words count as far as they can be relied on."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.fusion.network import Experts
from trainer.speech.network import Standardizer

SHARPNESS = 3.0
"""The gate is open or shut within about so many times less than a standard deviation of the evidence."""
NUMBERS = 4
"""Of the evidence: as many as ``edge_runtime.inference.evidence.NAMES``, without importing more than torch."""
SLOPE = 2.0
"""Of the gate before it learns."""


class GatedFusion(Experts):
    """The voice's log-probabilities, and those of the words times a gate.

    The gate lies between 0 and 1, and evidence alone moves it: see ``edge_runtime.inference.evidence``. Where it is 0,
    the answer is the voice's. What the words add is a trust times the sum of their log-probabilities and an offset for
    each label: words are neutral more often than voices, so that a neutral sentence says little.
    """

    def __init__(self, labels: int, *, speech: int, text: int) -> None:
        """Make a block with fresh weights for embeddings of ``speech`` and ``text`` units."""
        super().__init__(labels, speech=speech, text=text)
        self.standardizer = Standardizer(NUMBERS)
        self.gate = nn.Linear(NUMBERS, 1)
        self.trust = nn.Parameter(torch.ones(1))
        self.offset = nn.Parameter(torch.zeros(labels))

    @torch.no_grad()
    def fit_evidence(self, rows: Tensor, number: int, limit: float) -> None:
        """Learn mean and deviation of the evidence in ``rows`` (n, numbers), and begin with a gate by one of them.

        It is shut where this ``number`` is clearly below the ``limit``, and open where it is clearly above.
        """
        self.standardizer.fit(rows)
        self.gate.weight.zero_()
        self.gate.weight[0, number] = SLOPE
        self.gate.bias.fill_(SLOPE * float((self.standardizer.mean[number] - limit) / self.standardizer.std[number]))

    def forward(
        self, speech_embedding: Tensor, text_embedding: Tensor, present: Tensor, evidence: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return logits (batch, labels) and the gate (batch, 1).

        Args:
            speech_embedding: second-to-last layer of speech emotion (batch, speech).
            text_embedding: second-to-last layer of text emotion (batch, text).
            present: 1 where there is speech, and where there is text (batch, 2); an absent branch has no influence.
            evidence: see ``NUMBERS`` (batch, numbers), 0 without text.
        """
        voice = F.log_softmax(self.speech(speech_embedding), dim=1) * present[:, :1]
        words = F.log_softmax(self.text(text_embedding), dim=1)
        words = self.trust * (words - words.mean(dim=1, keepdim=True) + self.offset)
        gate = F.hardsigmoid(SHARPNESS * self.gate(self.standardizer(evidence))) * present[:, 1:]
        return voice + gate * words, gate
