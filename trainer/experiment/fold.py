"""One fold of a training: the branches and their fusion, trained on one part of a corpus and tested on another.

What is finished is kept on disk, so that a killed training goes on inside the fold at hand and gives the same
answers: each branch's weights until the fold is done, then the answers alone.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge_runtime.system.writing import write_text, writing
from trainer import training_loop
from trainer.config import Fusion
from trainer.corpora.protocols import Fold
from trainer.fusion.blocks import Joint, unprefixed
from trainer.fusion.modality import cases, fusion_modality, inputs
from trainer.modality import Float, Modality, Truth, predict, train, weighted_targets

ANSWERS, CURVES = "answers.npz", "curves.json"
UNLABELLED = "unlabelled"
JOINT_RATE = 3e-5
"""Learning rate of joint fine-tuning: the paper's for language models."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunContext:
    """What all folds of a training share.

    Attributes:
        modalities: speech, text, or both.
        truth: the label of every utterance.
        fusion: how the branches are fused, or None.
        quiet: no progress bars.
    """

    modalities: Mapping[str, Modality]
    truth: Truth
    fusion: Fusion | None
    quiet: bool


@dataclass(frozen=True)
class FoldRun:
    """One repeat on one fold, and the folder that it keeps its state in."""

    folder: Path
    fold: Fold
    seed: int

    @property
    def finished(self) -> bool:
        """Whether its answers are there."""
        return (self.folder / ANSWERS).is_file()

    def answers(self) -> dict[str, Float]:
        """Return the logits of validation and test rows, in that order, of each branch.

        A branch's answers (test rows, variants, classes) to the variants of its modality go by ``variant_name``, and so
        do those to the fold's ``unlabelled`` rows (rows, classes).
        """
        with np.load(self.folder / ANSWERS) as stored:
            return dict(stored)

    def curves(self) -> dict[str, list[dict[str, float]]]:
        """Return the learning curve of everything that was trained."""
        curves: dict[str, list[dict[str, float]]] = json.loads((self.folder / CURVES).read_text())
        return curves


def run(part: FoldRun, context: RunContext, *, keep: bool = False) -> dict[str, nn.Module]:
    """Train and test one fold, going on where an earlier attempt in its folder was cut off.

    Args:
        part: what to train and test on, and where.
        context: see ``RunContext``.
        keep: leave the networks' weights in the folder, for the checkpoints.

    Returns:
        The trained networks.
    """
    part.folder.mkdir(parents=True, exist_ok=True)
    fold = part.fold
    # Of a finished fold only the networks are wanted: testing a large one takes as long as a third of its training.
    asked = np.zeros(0, np.intp) if part.finished else np.concatenate([fold.validation, fold.test])
    known, fusion_rows = _split(fold.train, context.fusion, part.seed)
    networks: dict[str, nn.Module] = {}
    answers: dict[str, Float] = {}
    for name, modality in context.modalities.items():
        networks[name] = _trained(name, modality, known, part, context)
        if len(asked):
            answers[name] = _logits(networks[name], [modality.examples[i] for i in asked], modality)
            for variant, examples in modality.variants.items():
                answers[variant_name(name, variant)] = _variants(networks[name], modality, examples, fold.test)
            if len(fold.unlabelled):
                rows = [modality.examples[i] for i in fold.unlabelled]
                answers[variant_name(name, UNLABELLED)] = _logits(networks[name], rows, modality)
    if context.fusion is not None:
        block, modality, embeddings = _fused(networks, fusion_rows, asked, part, context, context.fusion)
        networks["fusion"] = block
        if len(asked):
            for name, present in cases(context.fusion).items():
                answers[name] = _logits(block, inputs(*embeddings, present), modality)
        if context.fusion.joint_epochs and len(asked):
            joint, modality = _joint(networks, known, part, context, context.fusion)
            answers["joint"] = _logits(joint, [modality.examples[i] for i in asked], modality)
    if not part.finished:
        with writing(part.folder / ANSWERS) as file:
            np.savez(file, **answers)  # type: ignore[arg-type]
    for leftover in part.folder.iterdir():
        if leftover.is_dir():
            shutil.rmtree(leftover)
        elif leftover.suffix == ".tmp" or (leftover.suffix == ".safetensors" and not keep):
            leftover.unlink()
    return networks


