"""Fusion as a modality: its inputs are the embeddings of speech and text, or their logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edge_runtime.inference.asr import SURE
from trainer import training_loop
from trainer.config import Fusion
from trainer.fusion.checkpoint import BLOCKS
from trainer.fusion.gated import GatedFusion
from trainer.fusion.network import Experts
from trainer.fusion.pairs import MEAN
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
        if isinstance(network, Experts):
            network.adopt(*classifiers)
        if isinstance(network, GatedFusion):
            told = [row[0]["evidence"] for row in copies if row[0]["present"][1]]
            # It begins as the rule that calls words doubtful.
            network.fit_evidence(torch.from_numpy(np.stack(told)), MEAN, SURE)
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
    """Return the cases that a block can answer: the paper's blocks and "gated-experts" need both branches."""
    return CASES if settings.block == "product-of-experts" else {"fusion": BOTH}


def takes_evidence(settings: Fusion) -> bool:
    """Whether a block is told of the words besides the words."""
    return settings.block == "gated-experts"


def inputs(
    speech: Float, text: Float, present: tuple[float, float], evidence: Float | None = None
) -> list[training_loop.Example]:
    """Return the block's inputs (n,) for embeddings (n, width) of which the branches ``present`` count.

    Args:
        speech: embeddings.
        text: likewise.
        present: 1 of a branch that counts, else 0.
        evidence: of the words (n, numbers), for a block that takes it.
    """
    flags = np.array(present, np.float32)
    examples = [
        {"speech_embedding": s, "text_embedding": t, "present": flags} for s, t in zip(speech, text, strict=True)
    ]
    if evidence is not None:
        examples = [e | {"evidence": told} for e, told in zip(examples, evidence, strict=True)]
    return examples
