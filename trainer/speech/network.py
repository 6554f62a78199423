"""Speech emotion from the hidden states of the speech encoder that the transcript needs anyway."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MIN_VARIANCE = 1e-6
MIN_STD = 1e-3
FEATURES = 384
"""Principal components of the pooled states that are kept; a row of a baseline has as many numbers."""
MEMBERS = 4
"""Networks that answer together."""
HIDDEN, DROPOUT = 128, 0.5
"""Units of the second-to-last layer of each; dropout on it, and on the features."""
LOG_SCALE = 30.0
"""Half-lives are learned as exp(scale x parameter), so that they move as fast as weights need to at their rate."""
HALF_LIFE_S = 2.0
"""Seconds of a baseline that count half, before training."""


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

    def fit(self, rows: Tensor, weights: Tensor | None = None) -> None:
        """Learn mean and standard deviation of every feature from ``rows`` (n, *shape), weighed by ``weights`` (n,)."""
        if weights is None:
            weights = rows.new_ones(len(rows))
        shares = (weights / weights.sum()).view(-1, *[1] * (rows.dim() - 1))
        mean = (rows * shares).sum(0)
        self.mean.copy_(mean)
        self.std.copy_(((rows - mean).square() * shares).sum(0).sqrt().clamp_min(MIN_STD))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` (..., *shape) standardised."""
        return (x - self.mean) / self.std


def read_old_names(_: nn.Module, state: dict[str, Any], prefix: str, *__: object) -> None:
    """Rename the buffers ``centre`` and ``scale`` of version 0.1 in ``state``: a pre-hook of ``load_state_dict``."""
    for old, new in (("centre", "mean"), ("scale", "std")):
        if prefix + old in state:
            state[f"{prefix}standardizer.{new}"] = state.pop(prefix + old)


