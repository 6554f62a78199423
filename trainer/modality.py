"""One modality (speech, text, or both embeddings) as the training sees it, whichever network is behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainer import training_loop
from trainer.training_loop import Example

Float = NDArray[np.float32]
Int = NDArray[np.integer[Any]]
Collate = Callable[[list[Example]], dict[str, Tensor]]
BATCH = 64
AUGMENTED, COMPARED, CONTEXT = "augmented", "compared", "context"
"""Variants of the tested utterances: augmented copies; the utterance beside a baseline of its speaker; and the words
after those that were said before them."""
NEUTRAL = "neutral"
SOFT: Mapping[str, float | None] = {"other": None, "unlabelled": 0.7, "fragment": 0.4}
"""Labels of utterances without a class, in the order of their indices after the classes', and the share of neutral in
what is learned of them: another emotion, of which any class is as likely as the others; plain speech, which is mostly
neutral, and not certainly so; and a fragment, which says next to nothing."""


@dataclass(frozen=True)
class Modality:
    """The inputs of every utterance, and how a network that reads them is made and trained.

    Attributes:
        name: "speech", "text" or "fusion".
        examples: the network's inputs for each utterance, as they are when it is tested.
        copies: for each utterance the inputs that are trained on: the example, then augmented copies of it if any.
        collate: joins examples into a batch.
        bind: returns how examples are joined for one network, where what it reads depends on what it learned before
            its training began; None where that is ``collate``.
        variants: further examples of each utterance that are answered when it is tested, by name.
        fresh: returns an untrained network for given training rows (whose statistics it may learn) and a seed.
        schedule: how it is trained.
        class_weight_power: 1 weighs classes inversely to their frequency (the paper), 0 not at all.
        label_smoothing: share of the target spread over all labels.
        draws: train on so many copies an epoch, drawn by their weight: corpora alike often, a class of a corpus by
            ``class_weight_power``; None takes all copies, and weighs them in the loss.
        length: the input whose first axis is padded, if one is; examples of like length share a batch.
        taught: what a teacher answers to each utterance, as probabilities (n, classes), if there is one.
        taught_share: of the teacher in each target.
    """

    name: str
    examples: Sequence[Example]
    copies: Sequence[Sequence[Example]]
    collate: Collate
    fresh: Callable[[NDArray[np.intp], int], nn.Module]
    schedule: training_loop.Schedule
    class_weight_power: float = 1.0
    label_smoothing: float = 0.0
    draws: int | None = None
    length: str | None = None
    bind: Callable[[nn.Module], Collate] | None = None
    taught: Float | None = None
    taught_share: float = 0.0
    variants: Mapping[str, Sequence[Sequence[Example]]] = field(default_factory=dict)

    def collate_for(self, network: nn.Module) -> Collate:
        """Return how examples are joined into a batch for ``network``."""
        return self.bind(network) if self.bind is not None else self.collate


@dataclass(frozen=True)
class Truth:
    """The label of every utterance.

    Attributes:
        labels: index of each utterance's label (n,); of one without a class, the number of classes and more: see
            ``SOFT``.
        names: the classes in order.
        corpora: each utterance's corpus (n,); classes are weighed within a corpus, so that corpora count alike.
        soft_weight: how much a group of utterances without a class counts, where one of a class counts 1.
    """

    labels: Int
    names: Sequence[str]
    corpora: Sequence[str]
    soft_weight: float = 1.0

    def rows(self, rows: NDArray[np.intp]) -> Truth:
        """Return the truth of some utterances, in that order."""
        return replace(self, labels=self.labels[rows], corpora=[self.corpora[row] for row in rows])


def train(
    modality: Modality,
    rows: NDArray[np.intp],
    truth: Truth,
    *,
    partial: Path,
    seed: int,
    resume: bool = False,
    quiet: bool = False,
) -> tuple[nn.Module, list[training_loop.Loss]]:
    """Return a network trained on ``rows``, and its learning curve.

    Args:
        modality: what to train.
        rows: the utterances to train on.
        truth: of all utterances.
        partial: where an interrupted training is kept.
        seed: of initial weights and shuffling.
        resume: go on with the one in ``partial``.
        quiet: no progress bar.
    """
    network = modality.fresh(rows, seed)
    known, schedule = truth.rows(rows), modality.schedule
    if modality.draws is None:
        target = weighted_targets(known, modality.class_weight_power, modality.label_smoothing)
        taken = [(i, copy) for i, row in enumerate(rows) for copy in modality.copies[row]]
    else:
        target = targets(known, modality.label_smoothing)
        shares = draw_shares(known, modality.class_weight_power)
        random = np.random.default_rng(seed)
        drawn = np.concatenate([draw(shares, modality.draws, random) for _ in range(schedule.epochs)]).tolist()
        taken = [(i, _one_of(modality.copies[rows[i]], random)) for i in drawn]
        schedule = replace(schedule, epochs=1)  # all of them are laid end to end
    if modality.taught is not None:
        answers = modality.taught[rows] * target.sum(1, keepdims=True)  # a target's sum is the weight of its utterance
        target = ((1 - modality.taught_share) * target + modality.taught_share * answers).astype(np.float32)
    examples = [{**copy, training_loop.TARGET: target[i]} for i, copy in taken]
    curve = training_loop.train(
        network,
        examples,
        schedule,
        out=partial,
        seed=seed,
        collate=modality.collate_for(network),
        lengths=[len(e[modality.length]) for e in examples] if modality.length else None,
        resume=resume,
        quiet=quiet,
    )
    return network, curve


def _one_of(copies: Sequence[Example], random: np.random.Generator) -> Example:
    return copies[int(random.integers(len(copies)))]


def weighted_targets(truth: Truth, power: float, smoothing: float) -> Float:
    """Return target distributions (n, classes), weighted by class: the paper's weighted cross-entropy (section 5.1)."""
    groups = list(zip(truth.corpora, truth.labels.tolist(), strict=True))
    weights = group_weights(groups, power) * np.where(truth.labels < len(truth.names), 1.0, truth.soft_weight)
    result: Float = (targets(truth, smoothing) * weights[:, None]).astype(np.float32)
    return result


