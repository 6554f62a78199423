"""What an experiment needs to know of one modality, whichever features and network are behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainer import targets, training_loop

Float = NDArray[np.float32]
Int = NDArray[np.integer[Any]]
Collate = Callable[[list[training_loop.Example]], dict[str, Tensor]]
BATCH = 64


@dataclass(frozen=True)
class Branch:
    """One modality of a corpus, ready to be trained on any part of it.

    Attributes:
        name: "speech" or "text".
        examples: the network's inputs for each utterance, as they are when it is tested.
        copies: for each utterance what is trained on: mostly the example itself, or altered copies of it too.
        collate: joins examples into a batch.
        fresh: returns an untrained network for given training rows (whose statistics it may learn) and a seed.
        schedule: how it is trained.
        class_power: 1 weighs classes inversely to their frequency (the paper), 0 not at all.
        smoothing: share of the target spread over all labels.
        length: the input whose first axis is padded, if one is; examples of like length share a batch.
    """

    name: str
    examples: Sequence[training_loop.Example]
    copies: Sequence[Sequence[training_loop.Example]]
    collate: Collate
    fresh: Callable[[NDArray[np.intp], int], nn.Module]
    schedule: training_loop.Schedule
    class_power: float = 1.0
    smoothing: float = 0.0
    length: str | None = None


def train(
    branch: Branch,
    rows: NDArray[np.intp],
    labels: Int,
    classes: int,
    *,
    partial: Path,
    seed: int,
    resume: bool = False,
    quiet: bool = False,
) -> tuple[nn.Module, list[training_loop.Loss]]:
    """Return a network trained on ``rows``, and its learning curve.

    Args:
        branch: what to train.
        rows: the utterances to train on.
        labels: of all utterances (n,).
        classes: how many there are.
        partial: where an interrupted training is kept.
        seed: of initial weights and shuffling.
        resume: go on with the one in ``partial``.
        quiet: no progress bar.
    """
    network = branch.fresh(rows, seed)
    target = weighted_targets(labels[rows], classes, branch.class_power, branch.smoothing)
    examples = [
        {**copy, training_loop.TARGET: target[i]} for i, row in enumerate(rows) for copy in branch.copies[row]
    ]  # fmt: skip
    lengths = [len(e[branch.length]) for e in examples] if branch.length else None
    curve = training_loop.train(
        network,
        examples,
        branch.schedule,
        out=partial,
        seed=seed,
        collate=branch.collate,
        lengths=lengths,
        resume=resume,
        quiet=quiet,
    )
    return network, curve


def weighted_targets(labels: Int, classes: int, power: float, smoothing: float) -> Float:
    """Return target distributions (n, classes), weighted by class: the paper's weighted cross-entropy."""
    result: Float = targets.one_hot(labels, classes, smoothing=smoothing)
    return result * targets.group_weights(labels.tolist(), power)[:, None]


@torch.no_grad()
def predict(network: nn.Module, examples: Sequence[training_loop.Example], branch: Branch) -> tuple[Float, Float]:
    """Return logits (n, classes) and second-to-last layer (n, width) of ``examples``."""
    network.eval()
    device = next(network.parameters()).device
    order = np.arange(len(examples))
    if branch.length:
        order = np.argsort([len(e[branch.length]) for e in examples], kind="stable")
    logits, embeddings = [], []
    for begin in range(0, len(order), BATCH):
        batch = branch.collate([examples[i] for i in order[begin : begin + BATCH]])
        one, other = network(**{key: value.to(device) for key, value in batch.items()})
        logits.append(one.float().cpu())
        embeddings.append(other.float().cpu())
    back = np.argsort(order)
    return torch.cat(logits).numpy()[back], torch.cat(embeddings).numpy()[back]
