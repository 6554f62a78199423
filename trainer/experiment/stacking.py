"""Fusion over the logits of speech and text that have corpora of their own (stacked generalisation, Wolpert 1992)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainer import calibration, training_loop
from trainer.config import Fusion
from trainer.corpora.dataset import Dataset
from trainer.corpora.protocols import session_fold
from trainer.errors import ConfigError
from trainer.experiment import report
from trainer.experiment.cross_validation import Outcome
from trainer.experiment.fold import variant_name
from trainer.fusion.modality import BOTH, CASES, SPEECH_ONLY, TEXT_ONLY, fusion_modality, inputs
from trainer.fusion.network import FusionEmotion
from trainer.fusion.pairs import LabelledRows, agreeing_rows, training_pairs
from trainer.modality import AUGMENTED, COMPARED, Float, Int, Truth, predict, train
from trainer.text.encoding import LENGTH, Texts
from trainer.text.network import TextEmotion

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class BranchLogits:
    """The logits of one branch for utterances that it did not learn from.

    Attributes:
        copies: logits of each utterance and of its augmented copies (n, 1 + copies, classes).
        labels: index of each utterance's label (n,).
        folds: the fold of each utterance (n,): fusion that answers to it did not learn from its fold.
        corpora: the corpus of each utterance (n,).
        transcripts: the words of each utterance (n,), or None.
    """

    copies: Float
    labels: Int
    folds: Int
    corpora: Sequence[str]
    transcripts: Sequence[str | None]

    @property
    def rows(self) -> LabelledRows:
        """The utterances as they are."""
        return LabelledRows(self.copies[:, 0], self.labels)

    def where(self, mask: Mask) -> BranchLogits:
        """Return the utterances where ``mask`` (n,) is true."""
        rows = np.flatnonzero(mask).tolist()
        return BranchLogits(
            self.copies[rows],
            self.labels[rows],
            self.folds[rows],
            [self.corpora[row] for row in rows],
            [self.transcripts[row] for row in rows],
        )


def of_speech(dataset: Dataset, outcome: Outcome, temperatures: tuple[float, float] = (1.0, 1.0)) -> BranchLogits:
    """Return the logits of every recording, by the networks that had not learned from its speaker.

    Args:
        dataset: the recordings.
        outcome: of their run.
        temperatures: that the network to keep divides its logits by, without a baseline and with one.
    """
    folds = [part.fold for part in outcome.folds]
    if len(folds) < 2:
        raise ConfigError("fusion learns from speech of several folds; give [speech.data] the protocol speaker")
    answers = [part.answers() for part in outcome.folds]
    logits: Float = np.concatenate([a["speech"] for a in answers])[:, None] / np.float32(temperatures[0])
    for variant, temperature in ((AUGMENTED, temperatures[0]), (COMPARED, temperatures[1])):
        if (name := variant_name("speech", variant)) in answers[0]:
            found: Float = np.concatenate([a[name] for a in answers]) / np.float32(temperature)
            logits = np.concatenate([logits, found], axis=1)
    numbers = np.concatenate([np.full(len(fold.test), i) for i, fold in enumerate(folds)])
    return _branch(dataset, np.concatenate([fold.test for fold in folds]), logits, numbers)


def of_text(dataset: Dataset, outcome: Outcome, folds: int) -> tuple[BranchLogits, BranchLogits]:
    """Return the logits of the validation and of the test utterances of official splits, dealt to ``folds``.

    Of several corpora, each left out in turn, they are the answers of the network that had not met the corpus.
    """
    parts = [(part.fold, part.answers()["text"][:, None]) for part in outcome.folds]
    # Without validation rows a corpus has no official split: all of it was tested, and fusion does not learn from it.
    parts = [(fold, logits) for fold, logits in parts if len(fold.validation)]
    if not parts:
        raise ConfigError(
            "fusion learns from validation text: give [text.data] the protocol corpus and corpora with official "
            "splits, or the protocol official and a validation_percent above 0"
        )

    def made(rows: Int, found: Float) -> BranchLogits:
        # A text without a dialogue is one of its own.
        sessions = [dataset.utterances[row].session or dataset.utterances[row].id for row in rows]
        return _branch(dataset, rows, found, np.array([session_fold(session, folds) for session in sessions]))

    return (
        made(
            np.concatenate([fold.validation for fold, _ in parts]),
            np.concatenate([logits[: len(fold.validation)] for fold, logits in parts]),
        ),
        made(
            np.concatenate([fold.test for fold, _ in parts]),
            np.concatenate([logits[len(fold.validation) :] for fold, logits in parts]),
        ),
    )


def _branch(dataset: Dataset, rows: Int, logits: Float, folds: Int) -> BranchLogits:
    utterances = [dataset.utterances[row] for row in rows]
    labels = np.array(dataset.label_ids)[rows]
    return BranchLogits(logits, labels, folds, [u.corpus for u in utterances], [u.transcript for u in utterances])


def own_sentences(speech: BranchLogits, network: TextEmotion, texts: Texts) -> Float:
    """Return the text logits of the sentence that each recording says (n, classes), NaN where none is known."""
    sentences = sorted({t for t in speech.transcripts if t})
    own = np.full((len(speech.labels), speech.copies.shape[2]), np.nan, np.float32)
    if sentences:
        logits, _ = predict(network, texts.encode(sentences), texts.collate, LENGTH)
        known = dict(zip(sentences, logits, strict=True))
        for row, transcript in enumerate(speech.transcripts):
            if transcript:
                own[row] = known[transcript]
    return own


def train_fusion(
    speech: BranchLogits, text: BranchLogits, own: Float, names: tuple[str, ...], settings: Fusion, seed: int
) -> FusionEmotion:
    """Return fusion trained on pairs; its inputs are logits until it adopts the branches' classifiers.

    Args:
        speech: recordings to pair.
        text: sentences to pair.
        own: see ``own_sentences``.
        names: the labels in order.
        settings: see ``trainer.config.Fusion``.
        seed: of pairs, initial weights and shuffling.
    """
    _refuse_missing(range(len(names)), text, names)
    count = speech.copies.shape[1]
    repeated = LabelledRows(speech.copies.reshape(-1, len(names)), speech.labels.repeat(count))
    pairs = training_pairs(repeated, text.rows, own.repeat(count, 0), settings.pairs, names=names, seed=seed)
    examples = [
        [{"speech_embedding": s, "text_embedding": t, "present": p}]
        for s, t, p in zip(pairs.speech, pairs.text, pairs.present, strict=True)
    ]
    layer = identity(len(names))
    truth = Truth(pairs.labels, names, ["pairs"] * len(examples))
    with tempfile.TemporaryDirectory() as scratch:  # seconds of work: nothing worth resuming
        network, _ = train(
            fusion_modality(examples, (layer, layer), names, settings),
            np.arange(len(examples)),
            truth,
            partial=Path(scratch),
            seed=seed,
            quiet=True,
        )
    assert isinstance(network, FusionEmotion)
    return network


def identity(size: int) -> nn.Linear:
    """Return a layer that changes nothing: the classifier of inputs that are logits already."""
    layer = nn.Linear(size, size)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(size))
        layer.bias.zero_()
    return layer


def measure(
    speech: BranchLogits,
    validation: BranchLogits,
    test: BranchLogits,
    own: Float,
    names: tuple[str, ...],
    settings: Fusion,
    seed: int,
) -> dict[str, Any]:
    """Return the metrics of fusion on speakers and dialogues that it did not learn from.

    Temperatures are fitted on validation text; test text only measures.

    Args:
        speech: recordings.
        validation: sentences that fusion learns from.
        test: sentences that nothing was trained or chosen on.
        own: see ``own_sentences``.
        names: the labels in order.
        settings: see ``trainer.config.Fusion``.
        seed: see ``train_fusion``.
    """
    with_text = ~np.isnan(own).any(1)
    logits: dict[str, list[Float]] = {}
    answered: dict[str, list[BranchLogits]] = {}
    for number in np.unique(speech.folds):
        known = speech.folds != number
        network = train_fusion(
            speech.where(known), validation.where(validation.folds != number), own[known], names, settings, seed
        )
        mine, sentences = speech.where(~known), test.where(test.folds == number)
        apart = validation.where(validation.folds == number)
        saying = speech.where(~known & with_text)
        cases: dict[str, tuple[BranchLogits, Float, Float, tuple[float, float]]] = {
            "fusion": (mine, mine.copies[:, 0], _partners(mine, test, names, seed), BOTH),
            "fusion_speech_only": (mine, mine.copies[:, 0], np.zeros_like(mine.copies[:, 0]), SPEECH_ONLY),
            "fusion_text_only": (sentences, np.zeros_like(sentences.copies[:, 0]), sentences.copies[:, 0], TEXT_ONLY),
            "fusion_own_sentence": (saying, saying.copies[:, 0], own[~known & with_text], BOTH),
            "validation": (mine, mine.copies[:, 0], _partners(mine, apart, names, seed), BOTH),
            "validation_text_only": (apart, np.zeros_like(apart.copies[:, 0]), apart.copies[:, 0], TEXT_ONLY),
        }
        for name, (rows, first, second, present) in cases.items():
            found = predict(network, inputs(first, second, present), training_loop.stack)[0] if len(first) else first
            logits.setdefault(name, []).append(found)
            answered.setdefault(name, []).append(rows)
    joined = {name: np.concatenate(found).astype(np.float64) for name, found in logits.items()}
    labels = {name: np.concatenate([part.labels for part in found]) for name, found in answered.items()}
    folds = {
        name: np.repeat(np.arange(len(found)), [len(part.labels) for part in found]) for name, found in answered.items()
    }

    def fitted_on(cases: Sequence[str], measured: str) -> dict[str, float]:
        truth, logits = (np.concatenate([values[case] for case in cases]) for values in (labels, joined))
        return calibration.held_out(truth, logits, labels[measured], joined[measured])

    alone = "fusion_speech_only"
    calibrated = {
        "fusion": fitted_on(["validation", "fusion_own_sentence"], "fusion"),
        alone: calibration.cross_fitted(labels[alone], joined[alone], folds[alone]),
        "fusion_text_only": fitted_on(["validation_text_only"], "fusion_text_only"),
    }
    result = {}
    for name in (*CASES, "fusion_own_sentence"):
        if len(labels[name]):
            corpora = [corpus for part in answered[name] for corpus in part.corpora]
            fitted = [calibrated[name]] if name in calibrated else []
            truth = Truth(labels[name], names, corpora)
            result[name] = report.branch_metrics(truth, [joined[name]], folds[name], fitted)
    return result


def _partners(speech: BranchLogits, text: BranchLogits, names: Sequence[str], seed: int) -> Float:
    """Return the logits of a sentence for each recording, of the recording's label."""
    _refuse_missing(speech.labels.tolist(), text, names)
    found: Float = text.copies[agreeing_rows(speech.rows, text.rows, seed=seed), 0]
    return found


def _refuse_missing(labels: Iterable[int], text: BranchLogits, names: Sequence[str]) -> None:
    """Refuse text that lacks one of ``labels``: no pair of that label can be made."""
    if missing := set(labels) - set(text.labels.tolist()):
        rare = ", ".join(names[label] for label in sorted(missing))
        raise ConfigError(f"no text labelled {rare} in one of the parts; raise validation_percent, or leave {rare} out")
