"""Speech emotion from the hidden states of the speech encoder that the transcript needs anyway."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

MIN_VARIANCE = 1e-6
MIN_STD = 1e-3
HIDDEN, DROPOUT = 128, 0.5
"""Units of the second-to-last layer; dropout on it, and on the pooled states."""


def pool(hidden_states: Tensor, speech_mask: Tensor) -> Tensor:
    """Return mean and standard deviation over the speech in each recording, (batch, layers, 2 x width).

    Args:
        hidden_states: (batch, layers, states, width).
        speech_mask: 1 where the state is speech, else 0, (batch, states).
    """
    weight = (speech_mask / speech_mask.sum(1, keepdim=True).clamp_min(1.0))[:, None, :, None]
    mean = (hidden_states * weight).sum(2)
    variance = ((hidden_states - mean.unsqueeze(2)).square() * weight).sum(2)
    return torch.cat([mean, variance.clamp_min(MIN_VARIANCE).sqrt()], dim=2)


class Standardizer(nn.Module):
    """(x - mean) / std of each feature, both learned before training begins."""

    mean: Tensor
    std: Tensor

    def __init__(self, *shape: int) -> None:
        """Begin with mean 0 and standard deviation 1 for features of ``shape``."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("std", torch.ones(shape))

    def fit(self, rows: Tensor) -> None:
        """Learn mean and standard deviation of every feature from ``rows`` (n, *shape)."""
        self.mean.copy_(rows.mean(0))
        self.std.copy_(rows.std(0).clamp_min(MIN_STD))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` (..., *shape) standardised."""
        return (x - self.mean) / self.std


def read_old_names(_: nn.Module, state: dict[str, Any], prefix: str, *__: object) -> None:
    """Rename the buffers ``centre`` and ``scale`` of version 0.1 in ``state``: a pre-hook of ``load_state_dict``."""
    for old, new in (("centre", "mean"), ("scale", "std")):
        if prefix + old in state:
            state[f"{prefix}standardizer.{new}"] = state.pop(prefix + old)


class SpeechEmotion(nn.Module):
    """Pooled states, standardised, weighed by learned layer weights → hidden layer → logits.

    Attributes:
        mean_layers: the layers whose mean is read; 0 is before the encoder's first layer.
        std_layers: the layers whose standard deviation is read.
    """

    mean_layers, std_layers = [1, 2, 3], [3]

    def __init__(self, labels: int, *, width: int) -> None:
        """Make a network with fresh weights for so many ``labels`` and for states of ``width``."""
        super().__init__()
        self.width = width
        groups = len(self.mean_layers) + len(self.std_layers)
        self.standardizer = Standardizer(groups, width)
        self.register_load_state_dict_pre_hook(read_old_names)  # type: ignore[no-untyped-call]
        self.layer_weights = nn.Parameter(torch.zeros(groups))
        self.input_dropout = nn.Dropout(DROPOUT)
        self.hidden = nn.Linear(groups * width, HIDDEN)
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(HIDDEN, labels)

    def standardise(self, pooled: Tensor) -> None:
        """Learn mean and deviation of every feature from ``pooled`` (n, all layers, 2 x width)."""
        self.standardizer.fit(self._chosen(pooled))

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (batch, labels) and the second-to-last layer (batch, hidden).

        Args:
            pooled: mean and deviation of all layers, by ``pool`` (batch, all layers, 2 x width).
        """
        x = self.standardizer(self._chosen(pooled))
        share = (self.layer_weights.softmax(0) * len(self.layer_weights)).sqrt()
        x = (x * share[:, None]).flatten(1)
        embedding = torch.relu(self.hidden(self.input_dropout(x)))
        return self.classifier(self.dropout(embedding)), embedding

    def _chosen(self, pooled: Tensor) -> Tensor:
        means, deviations = pooled[:, :, : self.width], pooled[:, :, self.width :]
        return torch.cat([means[:, self.mean_layers], deviations[:, self.std_layers]], dim=1)


class SpeechEmotionGraph(nn.Module):
    """The exported graph: pooling and network in one, from the encoder's states to logits."""

    def __init__(self, network: SpeechEmotion) -> None:
        """Wrap a trained ``network``."""
        super().__init__()
        self.network = network

    def forward(self, hidden_states: Tensor, spoken: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (batch, labels) and embedding (batch, hidden); ``spoken`` is the mask of ``pool``."""
        logits, embedding = self.network(pool(hidden_states, spoken))
        return logits, embedding
