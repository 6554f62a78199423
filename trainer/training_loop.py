"""The one training loop: transformers' Trainer, with the paper's weighted loss, and checkpoints that lose nothing.

Devices are that Trainer's own: it uses every CUDA device of the machine from one process. Where this was written
there was one processor without bf16 units: bf16 was run for a few steps only, CUDA never.
"""

from __future__ import annotations

import functools
import json
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PrinterCallback, ProgressCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import get_last_checkpoint

from edge_runtime.cli.interrupts import Interrupted, heeded_signals

Example = dict[str, Any]
TARGET = "target"
LOGS_AN_EPOCH = 4
CHUNK = 50
"""Batches' worth of random examples that are sorted by length together: enough to waste little on padding."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a network is trained.

    Attributes:
        epochs: passes over the data.
        batch_size: examples a step.
        learning_rate: Adam's peak; it rises over ``warmup`` of the steps, then falls linearly to zero.
        weight_decay: decoupled, on every weight (the paper has none but its L2, see ``penalty``).
        save_minutes: how much work a kill may cost; None keeps no checkpoints, for what takes seconds.
        precision: "fp32", or "bf16" for autocast where the processor is fast at it.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    warmup: float = 0.1
    weight_decay: float = 0.0
    save_minutes: float | None = 5.0
    precision: str = "fp32"

    @classmethod
    def of(cls, settings: Any) -> Schedule:
        """Return the schedule in the settings of a branch: those of its fields that have a name of this class."""
        return cls(**{f.name: getattr(settings, f.name) for f in fields(cls) if hasattr(settings, f.name)})


@dataclass(frozen=True)
class Loss:
    """Mean training loss since the point before, at so many (fractions of) epochs."""

    epoch: float
    loss: float


class _Trainer(Trainer):  # type: ignore[misc]
    """Trains on target distributions, which hold weights and smoothing, and adds the modules' own penalties."""

    def __init__(self, *, bf16: bool, **options: Any) -> None:
        super().__init__(**options)
        self.bf16 = bf16

    def compute_loss(
        self, model: nn.Module, inputs: Example, return_outputs: bool = False, **_: Any
    ) -> Tensor | tuple[Tensor, Any]:
        target = inputs.pop(TARGET)
        # The Trainer's own bf16 is refused without a GPU, and is a process' first training's for all that follow.
        with torch.autocast(self.args.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            logits, embedding = model(**inputs)
        if logits.dim() == 3:  # of several members, each of which learns for itself
            target = target.unsqueeze(1)
        loss = -(target * F.log_softmax(logits.float(), dim=-1)).sum(-1).mean()
        for part in model.modules():
            if hasattr(part, "penalty"):
                loss = loss + part.penalty()  # type: ignore[operator]
        return (loss, (logits, embedding)) if return_outputs else loss

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int]:
        return torch.utils.data.SequentialSampler(self.train_dataset)


