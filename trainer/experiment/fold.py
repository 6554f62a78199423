"""The smallest piece of an experiment: the branches and their fusion, trained on one part and tested on another.

What is finished is kept on disk, so that a killed experiment goes on inside the unit at hand and gives the same
answers: each branch's weights until the unit is done, then the answers alone.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge_runtime.system.writing import write_text, writing
from trainer import training_loop
from trainer.config import Fusion
from trainer.corpora.protocols import Fold
from trainer.fusion.blocks import Joint
from trainer.fusion.modality import BOTH, VOICE_ONLY, WORDS_ONLY, fusion_branch, present_rows
from trainer.modality import Branch, Float, Int, predict, train, weighted_targets

ANSWERS, CURVES = "answers.npz", "curves.json"
JOINT_RATE = 3e-5
"""Learning rate of joint fine-tuning: the paper's for language models."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Material:
    """What all units of an experiment share.

    Attributes:
        branches: speech, text, or both.
        truth: index of each utterance's label (n,).
        labels: the labels in order.
        fusion: how the branches are fused, or None.
        quiet: no progress bars.
        say: told what begins.
    """

    branches: Mapping[str, Branch]
    truth: Int
    labels: Sequence[str]
    fusion: Fusion | None
    quiet: bool
    say: Say


@dataclass(frozen=True)
class Unit:
    """One repeat on one fold, and the folder that it keeps its state in."""

    folder: Path
    fold: Fold
    seed: int

    @property
    def finished(self) -> bool:
        """Whether its answers are there."""
        return (self.folder / ANSWERS).is_file()

    def answers(self) -> dict[str, Float]:
        """Return logits of the rows held apart and tested, in that order, by who gave them."""
        with np.load(self.folder / ANSWERS) as stored:
            return dict(stored)

    def curves(self) -> dict[str, list[dict[str, float]]]:
        """Return the learning curve of everything that was trained."""
        curves: dict[str, list[dict[str, float]]] = json.loads((self.folder / CURVES).read_text())
        return curves


def run(unit: Unit, material: Material, *, keep: bool = False) -> dict[str, nn.Module]:
    """Train and test ``unit``, going on where an earlier attempt in its folder was cut off.

    Args:
        unit: what to train and test on, and where.
        material: see ``Material``.
        keep: leave the networks' weights in the folder, for the checkpoints.

    Returns:
        The trained networks.
    """
    unit.folder.mkdir(parents=True, exist_ok=True)
    fold = unit.fold
    # Of a finished unit only the networks are wanted: testing a large one takes as long as a third of its training.
    asked = np.zeros(0, np.intp) if unit.finished else np.concatenate([fold.held, fold.test])
    known, apart = _apart(fold.train, material.fusion, unit.seed)
    networks: dict[str, nn.Module] = {}
    answers: dict[str, Float] = {}
    for name, branch in material.branches.items():
        networks[name] = _trained(name, branch, known, unit, material)
        if len(asked):
            answers[name], _ = predict(networks[name], [branch.examples[i] for i in asked], branch)
    if material.fusion is not None:
        block, branch, widths = _fused(networks, apart, asked, unit, material, material.fusion)
        networks["fusion"] = block
        if len(asked):
            speech, text = widths
            for name, present in (
                ("fusion", BOTH),
                ("fusion_speech_only", VOICE_ONLY),
                ("fusion_text_only", WORDS_ONLY),
            ):
                if present == BOTH or material.fusion.block == "evidence":
                    answers[name], _ = predict(block, present_rows(speech, text, present), branch)
        if material.fusion.joint_epochs and len(asked):
            joint, branch = _joint(networks, known, unit, material, material.fusion)
            answers["joint"], _ = predict(joint, [branch.examples[i] for i in asked], branch)
    if not unit.finished:
        with writing(unit.folder / ANSWERS) as file:
            np.savez(file, **answers)  # type: ignore[arg-type]
    for leftover in unit.folder.iterdir():
        if leftover.is_dir():
            shutil.rmtree(leftover)
        elif leftover.suffix == ".tmp" or (leftover.suffix == ".safetensors" and not keep):
            leftover.unlink()
    return networks