def _split(rows: NDArray[np.intp], fusion: Fusion | None, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows that the branches are trained on, and those that the block is trained on."""
    if fusion is None or not fusion.fusion_holdout:
        return rows, rows
    shuffled = np.random.default_rng(seed).permutation(rows)
    cut = max(1, round(len(rows) * fusion.fusion_holdout))
    return np.sort(shuffled[cut:]), np.sort(shuffled[:cut])


def variant_name(branch: str, variant: str) -> str:
    """Return the name that a branch's answers to a variant of the utterances have."""
    return f"{branch}_{variant}"


def _logits(network: nn.Module, examples: Sequence[training_loop.Example], modality: Modality) -> Float:
    return predict(network, examples, modality.collate_for(network), modality.length)[0]


def _variants(
    network: nn.Module,
    modality: Modality,
    variants: Sequence[Sequence[training_loop.Example]],
    rows: NDArray[np.intp],
) -> Float:
    """Return logits (rows, variants, classes)."""
    logits = _logits(network, [example for row in rows for example in variants[row]], modality)
    return logits.reshape(len(rows), -1, logits.shape[1])


def _trained(name: str, modality: Modality, rows: NDArray[np.intp], part: FoldRun, context: RunContext) -> nn.Module:
    """Return the network called ``name``: of an earlier attempt if it was done, else trained."""
    path = part.folder / f"{name}.safetensors"
    if path.is_file():
        network = modality.fresh(rows, part.seed)
        network.load_state_dict(safetensors.torch.load_file(path))
        return network.eval()
    log.info("%s, %d utterances", name, len(rows))
    network, curve = train(
        modality,
        rows,
        context.truth,
        partial=part.folder / f"{name}.partial",
        seed=part.seed,
        resume=True,  # the folder holds nothing but this very fold's state: see trainer.experiment.run_dir
        quiet=context.quiet,
    )
    _keep_curve(part, name, curve)
    with writing(path) as file:
        file.write(safetensors.torch.save(_state(network)))
    return network


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}


def _keep_curve(part: FoldRun, name: str, curve: Sequence[training_loop.Loss]) -> None:
    path = part.folder / CURVES
    curves: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    curves[name] = [asdict(point) for point in curve]
    write_text(path, json.dumps(curves))


def _fused(
    networks: Mapping[str, nn.Module],
    rows: NDArray[np.intp],
    asked: NDArray[np.intp],
    part: FoldRun,
    context: RunContext,
    settings: Fusion,
) -> tuple[nn.Module, Modality, tuple[Float, Float]]:
    """Return the trained block, its modality, and both embeddings of the rows asked about."""
    both = np.concatenate([rows, asked])
    embeddings = []
    for name in ("speech", "text"):
        modality = context.modalities[name]
        examples = [modality.examples[i] for i in both]
        embeddings.append(predict(networks[name], examples, modality.collate_for(networks[name]), modality.length)[1])
    speech, text = embeddings
    # The runtime may have speech without text or text without speech: the block learns from all cases it can answer.
    known = (inputs(speech[: len(rows)], text[: len(rows)], present) for present in cases(settings).values())
    classifiers = (classifier(networks["speech"]), classifier(networks["text"]))
    fusion = fusion_modality(list(zip(*known, strict=True)), classifiers, context.truth.names, settings)
    inner = RunContext({}, context.truth.rows(rows), None, context.quiet)  # rows of the fusion count from 0
    block = _trained("fusion", fusion, np.arange(len(rows)), part, inner)
    return block, fusion, (speech[len(rows) :], text[len(rows) :])


def classifier(network: nn.Module) -> nn.Linear:
    """Return the last layer of a branch."""
    layer = network.classifier
    assert isinstance(layer, nn.Linear)
    return layer


def _joint(
    networks: Mapping[str, nn.Module], rows: NDArray[np.intp], part: FoldRun, context: RunContext, settings: Fusion
) -> tuple[nn.Module, Modality]:
    """Return branches and block fine-tuned together, and the modality of their joined inputs."""
    speech, text = context.modalities["speech"], context.modalities["text"]
    collates = {f"{name}_": context.modalities[name].collate_for(networks[name]) for name in ("speech", "text")}

    def collate(examples: list[training_loop.Example]) -> dict[str, Tensor]:
        batch: dict[str, Tensor] = {}
        for prefix, collate_branch in collates.items():
            mine = collate_branch([unprefixed(prefix, example) for example in examples])
            batch |= {prefix + key: value for key, value in mine.items()}
        return batch

    examples = [
        {f"speech_{k}": v for k, v in s.items()} | {f"text_{k}": v for k, v in t.items()}
        for s, t in zip(speech.examples, text.examples, strict=True)
    ]
    joint = Joint(networks["speech"], networks["text"], networks["fusion"])
    joint.requires_grad_(True)
    schedule = training_loop.Schedule(settings.joint_epochs, settings.batch_size, JOINT_RATE)
    target = weighted_targets(context.truth.rows(rows), settings.class_weight_power, 0.0)
    log.info("speech, text and fusion together, %d utterances", len(rows))
    curve = training_loop.train(
        joint,
        [{**examples[row], training_loop.TARGET: target[i]} for i, row in enumerate(rows)],
        schedule,
        out=part.folder / "joint.partial",
        seed=part.seed,
        collate=collate,
        resume=True,
        quiet=context.quiet,
    )
    _keep_curve(part, "joint", curve)
    return joint, Modality("joint", examples, [], collate, lambda *_: joint, schedule)
