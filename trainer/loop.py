"""The one training loop: transformers' Trainer, with the paper's weighted loss and a progress bar."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PrinterCallback, Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

Example = dict[str, Any]
TARGET = "target"


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a network is trained.

    Attributes:
        epochs: passes over the data.
        batch: examples a step.
        rate: Adam's peak learning rate; it rises over ``warmup`` of the steps, then falls linearly to zero.
        decay: decoupled weight decay on every weight (the paper has none but its L2, see ``penalty``).
        save_epochs: keep a checkpoint to resume from after each epoch.
    """

    epochs: int
    batch: int
    rate: float
    warmup: float = 0.1
    decay: float = 0.0
    save_epochs: bool = True


class _Trainer(Trainer):  # type: ignore[misc]
    """Trains on target distributions, which hold weights and smoothing, and adds the network's own penalty."""

    def compute_loss(
        self, model: nn.Module, inputs: Example, return_outputs: bool = False, **_: Any
    ) -> Tensor | tuple[Tensor, Any]:
        target = inputs.pop(TARGET)
        logits, embedding = model(**inputs)
        loss = -(target * F.log_softmax(logits, dim=1)).sum(1).mean()
        loss = loss + self.accelerator.unwrap_model(model).penalty()
        return (loss, (logits, embedding)) if return_outputs else loss


def train(
    network: nn.Module,
    examples: Sequence[Example],
    schedule: Schedule,
    *,
    out: Path,
    seed: int,
    collate: Callable[[list[Example]], dict[str, Tensor]] | None = None,
    by_length: bool = False,
    resume: bool = False,
    quiet: bool = False,
) -> None:
    """Train ``network`` in place.

    Args:
        network: gives logits (batch, classes) and its second-to-last layer for named inputs; its ``penalty()``, a
            scalar, is added to the loss (the paper's L2).
        examples: dicts of the network's inputs, and ``target`` (classes,): see ``trainer.targets``.
        schedule: epochs, batch, learning rate and so on.
        out: where checkpoints to resume from are kept; a folder of this run alone, emptied unless it resumes.
        seed: of shuffling and dropout; the network's initial weights are the caller's.
        collate: joins examples into a batch; by default values are stacked.
        by_length: put examples of like length (``input_ids``) into one batch: less padding.
        resume: go on from the last checkpoint in ``out``, if there is one.
        quiet: no progress bar.
    """
    arguments = TrainingArguments(
        output_dir=str(out),
        num_train_epochs=schedule.epochs,
        per_device_train_batch_size=schedule.batch,
        learning_rate=schedule.rate,
        warmup_ratio=schedule.warmup,
        weight_decay=schedule.decay,
        lr_scheduler_type="linear",
        group_by_length=by_length,
        save_strategy="epoch" if schedule.save_epochs else "no",
        save_total_limit=1,
        logging_strategy="no" if quiet else "epoch",
        report_to=[],
        seed=seed,
        data_seed=seed,
        disable_tqdm=quiet,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    trainer = _Trainer(model=network, args=arguments, train_dataset=_Rows(examples), data_collator=collate or stack)
    if quiet:
        trainer.remove_callback(PrinterCallback)
    if not resume:
        shutil.rmtree(out, ignore_errors=True)  # an earlier run's: a later --resume must not go on from it
    last = get_last_checkpoint(str(out)) if resume and out.is_dir() else None
    trainer.train(resume_from_checkpoint=last)
    network.eval()


def stack(examples: list[Example]) -> dict[str, Tensor]:
    """Join examples whose values have one shape into a batch."""
    return {key: torch.stack([torch.as_tensor(e[key]) for e in examples]) for key in examples[0]}


class _Rows(torch.utils.data.Dataset[Example]):
    def __init__(self, rows: Sequence[Example]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Example:
        return dict(self.rows[index])
