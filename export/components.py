"""The trained components of a bundle: checkpoints of speech, of text, or of both and their fusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn
from transformers import PreTrainedTokenizerFast

from export import hf_classifier
from export.hf_classifier import Classifier
from trainer import checkpoints
from trainer.errors import CheckpointError, ExportError
from trainer.fusion import checkpoint as fusion_checkpoint
from trainer.speech import checkpoint as speech_checkpoint
from trainer.speech.bilstm import AttentionBiLSTM
from trainer.speech.network import SpeechEmotion
from trainer.text import checkpoint as text_checkpoint

COMPONENTS = ("speech", "text", "fusion")


@dataclass(frozen=True)
class TrainedComponents:
    """Trained networks that belong together, and each checkpoint's config; None where there is no such component.

    Attributes:
        labels: the emotions in order, which all share.
        speech: reads the speech encoder's states, or (the paper's) the waveform.
        text: a ``TextEmotion``, or a classifier that was fine-tuned elsewhere.
        tokenizer: of the text.
        fusion: None without one of the branches, or where they were never trained together.
        configs: by component.
        digests: sha256 of each component's weights.
    """

    labels: tuple[str, ...]
    speech: SpeechEmotion | AttentionBiLSTM | None = None
    text: nn.Module | None = None
    tokenizer: PreTrainedTokenizerFast | None = None
    fusion: nn.Module | None = None
    configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)


def load(folder: Path, renamed: Mapping[str, str] | None = None) -> TrainedComponents:
    """Return the checkpoints ``speech``, ``text`` and ``fusion`` in ``folder``, as many as there are.

    The folder may also be a text classifier that was fine-tuned elsewhere, whose labels are ``renamed``.

    Raises:
        CheckpointError: there is none, or one is damaged.
        ExportError: they do not belong together.
    """
    if hf_classifier.is_finetuned(folder):
        found = hf_classifier.load(folder, None, renamed or {})
        return TrainedComponents(
            found.labels,
            text=found.network,
            tokenizer=found.tokenizer,
            configs={"text": found.config},
            digests={"text": found.digest},
        )
    there = [part for part in COMPONENTS if (folder / part).is_dir()]
    if not there:
        nested = folder / "checkpoints"
        hint = f"did you mean {nested}?" if nested.is_dir() else "`trainer fit` makes one"
        raise CheckpointError(f"{folder}: no checkpoints here; {hint}")
    speech, speech_config = speech_checkpoint.restore(folder / "speech") if "speech" in there else (None, None)
    text, tokenizer, text_config = load_text(folder / "text") if "text" in there else (None, None, None)
    fusion, fusion_config = fusion_checkpoint.restore(folder / "fusion") if "fusion" in there else (None, None)
    configs_of = {"speech": speech_config, "text": text_config, "fusion": fusion_config}
    configs = {part: config for part, config in configs_of.items() if config is not None}
    digests = {part: checkpoints.digest(folder / part) for part in configs}
    first, labels = next((part, config["labels"]) for part, config in configs.items())
    for part, config in configs.items():
        if config["labels"] != labels:
            raise ExportError(f"{folder / part}: labels {config['labels']} differ from {first}'s {labels}")
    if fusion_config is not None:
        _belong(folder, fusion_config, digests)
    return TrainedComponents(tuple(labels), speech, text, tokenizer, fusion, configs, digests)


def labels_of(folder: Path, renamed: Mapping[str, str]) -> tuple[str, ...]:
    """Return the labels of the checkpoints in ``folder``, as far as they can be told without loading them."""
    if hf_classifier.is_finetuned(folder):
        return hf_classifier.labels_of(folder, renamed)
    for part in COMPONENTS:
        labels = checkpoints.peek(folder / part).get("labels")
        if isinstance(labels, list):
            return tuple(str(label) for label in labels)
    return ()


def load_any_text(folder: Path, labels: Sequence[str] | None, renamed: Mapping[str, str]) -> Classifier:
    """Return a classifier of text: a checkpoint of text emotion, or one that was fine-tuned elsewhere.

    Args:
        folder: of either kind.
        labels: that one fine-tuned elsewhere is brought to; None takes its own.
        renamed: its labels → the bundle's; "" leaves one out.
    """
    if hf_classifier.is_finetuned(folder):
        return hf_classifier.load(folder, labels, renamed)
    network, tokenizer, config = load_text(folder)
    return Classifier(network, tokenizer, tuple(config["labels"]), config, checkpoints.digest(folder))


def load_text(folder: Path) -> tuple[nn.Module, PreTrainedTokenizerFast, dict[str, Any]]:
    """Return the network in a checkpoint of text emotion, its tokenizer and its config."""
    network, texts, config = text_checkpoint.restore(folder)
    return network, texts.tokenizer, config


def _belong(folder: Path, fusion: dict[str, Any], digests: dict[str, str]) -> None:
    for part in ("speech", "text"):
        if part not in digests:
            raise CheckpointError(
                f"{folder}: has fusion but no {part} checkpoint, which it was trained on; `trainer fit --resume` "
                "of its run makes what is missing"
            )
        if fusion["branches"][part] != digests[part]:
            raise ExportError(
                f"{folder / 'fusion'}: was trained on another {part} checkpoint; take all three of one run; "
                "`trainer fit --resume` trains fusion on the branches of its run"
            )
