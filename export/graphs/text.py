"""The words' graph, of any Hugging Face encoder: token ids, their mask and maybe types → logits, embedding."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import XLNetModel

from edge_runtime.bundle.contract import TYPES
from export.graphs.torch_export import BATCHED, OUTPUTS, Graph
from export.graphs.xlnet import XLNetEncoder
from trainer.text.network import TextEmotion

INPUTS = ["input_ids", "attention_mask"]


def text_graph(network: nn.Module) -> Graph:
    """Return token ids and mask, and their types where the network reads a context → logits, embedding.

    Args:
        network: a ``TextEmotion``, or an ``export.hf_classifier.FineTuned``; its encoder is an attribute ``encoder``.
    """
    ready = exportable(network).eval()
    ids = torch.ones(2, 11, dtype=torch.int64)
    types = [torch.tensor([[0] * 4 + [1] * 7, [0] * 11])] if context_tokens(network) else []
    inputs = [*INPUTS, TYPES] if types else INPUTS
    return Graph(
        ready,
        (ids, ids, *types),
        inputs,
        OUTPUTS,
        {name: {0: "batch", 1: "tokens"} for name in inputs} | BATCHED,
        tracing=lambda: _traceable(ready.encoder),  # type: ignore[arg-type]
    )


def context_tokens(network: nn.Module) -> int:
    """Return how many tokens of a context ``network`` reads; 0 of one that reads none."""
    return network.context_tokens if isinstance(network, TextEmotion) else 0


def exportable(network: nn.Module) -> nn.Module:
    """Return ``network``, with an XLNet in it made of operations that quantise; the given one stays as it is."""
    if not isinstance(network, TextEmotion) or not isinstance(network.encoder, XLNetModel):
        return network
    other = copy.copy(network)
    other._modules = {**network._modules, "encoder": XLNetEncoder(network.encoder)}
    return other


@contextmanager
def _traceable(encoder: nn.Module) -> Iterator[None]:
    """Let optimum replace what cannot be traced, in the architectures that it knows; others are traced as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of optimum's own imports
        import optimum.exporters.onnx.model_configs  # noqa: F401, PLC0415 - registers the architectures; slow
        from optimum.exporters.tasks import TasksManager  # noqa: PLC0415
    config: Any = encoder.config
    classifies = type(encoder).__name__.endswith("ForSequenceClassification")
    try:
        known = TasksManager.get_exporter_config_constructor(
            "onnx",
            model_type=config.model_type,
            task="text-classification" if classifies else "feature-extraction",
            library_name="transformers",
        )
    except (KeyError, ValueError):
        yield
        return
    with known(config).patch_model_for_export(encoder):
        yield
