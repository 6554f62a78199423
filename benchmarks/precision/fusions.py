"""onnxruntime's offline fusions of encoders like BERT, to see what they add to those made when a graph is loaded."""

from __future__ import annotations

import logging
from pathlib import Path

import edge_runtime  # noqa: F401 - first: it turns off onnxruntime's telemetry

# isort: split
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from torch import nn


def fuse(source: Path, target: Path, network: nn.Module) -> bool:
    """Write ``source`` fused as ``target``; False if ``network`` is no text encoder.

    Attention, layer norms with the sum before them, and GELU with its bias become operations that onnxruntime alone
    knows. Embeddings stay apart, as their tables are to be quantised by row.
    """
    config = getattr(getattr(network, "encoder", None), "config", None)
    if config is None:
        return False
    logging.getLogger("onnxruntime.transformers").setLevel(logging.ERROR)
    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False
    fused = optimize_model(
        str(source),
        "bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        optimization_options=options,
        opt_level=0,
    )
    fused.save_model_to_file(str(target))
    return True
