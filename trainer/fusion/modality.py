"""Fusion as a modality: its inputs are the embeddings of speech and text, or their logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainer import training_loop
from trainer.config import Fusion
from trainer.fusion.checkpoint import BLOCKS
from trainer.fusion.network import FusionEmotion
from trainer.modality import Float, Modality

BOTH, SPEECH_ONLY, TEXT_ONLY = (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)
CASES = {"fusion": BOTH, "fusion_speech_only": SPEECH_ONLY, "fusion_text_only": TEXT_ONLY}
"""The branches that are present, by the name that answers with them have."""


def fusion_modality(
    copies: Sequence[Sequence[training_loop.Example]],
    classifiers: tuple[nn.Linear, nn.Linear],
    labels: Sequence[str],
    settings: Fusion,
) -> Modality:
    """Return fusion of two frozen branches.

    Args:
        copies: of each utterance the block's inputs, as ``inputs`` makes them: with both branches, then with one.
        classifiers: the branches' own last layers, which "product-of-experts" starts from.
        labels: the labels in order.
        settings: see ``trainer.config.Fusion``.
    """
    first = copies[0][0]
    widths = {name: len(first[f"{name}_embedding"]) for name in ("speech", "text")}

    def fresh(_: NDArray[np.intp], seed: int) -> nn.Module:
        torch.manual_seed(seed)
        network = BLOCKS[settings.block][1](len(labels), **widths)
        if isinstance(network, FusionEmotion):
            network.adopt(*classifiers)
        return network

    return Modality(
        name="fusion",
        examples=[row[0] for row in copies],
        copies=copies,
        collate=training_loop.stack,
        fresh=fresh,
        schedule=training_loop.Schedule.of(settings),
        class_weight_power=settings.class_weight_power,
        label_smoothing=settings.label_smoothing,
    )


def cases(settings: Fusion) -> dict[str, tuple[float, float]]:
    """Return the cases that a block can answer: the paper's blocks need both branches."""
    return CASES if settings.block == "product-of-experts" else {"fusion": BOTH}


def inputs(speech: Float, text: Float, present: tuple[float, float]) -> list[training_loop.Example]:
    """Return the block's inputs (n,) for embeddings (n, width) of which the branches ``present`` count."""
    flags = np.array(present, np.float32)
    return [{"speech_embedding": s, "text_embedding": t, "present": flags} for s, t in zip(speech, text, strict=True)]