def targets(truth: Truth, smoothing: float) -> Float:
    """Return target distributions (n, classes), all of one weight."""
    table = np.concatenate([one_hot(np.arange(len(truth.names)), len(truth.names), smoothing), soft_targets(truth)])
    result: Float = table[truth.labels]
    return result


def draw_shares(truth: Truth, power: float) -> Float:
    """Return how often each utterance is drawn (n,), 1 in all.

    Corpora are drawn alike often. Within one a class of n utterances is drawn n ** (1 - power) as often as another of
    one utterance. The utterances without a class are drawn ``soft_weight`` times as often as the others together,
    those of each corpus alike often.
    """
    corpora, soft = np.array(truth.corpora), truth.labels >= len(truth.names)
    counts = Counter(zip(truth.corpora, truth.labels.tolist(), strict=True))
    shares = np.array([counts[group] ** -power for group in zip(truth.corpora, truth.labels.tolist(), strict=True)])
    for without_class, weight in ((False, 1.0), (True, truth.soft_weight)):
        part = soft == without_class
        for corpus in (names := np.unique(corpora[part])):
            mine = part & (corpora == corpus)
            shares[mine] *= weight / len(names) / shares[mine].sum()
    result: Float = (shares / shares.sum()).astype(np.float64)
    return result


def draw(shares: Float, count: int, random: np.random.Generator) -> Int:
    """Return ``count`` rows, each as often as its share says, up to one: systematic sampling of a random order."""
    order = random.permutation(len(shares))
    ends = np.cumsum(shares[order]) / shares.sum() * count
    points = np.arange(count) + random.random()
    result: Int = order[np.minimum(np.searchsorted(ends, points, side="right"), len(order) - 1)]
    return result


def priors(modality: Modality, truth: Truth) -> dict[str, float]:
    """Return the share of each class in what is learned: what a network takes for granted before it has read.

    Args:
        modality: how it is trained.
        truth: of the utterances that it is trained on.
    """
    if modality.draws is None:
        shares = weighted_targets(truth, modality.class_weight_power, 0.0).sum(0)
    else:
        shares = draw_shares(truth, modality.class_weight_power) @ targets(truth, 0.0)
    return dict(zip(truth.names, np.round(shares / shares.sum(), 4).tolist(), strict=True))


def soft_label(classes: int, name: str) -> int:
    """Return the index, beyond those of ``classes``, of a label of ``SOFT``."""
    return classes + list(SOFT).index(name)


def soft_targets(truth: Truth) -> Float:
    """Return what is learned of utterances without a class (kinds of ``SOFT``, classes)."""
    classes = len(truth.names)
    result = np.full((len(SOFT), classes), 1 / classes, np.float32)
    if NEUTRAL in truth.names:
        for row, share in enumerate(SOFT.values()):
            if share is not None:
                result[row] = (1 - share) / (classes - 1)
                result[row, truth.names.index(NEUTRAL)] = share
    return result


def group_weights(groups: Sequence[Hashable], power: float) -> Float:
    """Return a weight for each example, falling with the size of its group; 1 on average.

    With power 1 every group counts alike. Power 0.5 goes half of the way, 0 weighs nothing.
    """
    counts = Counter(groups)
    weights = np.array([counts[g] ** -power for g in groups])
    result: Float = (weights / weights.mean()).astype(np.float32)
    return result


def one_hot(labels: Int, classes: int, smoothing: float) -> Float:
    """Return distributions (n, classes): 1 - smoothing on the label, the rest spread over all."""
    result = np.full((len(labels), classes), smoothing / classes, np.float32)
    result[np.arange(len(labels)), labels] += 1.0 - smoothing
    return result


@torch.no_grad()
def predict(
    network: nn.Module, examples: Sequence[Example], collate: Collate, length: str | None = None
) -> tuple[Float, Float]:
    """Return logits (n, classes) and second-to-last layer (n, width) of ``examples``.

    Args:
        network: is put into evaluation mode.
        examples: its inputs.
        collate: see ``Modality``.
        length: see ``Modality``.
    """
    network.eval()
    device = next(network.parameters()).device
    order = np.arange(len(examples))
    if length:
        order = np.argsort([len(e[length]) for e in examples], kind="stable")
    logits, embeddings = [], []
    for begin in range(0, len(order), BATCH):
        batch = collate([examples[i] for i in order[begin : begin + BATCH]])
        one, other = network(**{key: value.to(device) for key, value in batch.items()})
        logits.append(one.float().cpu())
        embeddings.append(other.float().cpu())
    back = np.argsort(order)
    return torch.cat(logits).numpy()[back], torch.cat(embeddings).numpy()[back]
