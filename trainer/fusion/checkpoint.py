"""A checkpoint of fusion, of any block."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import nn

from trainer import checkpoints
from trainer.errors import CheckpointError
from trainer.fusion.blocks import AttentionFusion, FeedForwardFusion
from trainer.fusion.gated import GatedFusion
from trainer.fusion.network import Experts, FusionEmotion

BLOCKS: Mapping[str, tuple[str, type[Experts] | type[FeedForwardFusion] | type[AttentionFusion]]] = {
    "product-of-experts": ("fusion", FusionEmotion),
    "gated-experts": ("fusion-gated", GatedFusion),
    "feed-forward": ("fusion-feed-forward", FeedForwardFusion),
    "attention": ("fusion-attention", AttentionFusion),
}
"""Each block with the kind of its checkpoints."""


def write(out: Path, network: nn.Module, branches: Mapping[str, Path], config: dict[str, Any]) -> None:
    """Write the checkpoint ``out``, all of it or nothing.

    Args:
        out: its folder.
        network: one of ``BLOCKS``.
        branches: the checkpoints of "speech" and "text" that it was trained on.
        config: labels, settings, metrics.
    """
    kind = next(kind for kind, block in BLOCKS.values() if isinstance(network, block))
    digests = {name: checkpoints.digest(folder) for name, folder in branches.items()}
    checkpoints.write(out, network, {**config, "kind": kind, "branches": digests})


def restore(folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Return the network in the checkpoint ``folder``, and its config.

    Raises:
        CheckpointError: there is none, it is damaged, or it is of another kind.
    """
    found = checkpoints.kind(folder)
    kind, block = next((entry for entry in BLOCKS.values() if entry[0] == found), BLOCKS["product-of-experts"])
    config = checkpoints.read(folder, kind)
    layer = "{}.weight" if issubclass(block, Experts) else "{}_norm.weight"
    try:
        state = safetensors.torch.load_file(folder / checkpoints.WEIGHTS)
        speech, text = (state[layer.format(name)].shape[-1] for name in ("speech", "text"))
    except (OSError, KeyError, IndexError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{folder / checkpoints.WEIGHTS}: damaged: {error}") from error
    network = block(len(config["labels"]), speech=speech, text=text)
    checkpoints.load_weights(folder, network)
    return network, config
