"""Distillation: a small text network also learns what a larger one answers (Hinton et al. 2015).

The teacher reads each text as it is written. The small network answers to all of its forms, those with recognition
errors and those without marks too: so it learns what the words alone let one guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from scipy.special import softmax

from trainer.errors import ConfigError
from trainer.modality import Modality, predict
from trainer.text import checkpoint
from trainer.text.encoding import LENGTH
from trainer.text.tweets import normalize_tweet


def taught(modality: Modality, sentences: Sequence[str], labels: Sequence[str], folder: Path, share: float) -> Modality:
    """Return ``modality`` whose targets are in part what a teacher answers.

    Args:
        modality: of text.
        sentences: the transcript of each utterance, as it is written.
        labels: the labels in order.
        folder: checkpoint of the teacher.
        share: of the teacher in each target.

    Raises:
        CheckpointError: there is none, or it is of another kind.
        ConfigError: the teacher answers with other labels.
    """
    network, texts, config = checkpoint.restore(folder)
    if list(config["labels"]) != list(labels):
        raise ConfigError(
            f"text.teacher = {folder}: its labels are {', '.join(config['labels'])}, not {', '.join(labels)}"
        )
    if config["settings"].get("normalize_tweets"):
        sentences = [normalize_tweet(sentence) for sentence in sentences]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=modality.schedule.precision == "bf16"):
        logits, _ = predict(network, texts.encode(sentences), texts.collate, LENGTH)
    return replace(modality, taught=softmax(logits, axis=1), taught_share=share)