class SpeechEmotion(nn.Module):
    """Pooled states, compared with a baseline of the same speaker, → hidden layer → logits.

    The level and the colour of a voice, a microphone and a room weigh more in the states than the emotion does; so the
    mean of other recordings of the speaker is taken away (Kaya and Karpov 2018, Neurocomputing 275). How much of it
    is learned for each feature: t / (t + k) for t seconds of speech, as in an empirical Bayes estimate. What the
    emotions of those recordings themselves add to their mean is taken off first, as the network answers to each of
    them alone: recordings of one mood would take that mood away. The hidden layer reads features with and without a
    baseline by other weights, and goes from the former to the latter as speech comes in.

    The hidden layer and the last one are those of several networks (members) side by side, which share all that comes
    before. Each learns from its own answers, from other initial weights and with other units dropped; the mean of their
    logits is the answer (deep ensemble, Lakshminarayanan et al. 2017). On voices that none of them met, one alone is
    right or wrong by luck.

    Attributes:
        mean_layers: the layers whose mean is read; 0 is before the encoder's first layer.
        std_layers: the layers whose standard deviation is read.
    """

    mean_layers, std_layers = [1, 2, 3], [1, 2, 3]
    components: Tensor
    temperatures: Tensor

    def __init__(self, labels: int, *, width: int, features: int = FEATURES, members: int = MEMBERS) -> None:
        """Make a network with fresh weights for so many ``labels``, and ``features`` of states of ``width``.

        There are no more features than numbers that are read; before ``fit_features`` they are the first of those.
        """
        super().__init__()
        groups = len(self.mean_layers) + len(self.std_layers)
        self.width, self.features = width, (features := min(features, groups * width))
        self.members = members
        self.standardizer = Standardizer(groups, width)
        self.register_buffer("components", torch.eye(groups * width, features))
        self.register_buffer("temperatures", torch.ones(2))
        initial = math.log(HALF_LIFE_S) / LOG_SCALE
        self.feature_half_life = nn.Parameter(torch.full((features,), initial))
        self.layer_half_life = nn.Parameter(torch.tensor(initial))
        self.mood = nn.Parameter(torch.zeros(labels, features))
        self.input_dropout = nn.Dropout(DROPOUT)
        self.hidden = nn.Linear(2 * features, members * HIDDEN)
        self.dropout = nn.Dropout(DROPOUT)
        # Without a bias, what divides the embedding divides the logits.
        self.classifier = nn.Linear(members * HIDDEN, labels)
        nn.init.uniform_(self.classifier.weight, -(HIDDEN**-0.5), HIDDEN**-0.5)  # as if each member had its own
        nn.init.zeros_(self.classifier.bias)
        self.classifier.bias.requires_grad_(False)

    @property
    def depth(self) -> int:
        """The last layer that is read."""
        return max(*self.mean_layers, *self.std_layers)

    def fit_features(self, pooled: Tensor, weights: Tensor) -> None:
        """Learn what to read of pooled states: their mean, deviation and principal components.

        Args:
            pooled: (n, all layers, 2 x width).
            weights: how much each counts (n,).
        """
        chosen = self._chosen(pooled)
        self.standardizer.fit(chosen, weights)
        rows = self.standardizer(chosen).flatten(1)
        covariance = (rows * (weights / weights.sum())[:, None]).T @ rows
        _, vectors = torch.linalg.eigh(covariance.double())
        largest = vectors.flip(1)[:, : self.features]
        signs = largest.gather(0, largest.abs().argmax(0, keepdim=True)).sign()  # eigenvectors have none of their own
        self.components.copy_(largest * signs)

    def pooled_features(self, pooled: Tensor) -> Tensor:
        """Return the features (batch, features) of pooled states (batch, all layers, 2 x width): a baseline's row."""
        result: Tensor = self.standardizer(self._chosen(pooled)).flatten(1) @ self.components
        return result

    def forward(
        self, features: Tensor, baseline: Tensor | None = None, baseline_s: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return logits (batch, labels), in training those of each member (batch, members, labels); and the
        second-to-last layer (batch, members x hidden).

        Args:
            features: of recordings, by ``pooled_features`` (batch, features).
            baseline: features of other recordings of the same speaker (batch, recordings, features); None of none.
            baseline_s: seconds of speech in each of those (batch, recordings); 0 of a row that is no recording.
        """
        if baseline is None or baseline_s is None:
            return self._answer(features, features.new_zeros(len(features), 1))
        total = baseline_s.sum(1, keepdim=True)
        shares = (baseline_s / total.clamp_min(MIN_STD)).unsqueeze(2)
        rows = baseline - self._moods(baseline) @ self.mood
        weight = total / (total + torch.exp(LOG_SCALE * self.feature_half_life))
        known = total / (total + torch.exp(LOG_SCALE * self.layer_half_life))
        return self._answer(features - weight * (rows * shares).sum(1), known)

    def _moods(self, baseline: Tensor) -> Tensor:
        """Return by how much each emotion is likelier in the recordings of a baseline than any (batch, recordings,
        labels), as the network answers to each of them alone; it is taken as given, and not learned from."""
        alone = torch.relu(
            F.linear(baseline.detach(), self.hidden.weight[:, : self.features], self.hidden.bias).detach()
        )
        logits = F.linear(alone, self.classifier.weight).detach() / self.members
        return logits.softmax(2) - 1 / logits.shape[2]

    def _answer(self, features: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and second-to-last layer of ``features``, of which a baseline was taken away if ``known``."""
        both = torch.cat([features * (1 - known), features * known], dim=-1)
        temperature = self.temperatures[0] * (1 - known) + self.temperatures[1] * known
        if self.training:
            return self._members(both, temperature)
        embedding = torch.relu(self.hidden(both)) / temperature / self.members
        return self.classifier(embedding), embedding

    def _members(self, both: Tensor, temperature: Tensor) -> tuple[Tensor, Tensor]:
        """Return what ``_answer`` does in training: the logits of each member (batch, members, labels)."""
        hidden, bias = self.hidden.weight.view(self.members, HIDDEN, -1), self.hidden.bias.view(self.members, 1, HIDDEN)
        read = self.input_dropout(both.expand(self.members, -1, -1))
        embedding = torch.relu(read @ hidden.mT + bias) / temperature
        last = self.classifier.weight.T.reshape(self.members, HIDDEN, -1)
        logits = (self.dropout(embedding) @ last).transpose(0, 1)
        return logits, embedding.transpose(0, 1).flatten(1) / self.members

    def _chosen(self, pooled: Tensor) -> Tensor:
        means, deviations = pooled[:, :, : self.width], pooled[:, :, self.width :]
        return torch.cat([means[:, self.mean_layers], deviations[:, self.std_layers]], dim=1)


class SpeechEmotionGraph(nn.Module):
    """The exported graph: pooling and network in one, from the encoder's states and a baseline to logits."""

    def __init__(self, network: SpeechEmotion) -> None:
        """Wrap a trained ``network``."""
        super().__init__()
        self.network = network

    def forward(
        self, hidden_states: Tensor, spoken: Tensor, baseline: Tensor, baseline_s: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits (batch, labels), embedding (batch, members x hidden) and own row (batch, features).

        Args:
            hidden_states: see ``pool``.
            spoken: the mask of ``pool``.
            baseline: rows of other recordings (batch, recordings, features); one of zeros where there are none.
            baseline_s: seconds of speech in each (batch, recordings).
        """
        features = self.network.pooled_features(pool(hidden_states, spoken))
        logits, embedding = self.network(features, baseline, baseline_s)
        return logits, embedding, features


def no_baseline(network: SpeechEmotion) -> tuple[Tensor, Tensor]:
    """Return what the exported graph of ``network`` is given where there is no baseline: its rows and seconds."""
    return torch.zeros(1, 1, network.features), torch.zeros(1, 1)
