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
from torch import Tensor, nn

from edge_runtime.system.writing import writing
from trainer import training_loop
from trainer.audio import load_audio
from trainer.config import Speech
from trainer.console import progress
from trainer.corpora.utterance import Utterance, checksum
from trainer.modality import AUGMENTED, COMPARED, Collate, Modality, group_weights
from trainer.speech import is09
from trainer.speech.baselines import Rows, Speakers
from trainer.speech.bilstm import AttentionBiLSTM, collate
from trainer.speech.features import PooledStates, pooled_states
from trainer.speech.network import SpeechEmotion
from trainer.training_loop import Example

WINDOWS = 384
"""Windows that are read of each recording: 11.8 s (section 5.3.2)."""
BASELINES = 2
"""Baselines that each copy of a recording is trained with; about a third of them are none."""
COMPARED_S = 60.0
"""Seconds of speech in the baseline that each recording is also tested with."""
FEATURES_AT_ONCE = 1024
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
            utterances,
            weights,
            encoder=settings.encoder,
            augmentations=settings.augmentations,
            seed=seed,
            cache=cache,
            quiet=quiet,
        )
        return states_modality(pooled, utterances, labels, settings, seed)
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


def states_modality(
    pooled: PooledStates, utterances: Sequence[Utterance], labels: Sequence[str], settings: Speech, seed: int
) -> Modality:
    """Return the modality of pooled encoder states.

    An example is a recording's number, that of its copy, and the numbers of the recordings that are its baseline.
    Their features are only known when a network has learned from the training rows what it reads.

    Args:
        pooled: of all ``utterances``, each with its augmented copies.
        utterances: those without a class come last.
        labels: the classes in order.
        settings: see ``trainer.config.Speech``.
        seed: of the baselines.
    """
    speakers = Speakers.of(utterances, pooled.speech_s[:, 0])
    copies = pooled.states.shape[1]
    nobody = np.zeros(0, np.intp)

    def example(row: int, copy: int, others: Rows) -> Example:
        return {"row": row, "copy": copy, "others": others}

    def fresh(rows: NDArray[np.intp], seed: int) -> nn.Module:
        torch.manual_seed(seed)
        network = SpeechEmotion(len(labels), width=pooled.states.shape[3] // 2)
        corpora = [(utterances[row].corpus, utterances[row].label) for row in rows]
        weights = torch.from_numpy(group_weights(corpora, 1.0)).repeat_interleave(copies)
        network.fit_features(torch.from_numpy(pooled.states[rows]).flatten(0, 1).float(), weights)
        return network

    def bind(network: nn.Module) -> Collate:
        assert isinstance(network, SpeechEmotion)
        features = _features(network, pooled)
        return functools.partial(_collate, features=features, speech_s=torch.from_numpy(pooled.speech_s))

    trained, compared = [], []
    for row in range(len(utterances)):
        random = np.random.default_rng([seed, row])
        trained.append(
            [
                example(row, copy, speakers.draw_for_training(row, random))
                for copy in range(copies)
                for _ in range(BASELINES)
            ]
        )
        compared.append([example(row, 0, speakers.draw(row, COMPARED_S, random))])
    variants = {COMPARED: compared} if any(u.speaker for u in utterances) else {}
    if copies > 1:
        variants[AUGMENTED] = [[example(row, n, nobody) for n in range(1, copies)] for row in range(len(utterances))]
    return Modality(
        examples=[example(row, 0, nobody) for row in range(len(utterances))],
        copies=trained,
        collate=training_loop.stack,
        bind=bind,
        variants=variants,
        fresh=fresh,
        **_training(settings),
    )


@torch.no_grad()
def _features(network: SpeechEmotion, pooled: PooledStates) -> Tensor:
    """Return the features of every recording and copy (n, copies, features)."""
    parts = torch.split(torch.from_numpy(pooled.states), FEATURES_AT_ONCE)
    found = [network.pooled_features(part.flatten(0, 1).float()).view(*part.shape[:2], -1) for part in parts]
    return torch.cat(found)


def _collate(examples: Sequence[Example], *, features: Tensor, speech_s: Tensor) -> dict[str, Tensor]:
    """Return the features of recordings (batch, features), and rows and seconds of their baselines, padded by 0."""
    copies = torch.tensor([e["copy"] for e in examples])
    lengths = torch.tensor([len(e["others"]) for e in examples])
    most = max(1, int(lengths.max()))
    others = torch.from_numpy(np.stack([np.pad(e["others"], (0, most - len(e["others"]))) for e in examples]))
    there = torch.arange(most) < lengths[:, None]
    rows = features[others, copies[:, None]] * there[:, :, None]
    seconds = speech_s[others, copies[:, None]] * there
    own = features[torch.tensor([e["row"] for e in examples]), copies]
    return {"features": own, "baseline": rows, "baseline_s": seconds}


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