def _apart(rows: NDArray[np.intp], fusion: Fusion | None, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows that the branches are trained on, and those that the block is trained on."""
    if fusion is None or not fusion.apart:
        return rows, rows
    shuffled = np.random.default_rng(seed).permutation(rows)
    cut = max(1, round(len(rows) * fusion.apart))
    return np.sort(shuffled[cut:]), np.sort(shuffled[:cut])


def _trained(name: str, branch: Branch, rows: NDArray[np.intp], unit: Unit, material: Material) -> nn.Module:
    """Return the network called ``name``: of an earlier attempt if it was done, else trained."""
    path = unit.folder / f"{name}.safetensors"
    if path.is_file():
        network = branch.fresh(rows, unit.seed)
        network.load_state_dict(safetensors.torch.load_file(path))
        return network.eval()
    material.say(f"{name}, {len(rows)} utterances")
    network, curve = train(
        branch,
        rows,
        material.truth,
        len(material.labels),
        partial=unit.folder / f"{name}.partial",
        seed=unit.seed,
        resume=True,  # whatever lies in a unit's folder is of this very unit: see trainer.experiment.run_dir
        quiet=material.quiet,
    )
    _keep_curve(unit, name, curve)
    with writing(path) as file:
        file.write(safetensors.torch.save(_state(network)))
    return network


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}


def _keep_curve(unit: Unit, name: str, curve: Sequence[training_loop.Loss]) -> None:
    path = unit.folder / CURVES
    curves: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    curves[name] = [asdict(point) for point in curve]
    write_text(path, json.dumps(curves))


def _fused(
    networks: Mapping[str, nn.Module],
    rows: NDArray[np.intp],
    asked: NDArray[np.intp],
    unit: Unit,
    material: Material,
    settings: Fusion,
) -> tuple[nn.Module, Branch, tuple[Float, Float]]:
    """Return the trained block, its branch, and both embeddings of the rows asked about."""
    both = np.concatenate([rows, asked])
    speech, text = (
        predict(networks[name], [material.branches[name].examples[i] for i in both], material.branches[name])[1]
        for name in ("speech", "text")
    )
    classifiers = (_classifier(networks["speech"]), _classifier(networks["text"]))
    branch = fusion_branch(speech[: len(rows)], text[: len(rows)], classifiers, material.labels, settings)
    inner = Material(
        {}, material.truth[rows], material.labels, None, material.quiet, material.say
    )  # fmt: skip - rows of the block's branch count from 0
    block = _trained("fusion", branch, np.arange(len(rows)), unit, inner)
    return block, branch, (speech[len(rows) :], text[len(rows) :])


def _classifier(network: nn.Module) -> nn.Linear:
    layer = network.classifier
    assert isinstance(layer, nn.Linear)
    return layer


def _joint(
    networks: Mapping[str, nn.Module], rows: NDArray[np.intp], unit: Unit, material: Material, settings: Fusion
) -> tuple[nn.Module, Branch]:
    """Return branches and block fine-tuned together, and the branch that feeds them."""
    speech, text = material.branches["speech"], material.branches["text"]

    def collate(examples: list[training_loop.Example]) -> dict[str, Tensor]:
        batch: dict[str, Tensor] = {}
        for prefix, branch in (("speech_", speech), ("text_", text)):
            mine = [{k.removeprefix(prefix): v for k, v in e.items() if k.startswith(prefix)} for e in examples]
            batch |= {prefix + key: value for key, value in branch.collate(mine).items()}
        if training_loop.TARGET in examples[0]:
            batch[training_loop.TARGET] = torch.stack([torch.as_tensor(e[training_loop.TARGET]) for e in examples])
        return batch

    examples = [
        {f"speech_{k}": v for k, v in s.items()} | {f"text_{k}": v for k, v in t.items()}
        for s, t in zip(speech.examples, text.examples, strict=True)
    ]
    joint = Joint(networks["speech"], networks["text"], networks["fusion"])
    joint.requires_grad_(True)
    schedule = training_loop.Schedule(epochs=settings.joint_epochs, batch=settings.batch, rate=JOINT_RATE)
    target = weighted_targets(material.truth[rows], len(material.labels), settings.class_power, 0.0)
    material.say(f"everything together, {len(rows)} utterances")
    curve = training_loop.train(
        joint,
        [{**examples[row], training_loop.TARGET: target[i]} for i, row in enumerate(rows)],
        schedule,
        out=unit.folder / "joint.partial",
        seed=unit.seed,
        collate=collate,
        resume=True,
        quiet=material.quiet,
    )
    _keep_curve(unit, "joint", curve)
    branch = Branch(
        name="joint", examples=examples, copies=[], collate=collate, fresh=lambda *_: joint, schedule=schedule
    )
    return joint, branch
