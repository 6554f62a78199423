"""Speech emotion from the hidden states of the speech encoder that the transcript needs anyway."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

LEAST_VARIANCE = 1e-6


def pool(hidden_states: Tensor, spoken: Tensor) -> Tensor:
    """Return mean and standard deviation over the spoken part, (batch, layers, 2 x width).

    Args:
        hidden_states: (batch, layers, states, width).
        spoken: 1 where the state belongs to the spoken part, else 0, (batch, states).
    """
    weight = (spoken / spoken.sum(1, keepdim=True).clamp_min(1.0))[:, None, :, None]
    mean = (hidden_states * weight).sum(2)
    variance = ((hidden_states - mean.unsqueeze(2)).square() * weight).sum(2)
    return torch.cat([mean, variance.clamp_min(LEAST_VARIANCE).sqrt()], dim=2)


class SpeechEmotion(nn.Module):
    """Pooled states, standardised, weighed by learned layer weights → hidden layer → logits."""

    centre: Tensor
    scale: Tensor

    def __init__(
        self,
        labels: int,
        *,
        width: int,
        means: Sequence[int] = (1, 2, 3),
        deviations: Sequence[int] = (3,),
        hidden: int = 128,
        dropout: float = 0.5,
        input_dropout: float = 0.5,
    ) -> None:
        """Make a network with fresh weights.

        Args:
            labels: how many.
            width: of a state.
            means: the layers whose mean is read; 0 is before the encoder's first layer.
            deviations: the layers whose standard deviation is read.
            hidden: units of the second-to-last layer.
            dropout: on that layer.
            input_dropout: on the pooled states.
        """
        super().__init__()
        self.means, self.deviations, self.width = list(means), list(deviations), width
        groups = len(self.means) + len(self.deviations)
        self.register_buffer("centre", torch.zeros(groups, width))
        self.register_buffer("scale", torch.ones(groups, width))
        self.layer_weights = nn.Parameter(torch.zeros(groups))
        self.input_dropout = nn.Dropout(input_dropout)
        self.hidden = nn.Linear(groups * width, hidden)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden, labels)

    def standardise(self, pooled: Tensor) -> None:
        """Learn centre and spread of every feature from ``pooled`` (n, all layers, 2 x width)."""
        chosen = self._chosen(pooled)
        self.centre.copy_(chosen.mean(0))
        self.scale.copy_(chosen.std(0).clamp_min(1e-3))

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (batch, labels) and the second-to-last layer (batch, hidden).

        Args:
            pooled: what ``pool`` returns for all layers, (batch, all layers, 2 x width).
        """
        x = (self._chosen(pooled) - self.centre) / self.scale
        share = (self.layer_weights.softmax(0) * len(self.layer_weights)).sqrt()
        x = (x * share[:, None]).flatten(1)
        embedding = torch.relu(self.hidden(self.input_dropout(x)))
        return self.classifier(self.dropout(embedding)), embedding

    def penalty(self) -> Tensor:
        """Return nothing to add to the loss; this network is regularised by dropout and weight decay."""
        return self.centre.new_zeros(())

    def _chosen(self, pooled: Tensor) -> Tensor:
        means, deviations = pooled[:, :, : self.width], pooled[:, :, self.width :]
        return torch.cat([means[:, self.means], deviations[:, self.deviations]], dim=1)


class SpeechEmotionGraph(nn.Module):
    """What is exported: pooling and network in one, from the encoder's states to logits."""

    def __init__(self, network: SpeechEmotion) -> None:
        """Wrap a trained ``network``."""
        super().__init__()
        self.network = network

    def forward(self, hidden_states: Tensor, spoken: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (batch, labels) and embedding (batch, hidden); arguments as of ``pool``."""
        logits, embedding = self.network(pool(hidden_states, spoken))
        return logits, embedding