def train(
    network: nn.Module,
    examples: Sequence[Example],
    schedule: Schedule,
    *,
    out: Path,
    seed: int,
    collate: Callable[[list[Example]], dict[str, Tensor]] | None = None,
    lengths: Sequence[int] | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> list[Loss]:
    """Train ``network`` in place; return the learning curve.

    Ctrl-C and SIGTERM end it after the step at hand, with a checkpoint; the same call with ``resume`` then
    gives the weights that an uninterrupted one would have given.

    Args:
        network: gives logits (batch, classes) and its second-to-last layer for named inputs; in training it may give
            those of several members, each of which learns for itself (batch, members, classes). The ``penalty()``
            of each of its modules that has one, a scalar, is added to the loss (the paper's L2).
        examples: dicts of the network's inputs, and ``target`` (classes,): see ``trainer.modality.weighted_targets``.
        schedule: epochs, batch, learning rate and so on.
        out: where checkpoints to resume from are kept; a folder of this run alone, emptied unless it resumes.
        seed: of shuffling and dropout; the network's initial weights are the caller's.
        collate: joins examples without their targets into a batch; by default values are stacked.
        lengths: of each example; those of like length are put into one batch: less padding.
        resume: go on from the last checkpoint in ``out``, if there is one.
        quiet: no progress bar.

    Raises:
        KeyboardInterrupt: it was interrupted; the checkpoint is written.
        ValueError: there is nothing to train on.
    """
    if not examples:
        raise ValueError("no examples to train on")
    random = np.random.default_rng(seed)
    order = np.concatenate([random.permutation(len(examples)) for _ in range(schedule.epochs)])
    if lengths is not None:
        order = _alike(order, lengths, schedule.batch_size, random)
    steps = -(-len(order) // schedule.batch_size)
    arguments = TrainingArguments(
        output_dir=str(out),
        num_train_epochs=1,  # all passes are laid end to end: going on inside any of them is then the same thing
        per_device_train_batch_size=schedule.batch_size,
        learning_rate=schedule.learning_rate,
        warmup_ratio=schedule.warmup,
        weight_decay=schedule.weight_decay,
        lr_scheduler_type="linear",
        save_strategy="no",  # by the clock, see _Checkpoints
        save_total_limit=1,
        logging_strategy="steps",
        logging_steps=max(1, steps // (schedule.epochs * LOGS_AN_EPOCH)),
        report_to=[],
        seed=seed,
        disable_tqdm=quiet,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    asked: list[int] = []
    trainer = _Trainer(
        bf16=schedule.precision == "bf16",
        model=network,
        args=arguments,
        train_dataset=_Passes(examples, order),
        data_collator=functools.partial(with_targets, collate or stack),
        callbacks=[_Checkpoints(schedule.save_minutes, asked)],
    )
    for printing in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(printing)
    if not quiet:
        trainer.add_callback(_Bar())
    if not resume:
        shutil.rmtree(out, ignore_errors=True)  # an earlier run's: a later --resume must not go on from it
    with _interrupts(asked):
        trainer.train(resume_from_checkpoint=_last_whole(out))
    if asked:
        raise Interrupted(asked[0])
    network.eval()
    return [
        Loss(round(min(row["step"] * schedule.batch_size / len(examples), schedule.epochs), 3), row["loss"])
        for row in trainer.state.log_history
        if "loss" in row
    ]


def _last_whole(out: Path) -> str | None:
    """Return the newest checkpoint in ``out``; one whose writing was cut short (its state is written last) goes."""
    while out.is_dir() and (last := get_last_checkpoint(str(out))):
        try:
            json.loads((Path(last) / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            shutil.rmtree(last)
        else:
            return str(last)
    return None


def stack(examples: Sequence[Example]) -> dict[str, Tensor]:
    """Join examples whose values have one shape into a batch."""
    return {key: torch.stack([torch.as_tensor(e[key]) for e in examples]) for key in examples[0]}


def with_targets(collate: Callable[[list[Example]], dict[str, Tensor]], examples: list[Example]) -> dict[str, Tensor]:
    """Join inputs by ``collate``, which need not know of the targets, and stack the targets."""
    targets = stack([{TARGET: example.pop(TARGET)} for example in examples])
    return collate(examples) | targets


def _alike(
    order: NDArray[np.intp], lengths: Sequence[int], batch: int, random: np.random.Generator
) -> NDArray[np.intp]:
    """Return ``order`` in batches of like length, which come in random order; a last, smaller one stays last."""
    batches = []
    for begin in range(0, len(order), CHUNK * batch):
        chunk = order[begin : begin + CHUNK * batch]
        chunk = chunk[np.argsort([lengths[i] for i in chunk], kind="stable")]
        batches += [chunk[i : i + batch] for i in range(0, len(chunk), batch)]
    last = [batches.pop()] if len(batches[-1]) < batch else []
    return np.concatenate([batches[i] for i in random.permutation(len(batches))] + last)


class _Passes(torch.utils.data.Dataset[Example]):
    """The examples in the order in which all passes see them."""

    def __init__(self, rows: Sequence[Example], order: NDArray[np.intp]) -> None:
        self.rows, self.order = rows, order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> Example:
        return dict(self.rows[self.order[index]])


class _Checkpoints(TrainerCallback):  # type: ignore[misc]
    """Saves by the clock, and when told to stop."""

    def __init__(self, minutes: float | None, asked: Sequence[int]) -> None:
        self.minutes, self.asked, self.saved = minutes, asked, time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        due = self.minutes is not None and time.monotonic() - self.saved >= 60 * self.minutes
        if self.asked:
            control.should_training_stop = True
            due = self.minutes is not None
        if due:
            control.should_save = True
            self.saved = time.monotonic()


class _Bar(ProgressCallback):  # type: ignore[misc]
    """The bar with its estimate of the time left, and nothing between."""

    def on_log(self, *_: Any, **__: Any) -> None:
        """Losses are drawn at the end."""


@contextmanager
def _interrupts(asked: list[int]) -> Iterator[None]:
    """Take the first Ctrl-C or SIGTERM for a polite request, and note its number in ``asked``; a second one ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if asked:
            raise Interrupted(number)
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in heeded_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
