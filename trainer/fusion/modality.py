"""The classification block as a branch whose inputs are both branches' embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainer import training_loop
from trainer.config import Fusion
from trainer.fusion.blocks import AttentionFusion, FeedForwardFusion
from trainer.fusion.network import FusionEmotion
from trainer.modality import Branch

Float = NDArray[np.float32]
BOTH, VOICE_ONLY, WORDS_ONLY = (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)


def fusion_branch(
    speech: Float, text: Float, classifiers: tuple[nn.Linear, nn.Linear], labels: Sequence[str], settings: Fusion
) -> Branch:
    """Return fusion of the frozen branches' second-to-last layers.

    Args:
        speech: of speech emotion (n, width).
        text: of text emotion (n, width).
        classifiers: the branches' own last layers, which "evidence" starts from.
        labels: the labels in order.
        settings: see ``trainer.config.Fusion``.
    """
    widths = {"speech": speech.shape[1], "text": text.shape[1]}

    def fresh(_: NDArray[np.intp], seed: int) -> nn.Module:
        torch.manual_seed(seed)
        if settings.block == "evidence":
            network = FusionEmotion(len(labels), **widths)
            network.adopt(*classifiers)
            return network
        return (FeedForwardFusion if settings.block == "feed-forward" else AttentionFusion)(len(labels), **widths)

    def rows(present: tuple[float, float]) -> list[training_loop.Example]:
        return present_rows(speech, text, present)

    # The runtime may have a voice without words, or words without a voice: the shipped block learns from both too.
    seen = [BOTH, VOICE_ONLY, WORDS_ONLY] if settings.block == "evidence" else [BOTH]
    return Branch(
        name="fusion",
        examples=rows(BOTH),
        copies=list(zip(*(rows(present) for present in seen), strict=True)),
        collate=training_loop.stack,
        fresh=fresh,
        schedule=training_loop.Schedule(epochs=settings.epochs, batch=settings.batch, rate=settings.rate),
        class_power=settings.class_power,
    )


def present_rows(speech: Float, text: Float, present: tuple[float, float]) -> list[training_loop.Example]:
    """Return the block's inputs when the voice, the words, or both are there."""
    flags = np.array(present, np.float32)
    return [
        {"speech_embedding": s, "text_embedding": t, "present": flags} for s, t in zip(speech, text, strict=True)
    ]  # fmt: skip
