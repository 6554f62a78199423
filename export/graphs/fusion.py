"""The graphs that join both branches (the paper's classification block, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edge_runtime.inference.evidence import NO_SOUND
from export.graphs.torch_export import Graph
from trainer.fusion.gated import GatedFusion

EMBEDDINGS = ["speech_embedding", "text_embedding", "present"]
LOGITS = ["speech_logits", "text_logits", "present"]


EVIDENCE = "evidence"


class _Logits(nn.Module):
    """A block as it is exported: its hidden layer is nobody's input."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(*inputs)[0]
        return logits


class ProductOfExperts(nn.Module):
    """What to make of two branches that were never trained together: their probabilities multiplied."""

    def __init__(self, speech_temperature: float = 1.0, text_temperature: float = 1.0) -> None:
        """Divide each branch's logits by its temperature first, so that a boastful one does not rule."""
        super().__init__()
        self.temperatures = (speech_temperature, text_temperature)

    def forward(self, speech_logits: Tensor, text_logits: Tensor, present: Tensor) -> Tensor:
        """Return logits (batch, labels) of both branches' logits; an absent one's are not looked at."""
        voice = F.log_softmax(speech_logits / self.temperatures[0], dim=1) * present[:, :1]
        words = F.log_softmax(text_logits / self.temperatures[1], dim=1) * present[:, 1:]
        return voice + words


def fusion_graph(network: nn.Module, widths: tuple[int, int]) -> Graph:
    """Return a trained block: both embeddings, of these widths, which of them are present, and evidence → logits."""
    inputs = [*EMBEDDINGS, EVIDENCE] if takes_evidence(network) else EMBEDDINGS
    return _graph(_Logits(network), widths, inputs)


def takes_evidence(network: nn.Module) -> bool:
    """Whether a trained block is told of the words besides the words."""
    return isinstance(network, GatedFusion)


def product_graph(labels: int, *, temperatures: tuple[float, float]) -> Graph:
    """Return the product of experts: both branches' logits and which of them are present → logits."""
    return _graph(ProductOfExperts(*temperatures), (labels, labels), LOGITS)


def _graph(module: nn.Module, widths: tuple[int, int], inputs: Sequence[str]) -> Graph:
    speech, text = widths
    example: tuple[Tensor, ...] = (torch.randn(1, speech), torch.randn(1, text), torch.ones(1, 2))
    if EVIDENCE in inputs:
        example = (*example, torch.tensor([astuple(NO_SOUND)]))
    return Graph(module, example, inputs, ["logits"], {name: {0: "batch"} for name in (*inputs, "logits")})
