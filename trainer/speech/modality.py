"""Both ways of recognising speech emotion as a modality: see ``trainer.modality``."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edge_runtime.system.writing import writing
from trainer import training_loop
from trainer.audio import load_audio
from trainer.config import Speech
from trainer.console import progress
from trainer.corpora.utterance import Utterance, checksum
from trainer.modality import Modality
from trainer.speech import is09
from trainer.speech.bilstm import AttentionBiLSTM, collate
from trainer.speech.features import pooled_states
from trainer.speech.network import SpeechEmotion

WINDOWS = 384
"""Windows that are read of each recording: 11.8 s (section 5.3.2)."""
Float = NDArray[np.float32]


def speech_modality(
    utterances: Sequence[Utterance],
    labels: Sequence[str],
    settings: Speech,
    *,
    weights: Path,
    cache: Path,
    seed: int,
    quiet: bool = False,
) -> Modality:
    """Return the modality that ``settings`` describe, its features computed or read from ``cache``.

    Args:
        utterances: all with audio.
        labels: their labels in order.
        settings: see ``trainer.config.Speech``.
        weights: folder of pretrained weights, for "encoder-states".
        cache: where features are kept.
        seed: of the augmentations.
        quiet: no progress bar.
    """
    if settings.features == "encoder-states":
        pooled = pooled_states(
            utterances, weights, augmentations=settings.augmentations, seed=seed, cache=cache, quiet=quiet
        )
        return states_modality(pooled, labels, settings)
    windows = is09_windows(utterances, cache, quiet=quiet)

    def fresh(rows: NDArray[np.intp], seed: int) -> nn.Module:
        torch.manual_seed(seed)
        network = AttentionBiLSTM(
            len(labels), attention=settings.attention_size, dropout=settings.dropout, masked=settings.masked
        )
        network.standardise([torch.from_numpy(windows[row]) for row in rows])
        return network

    examples = [{"windows": w} for w in windows]
    return Modality(
        examples=examples,
        copies=[[e] for e in examples],
        collate=collate if settings.masked else functools.partial(collate, length=WINDOWS),
        fresh=fresh,
        length="windows",
        **_training(settings),
    )


def states_modality(pooled: Float, labels: Sequence[str], settings: Speech) -> Modality:
    """Return the modality of pooled encoder states (n, 1 + augmentations, layers, 2 x width)."""

    def fresh(rows: NDArray[np.intp], seed: int) -> nn.Module:
        torch.manual_seed(seed)
        network = SpeechEmotion(len(labels), width=pooled.shape[3] // 2)
        network.standardise(torch.from_numpy(pooled[rows]).flatten(0, 1))
        return network

    copies = [[{"pooled": copy} for copy in states] for states in pooled]
    return Modality(
        examples=[c[0] for c in copies],
        copies=copies,
        collate=training_loop.stack,
        fresh=fresh,
        **_training(settings),
    )


def _training(settings: Speech) -> dict[str, Any]:
    return {
        "name": "speech",
        "schedule": training_loop.Schedule.of(settings),
        "class_weight_power": settings.class_weight_power,
        "label_smoothing": settings.label_smoothing,
    }


def is09_windows(utterances: Sequence[Utterance], cache: Path, *, quiet: bool = False) -> list[Float]:
    """Return the IS09 functionals of each utterance, (windows, 384), at most ``WINDOWS``; computed once and kept."""
    code = inspect.getsource(is09)
    order = [u.id for u in utterances]  # which the checksum leaves out
    key = hashlib.sha256(f"{checksum(utterances)} {order} {WINDOWS} {code}".encode()).hexdigest()[:16]
    path = cache / f"is09-{key}.npz"
    if not path.is_file():
        front_end = is09.IS09(max_windows=WINDOWS).eval()
        rows = []
        with torch.no_grad():
            for utterance in progress(utterances, "IS09 features", quiet=quiet):
                assert utterance.audio is not None
                rows.append(front_end(torch.from_numpy(load_audio(utterance.audio))[None])[0].numpy())
        cache.mkdir(parents=True, exist_ok=True)
        with writing(path) as file:
            np.savez(file, windows=np.concatenate(rows), counts=[len(row) for row in rows])
    stored = np.load(path)
    return np.split(stored["windows"].astype(np.float32), np.cumsum(stored["counts"])[:-1])
