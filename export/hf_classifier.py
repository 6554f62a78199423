"""A text classifier that was fine-tuned elsewhere, as a Hugging Face folder, brought to a bundle's labels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerFast
from transformers import XLNetForSequenceClassification as XLNetClassifier

from export.graphs.xlnet import XLNetEncoder
from trainer.errors import CheckpointError, ExportError

LOADING = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)
"""What transformers raises for folders that lack a file, or hold another's weights."""
XLNET_LAST_SEGMENT = 2
"""XLNet's tokenizer puts its <cls> at the end, into a segment of its own."""


@dataclass(frozen=True)
class Classifier:
    """A classifier of text, its tokenizer, labels in order, config as of a checkpoint, and weights' sha256."""

    network: nn.Module
    tokenizer: PreTrainedTokenizerFast
    labels: tuple[str, ...]
    config: dict[str, Any]
    digest: str


class FineTuned(nn.Module):
    """Token ids → logits of the bundle's labels, and what the last layer reads."""

    groups: list[Tensor]

    def __init__(self, model: nn.Module, groups: Sequence[Sequence[int]]) -> None:
        """Wrap ``model``, any transformers model for sequence classification.

        Args:
            model: the classifier.
            groups: for each label which of the model's classes it is; several are added up.

        Raises:
            ExportError: its last layer could not be told.
        """
        super().__init__()
        classes: int = model.config.num_labels  # type: ignore[assignment,union-attr]
        last = [m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == classes]
        if not last:
            raise ExportError(
                f"{type(model).__name__}: no linear layer with {classes} outputs, so no embedding to fuse"
            )
        self.encoder = model
        self.groups = [torch.tensor(list(group)) for group in groups]
        self._seen: Tensor | None = None
        last[-1].register_forward_pre_hook(self._see)
        self.states = XLNetEncoder(model.transformer) if isinstance(model, XLNetClassifier) else None

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (batch, labels) and the last layer's input (batch, width)."""
        if self.states is not None:
            first = torch.zeros_like(input_ids[:, :-1])
            types = torch.cat([first, torch.full_like(input_ids[:, -1:], XLNET_LAST_SEGMENT)], dim=1)
            states = self.states(input_ids, attention_mask, types)["last_hidden_state"]
            logits = self.encoder.logits_proj(self.encoder.sequence_summary(states))  # type: ignore[operator]
        else:
            logits = self.encoder(input_ids=input_ids, attention_mask=attention_mask)["logits"]
        embedding = self._seen
        assert embedding is not None
        joined = [logits[:, group] if len(group) == 1 else logits[:, group].logsumexp(1, True) for group in self.groups]
        return torch.cat(joined, dim=1), embedding.reshape(embedding.shape[0], -1)

    def _see(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._seen = inputs[0]


def is_finetuned(folder: Path) -> bool:
    """Whether ``folder`` looks like what ``save_pretrained`` writes, rather than a checkpoint of the trainer."""
    return (folder / "config.json").is_file() and not (folder / "weights.safetensors").is_file()


def labels_of(folder: Path, renamed: Mapping[str, str]) -> tuple[str, ...]:
    """Return the labels that the classifier in ``folder`` has, renamed, in order."""
    config = AutoConfig.from_pretrained(str(folder))
    names = (renamed.get(name, name) for _, name in sorted(config.id2label.items()))
    return tuple(dict.fromkeys(name for name in names if name))


def load(folder: Path, labels: Sequence[str] | None, renamed: Mapping[str, str]) -> Classifier:
    """Load the fine-tuned classifier in ``folder``, with a fast tokenizer beside it.

    Args:
        folder: as transformers' ``save_pretrained`` writes it.
        labels: of the bundle, in order; None takes the classifier's own.
        renamed: the classifier's label → the bundle's; "" leaves a class out. Several to one are added up.

    Raises:
        CheckpointError: it is no classifier of text, or has no tokenizer.
        ExportError: its labels are not the bundle's.
    """
    try:
        model = AutoModelForSequenceClassification.from_pretrained(str(folder), attn_implementation="eager")
    except LOADING as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{folder}: transformers cannot load a text classifier from it: {reason}") from error
    config = model.config
    if not any("Classification" in name for name in config.architectures or ()):
        raise CheckpointError(
            f"{folder}: holds {', '.join(config.architectures or ['no named architecture'])}, whose classifier would "
            "be random; fine-tune it first (`trainer fit` does), and give the folder of the result"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), use_fast=True)
    except (*LOADING, ImportError) as error:
        raise CheckpointError(f"{folder}: no tokenizer beside the weights: {error}") from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise CheckpointError(f"{folder}: has a slow tokenizer alone; save it as tokenizer.json (use_fast=True)")
    own = [renamed.get(name, name) for _, name in sorted(config.id2label.items())]
    wanted = tuple(labels) if labels is not None else labels_of(folder, renamed)
    surplus = sorted({name for name in own if name and name not in wanted})
    missing = [name for name in wanted if name not in own]
    if surplus or missing:
        raise ExportError(
            f"{folder}: its labels are {', '.join(config.id2label.values())}; "
            + (f"{', '.join(surplus)} are not the bundle's; " if surplus else "")
            + (f"{', '.join(missing)} are missing; " if missing else "")
            + "rename with --map theirs=ours, leave one out with --map theirs="
        )
    groups = [[i for i, name in enumerate(own) if name == label] for label in wanted]
    origin = {"name": folder.name, "licence": "unknown", "credit": folder.name, "origin": "folder"}
    about = {
        "kind": "text",
        "encoder": folder.name,
        "architecture": config.architectures[0],
        "labels": list(wanted),
        "renamed": dict(renamed),
        "corpora": {},
        "pretrained": {folder.name: origin},
        "metrics": {},
    }
    network = FineTuned(model.eval(), groups).eval()
    return Classifier(network, tokenizer, wanted, about, _digest(model))


def _digest(model: nn.Module) -> str:
    """Return a sha256 over the weights, whatever files they were stored in."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()
