"""The bundle's speech branch, trained anew without a part of its corpora: its recordings, features and networks."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import WhisperForConditionalGeneration

from edge_runtime.inference.session import Session
from trainer import augment, config
from trainer import modality as modality_
from trainer.audio import load_audio
from trainer.config import Speech
from trainer.corpora import dataset
from trainer.corpora.dataset import Dataset
from trainer.corpora.protocols import Fold, plan
from trainer.corpora.registry import LoadOptions
from trainer.experiment.cross_validation import truth_of, with_unlabelled
from trainer.modality import Float, Modality, Truth
from trainer.pretrained import whisper
from trainer.speech.baselines import Rows, Speakers
from trainer.speech.features import PooledStates, pool_recording, pooled_states
from trainer.speech.modality import states_modality
from trainer.speech.network import SpeechEmotion

MANY_SPEAKERS = 6
"""Parts that the speakers of each corpus are dealt to."""
MOST_ROWS = 64
"""Recordings of a baseline, as in the runtime."""


@dataclass(frozen=True)
class Voices:
    """Everything that networks are trained and tested on.

    Attributes:
        dataset: the recordings of the bundle's configuration, those without a class last.
        settings: of the speech branch.
        pooled: what the front end makes of each recording.
        modality: how networks read them.
        truth: their labels.
        speakers: whose recordings they are.
    """

    dataset: Dataset
    settings: Speech
    pooled: PooledStates
    modality: Modality
    truth: Truth
    speakers: Speakers

    def rows_of(self, corpus: str) -> Rows:
        """Return the rows of a corpus."""
        return np.flatnonzero(np.array(self.truth.corpora) == corpus)

    def train(self, rows: Rows, seed: int) -> SpeechEmotion:
        """Return a network that learned from ``rows``."""
        with tempfile.TemporaryDirectory() as scratch:
            network, _ = modality_.train(self.modality, rows, self.truth, partial=Path(scratch), seed=seed, quiet=True)
        assert isinstance(network, SpeechEmotion)
        return network

    def left_out(self, corpora: Sequence[str]) -> Rows:
        """Return the rows of all other corpora."""
        return np.flatnonzero(~np.isin(np.array(self.truth.corpora), corpora))

    def speaker_folds(self) -> list[Fold]:
        """Return the folds that test speakers of every corpus who were not trained on; nobody's are always trained on.

        A recording that names no speaker may be of any of them, so that those of its corpus say nothing here.
        """
        utterances = self.dataset.utterances
        named = np.array([bool(u.speaker) for u in utterances])
        folds = plan([u for u in utterances if u.speaker], "speaker", folds=MANY_SPEAKERS)
        rows, nobody = np.flatnonzero(named), np.flatnonzero(~named)
        whole = [replace(f, train=np.concatenate([rows[f.train], nobody]), test=rows[f.test]) for f in folds]
        return with_unlabelled(whole, self.dataset, "speaker")


def load(data: Path, weights: Path, cache: Path) -> Voices:
    """Return the recordings of the bundle's configuration below ``data``, and their features."""
    bundle = config.read(config.BUNDLE)
    corpora, experiment = bundle.corpora["speech"], bundle.alone("speech")
    assert experiment.speech is not None
    read = functools.partial(
        dataset.load,
        reading=LoadOptions(),
        speech=True,
        text=False,
        skip_bad=True,
        quiet=True,
        protocol=corpora.protocol,
        unlabelled=True,
    )
    found = dataset.join([read(data / name) for name in (*corpora.corpora, *corpora.plain)])
    pooled = pooled_states(
        found.everything, weights, augmentations=experiment.speech.augmentations, seed=experiment.seed, cache=cache
    )
    modality = states_modality(pooled, found.everything, found.labels, experiment.speech, experiment.seed)
    speakers = Speakers.of(found.everything, pooled.speech_s[:, 0])
    return Voices(found, experiment.speech, pooled, modality, truth_of(found, experiment), speakers)


@torch.no_grad()
def short_logits(
    voices: Voices, network: SpeechEmotion, rows: Rows, pieces: NDArray[np.float16], seconds: float, seed: int
) -> tuple[Float, NDArray[np.float32]]:
    """Return logits of recordings that are compared with a piece of one other of the speaker, and its seconds (n,)."""
    random = np.random.default_rng(seed)
    others = [voices.speakers.draw(int(row), 0.0, random) for row in rows]
    short = network.pooled_features(torch.from_numpy(pieces).float())
    collate = voices.modality.collate_for(network)
    nobody = np.zeros(0, np.intp)
    inputs = collate([{"row": int(row), "copy": 0, "others": nobody} for row in rows])
    spoken = [min(seconds, float(voices.pooled.speech_s[o[0], 0])) if len(o) else 0.0 for o in others]
    had = np.array(spoken, np.float32)
    baseline = torch.stack([short[o[0]] if len(o) else torch.zeros(network.features) for o in others])[:, None]
    found: Float = network(inputs["features"], baseline, torch.from_numpy(had)[:, None])[0].numpy()
    return found, had


def pieces(voices: Voices, weights: Path, seconds: float, seed: int) -> NDArray[np.float16]:
    """Return the pooled states of a loud piece of so many ``seconds`` of each recording (n, layers, 2 x width)."""
    model = WhisperForConditionalGeneration.from_pretrained(weights / "whisper-tiny.en")
    encoder, vad = whisper.SpeechEncoder(model).eval(), Session(weights / "silero-vad" / "vad.onnx")
    found = []
    for row, u in enumerate(voices.dataset.everything):
        assert u.audio is not None
        cut = augment.piece(load_audio(u.audio), np.random.default_rng([seed, row]), seconds)
        found.append(pool_recording(cut, encoder, vad)[0].astype(np.float16))
    return np.stack(found)


Baseline = Callable[[int, np.random.Generator], Rows]
"""For a recording: the rows of the recordings that it is compared with."""


@torch.no_grad()
def logits(
    voices: Voices, network: SpeechEmotion, rows: Rows, baseline: Baseline | None, seed: int, *, longest_s: float = 0.0
) -> tuple[Float, NDArray[np.float32]]:
    """Return logits (n, classes) of recordings, and the seconds of the baseline that each is compared with (n,).

    Args:
        voices: see ``Voices``.
        network: that did not learn from ``rows``.
        rows: recordings.
        baseline: with what each is compared; None for nothing.
        seed: of the drawn baselines.
        longest_s: longer baselines count as so long; 0 for as long as they are.
    """
    random = np.random.default_rng(seed)
    nobody = np.zeros(0, np.intp)
    others = [nobody if baseline is None else baseline(int(row), random) for row in rows]
    collate = voices.modality.collate_for(network)
    found, seconds = [], []
    for begin in range(0, len(rows), 64):
        batch = [
            {"row": int(row), "copy": 0, "others": its}
            for row, its in zip(rows[begin : begin + 64], others[begin : begin + 64], strict=True)
        ]
        inputs = collate(batch)
        total = inputs["baseline_s"].sum(1, keepdim=True)
        if longest_s:
            inputs["baseline_s"] = inputs["baseline_s"] * (longest_s / total.clamp_min(1e-6)).clamp_max(1.0)
        seconds.append(inputs["baseline_s"].sum(1).numpy())
        found.append(network(**inputs)[0].numpy())
    return np.concatenate(found), np.concatenate(seconds)
