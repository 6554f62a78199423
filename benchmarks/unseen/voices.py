"""The bundle's speech branch, trained anew without a part of its corpora: its recordings, features and networks."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from trainer import augment, config
from trainer import modality as modality_
from trainer.audio import load_audio
from trainer.corpora import dataset
from trainer.corpora.dataset import Dataset
from trainer.corpora.protocols import Fold, plan
from trainer.corpora.registry import LoadOptions
from trainer.experiment import branch_data
from trainer.experiment.cross_validation import truth_of, with_unlabelled
from trainer.modality import COMPARED, Float, Modality, Truth
from trainer.speech.baselines import Rows, Speakers
from trainer.speech.features import PooledStates, open_front_end, pooled_states
from trainer.speech.modality import states_modality
from trainer.speech.network import SpeechEmotion

MANY_SPEAKERS = 6
"""Parts that the speakers of each corpus are dealt to."""
PIECES_OF_EACH = 4
"""Recordings of each speaker of which a piece is a baseline of one second."""
AT_ONCE = 64


@dataclass(frozen=True)
class Voices:
    """Everything that networks are trained and tested on.

    Attributes:
        dataset: the recordings of the bundle's configuration, those without a class last.
        pooled: what the front end makes of each recording.
        modality: how networks read them.
        truth: their labels.
        speakers: whose recordings they are.
    """

    dataset: Dataset
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

    def compared_s(self) -> Float:
        """Return the seconds of speech in the baseline that a run tests each recording with (n,)."""
        others = [variant["others"] for (variant,) in self.modality.variants[COMPARED]]
        return np.array([self.pooled.speech_s[rows, 0].sum() for rows in others], np.float32)

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
    read = functools.partial(dataset.load, reading=LoadOptions(), skip_bad=True, quiet=True)
    found = branch_data.load(data, "speech", corpora, unlabelled=True, load=read)
    pooled = pooled_states(
        found.everything, weights, augmentations=experiment.speech.augmentations, seed=experiment.seed, cache=cache
    )
    modality = states_modality(pooled, found.everything, found.labels, experiment.speech, experiment.seed)
    speakers = Speakers.of(found.everything, pooled.speech_s[:, 0])
    return Voices(found, pooled, modality, truth_of(found, experiment), speakers)


def pieces(voices: Voices, weights: Path, seconds: float, seed: int) -> Mapping[int, Float]:
    """Return the pooled states (layers, 2 x width) of a loud piece of a few recordings of each speaker, by row.

    Args:
        voices: see ``Voices``.
        weights: folder that `trainer fetch` wrote.
        seconds: the length of a piece.
        seed: of the choice of recordings and pieces.
    """
    read, everything = open_front_end(weights), voices.dataset.everything
    random, found = np.random.default_rng(seed), {}
    for rows in voices.speakers.own.values():
        for row in random.permutation(rows)[:PIECES_OF_EACH]:
            audio = everything[row].audio
            assert audio is not None
            found[int(row)] = read(augment.piece(load_audio(audio), random, seconds))[0]
    return found


Baseline = Callable[[int, np.random.Generator], Rows]
"""For a recording: the rows of the recordings that it is compared with."""


class Reader:
    """A network, and the features that it reads of every recording."""

    def __init__(self, voices: Voices, network: SpeechEmotion) -> None:
        """Compute the features once."""
        self._speakers, self._network = voices.speakers, network
        self._collate = voices.modality.collate_for(network)

    @torch.no_grad()
    def logits(
        self, rows: Rows, baseline: Baseline | None, seed: int, *, longest_s: float = 0.0
    ) -> tuple[Float, Float]:
        """Return logits (n, classes) of recordings, and the seconds of the baseline that each is compared with (n,).

        Args:
            rows: recordings that the network did not learn from.
            baseline: with what each is compared; None for nothing.
            seed: of the drawn baselines.
            longest_s: longer baselines count as so long; 0 for as long as they are.
        """
        random = np.random.default_rng(seed)
        nobody = np.zeros(0, np.intp)
        others = [nobody if baseline is None else baseline(int(row), random) for row in rows]
        found, seconds = [], []
        for begin in range(0, len(rows), AT_ONCE):
            batch = zip(rows[begin : begin + AT_ONCE], others[begin : begin + AT_ONCE], strict=True)
            inputs = self._collate([{"row": int(row), "copy": 0, "others": its} for row, its in batch])
            if longest_s:
                total = inputs["baseline_s"].sum(1, keepdim=True).clamp_min(1e-6)
                inputs["baseline_s"] = inputs["baseline_s"] * (longest_s / total).clamp_max(1.0)
            seconds.append(inputs["baseline_s"].sum(1).numpy())
            found.append(self._network(**inputs)[0].numpy())
        return np.concatenate(found), np.concatenate(seconds)

    @torch.no_grad()
    def with_pieces(self, rows: Rows, pieces: Mapping[int, Float], seconds: float, seed: int) -> tuple[Float, Float]:
        """Return the same of recordings that are compared with a piece of one other of their speaker."""
        random = np.random.default_rng(seed)
        features = self._network.pooled_features(torch.from_numpy(np.stack(list(pieces.values()))))
        short = dict(zip(pieces, features, strict=True))
        baseline, had = torch.zeros(len(rows), 1, self._network.features), torch.zeros(len(rows), 1)
        for i, row in enumerate(rows):
            others = [other for other in self._speakers.others(int(row)).tolist() if other in short]
            if others:
                baseline[i, 0] = short[others[int(random.integers(len(others)))]]
                had[i, 0] = seconds
        nobody = np.zeros(0, np.intp)
        own = self._collate([{"row": int(row), "copy": 0, "others": nobody} for row in rows])["features"]
        return self._network(own, baseline, had)[0].numpy(), had[:, 0].numpy()
