"""Fusion over the logits of speech and text that have corpora of their own (stacked generalisation, Wolpert 1992)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
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
from trainer.experiment.cross_validation import Outcome, soft_labels
from trainer.experiment.fold import UNLABELLED, variant_name
from trainer.fusion.modality import (
    BOTH,
    CASES,
    SPEECH_ONLY,
    TEXT_ONLY,
    fusion_modality,
    inputs,
    takes_evidence,
)
from trainer.fusion.modality import cases as fusion_cases
from trainer.fusion.network import Experts
from trainer.fusion.pairs import CERTAIN, LabelledRows, Words, agreeing_rows, spoken_evidence, training_pairs
from trainer.modality import AUGMENTED, COMPARED, Float, Int, Truth, predict, soft_label, train
from trainer.text.encoding import LENGTH, Texts
from trainer.text.network import TextEmotion
from trainer.text.transcripts import Recognised

Mask = NDArray[np.bool_]
SPEECH_CASE, TEXT_CASE, COMPARED_CASE = "fusion_speech_only", "fusion_text_only", "fusion_compared"


@dataclass(frozen=True)
class BranchLogits:
    """The logits of one branch for utterances that it did not learn from.

    Attributes:
        copies: logits of each utterance and of its augmented copies (n, 1 + copies, classes).
        labels: index of each utterance's label (n,); beyond the classes as ``trainer.modality.Truth`` has them.
        folds: the fold of each utterance (n,): fusion that answers to it did not learn from its fold.
        corpora: the corpus of each utterance (n,).
        rows_of: the row of each utterance in its dataset (n,).
        compared: logits of each utterance beside a baseline of its speaker (n, classes), or alone where there is no
            other recording of the speaker; None where no utterance was compared. They are among the copies too.
    """

    copies: Float
    labels: Int
    folds: Int
    corpora: Sequence[str]
    rows_of: Int
    compared: Float | None = None

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
            self.rows_of[rows],
            None if self.compared is None else self.compared[rows],
        )


def of_speech(dataset: Dataset, outcome: Outcome, temperatures: tuple[float, float] = (1.0, 1.0)) -> BranchLogits:
    """Return the logits of every recording, by the networks that had not learned from its speaker.

    Recordings without a class are among them where a network had not learned from them. They have no copies: their
    only answer takes the copies' places.

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
    rows, numbers = [fold.test for fold in folds], [np.full(len(fold.test), i) for i, fold in enumerate(folds)]
    for number, (fold, answer) in enumerate(zip(folds, answers, strict=True)):
        if (name := variant_name("speech", UNLABELLED)) in answer:
            more = np.repeat(answer[name][:, None] / np.float32(temperatures[0]), logits.shape[1], axis=1)
            logits = np.concatenate([logits, more])
            rows.append(fold.unlabelled)
            numbers.append(np.full(len(fold.unlabelled), number))
    # The last copy is the one beside a baseline.
    compared = logits[:, -1] if variant_name("speech", COMPARED) in answers[0] else None
    return replace(_branch(dataset, np.concatenate(rows), logits, np.concatenate(numbers)), compared=compared)


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
    everything = dataset.everything
    labels = np.array([*dataset.label_ids, *soft_labels(dataset)])[rows]
    return BranchLogits(logits, labels, folds, [everything[row].corpus for row in rows], rows)


def words_of(said: Sequence[Recognised], network: TextEmotion, texts: Texts) -> Words:
    """Return the text logits of what is said in each recording, and its evidence."""
    sentences = sorted({one.text for one in said if one.text})
    logits = np.full((len(said), network.classifier.out_features), np.nan, np.float32)
    if sentences:
        found, _ = predict(network, texts.encode(sentences), texts.collate, LENGTH)
        known = dict(zip(sentences, found, strict=True))
        for row, one in enumerate(said):
            if one.text:
                logits[row] = known[one.text]
    return Words(logits, np.array([one.evidence for one in said], np.float32))


def train_fusion(
    speech: BranchLogits, text: BranchLogits, words: Words, names: tuple[str, ...], settings: Fusion, seed: int
) -> Experts:
    """Return fusion trained on pairs; its inputs are logits until it adopts the branches' classifiers.

    Args:
        speech: recordings to pair.
        text: sentences to pair.
        words: of the recordings.
        names: the labels in order.
        settings: see ``trainer.config.Fusion``.
        seed: of pairs, initial weights and shuffling.
    """
    _refuse_missing(range(len(names)), text, names)
    pairs = training_pairs(
        speech.copies,
        speech.labels,
        np.array(speech.corpora),
        words,
        text.rows,
        settings.pairs,
        names=names,
        seed=seed,
    )
    examples = [
        [{"speech_embedding": s, "text_embedding": t, "present": p}]
        for s, t, p in zip(pairs.speech, pairs.text, pairs.present, strict=True)
    ]
    if takes_evidence(settings):
        for (example,), told in zip(examples, pairs.evidence, strict=True):
            example["evidence"] = told
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
    assert isinstance(network, Experts)
    return network


def identity(size: int) -> nn.Linear:
    """Return a layer that changes nothing: the classifier of inputs that are logits already."""
    layer = nn.Linear(size, size)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(size))
        layer.bias.zero_()
    return layer


@dataclass(frozen=True)
class Material:
    """What fusion learns from and is measured on; no branch learned from any of it.

    Attributes:
        speech: recordings.
        validation: sentences that fusion learns from.
        test: sentences that nothing was trained or chosen on.
        words: of the recordings.
    """

    speech: BranchLogits
    validation: BranchLogits
    test: BranchLogits
    words: Words


@dataclass(frozen=True)
class Answers:
    """What fusion answers to recordings, sentences or pairs of a fold that it did not learn from.

    Attributes:
        rows: the recordings, or the sentences.
        logits: (n, classes).
    """

    rows: BranchLogits
    logits: Float


def answers(material: Material, names: tuple[str, ...], settings: Fusion, seed: int) -> dict[str, list[Answers]]:
    """Return the answers of fusion on speakers and dialogues that it did not learn from, by case and fold.

    The cases: "fusion" is a recording with a test sentence of its label, and "fusion_own_sentence" one with its own
    words; "fusion_compared" is the latter with the voice beside a baseline of its speaker, where voices were compared;
    "plain" is plain speech with its own words. A block that can do with one branch also has "fusion_speech_only" and
    "fusion_text_only".

    Args:
        material: see ``Material``.
        names: the labels in order.
        settings: see ``trainer.config.Fusion``.
        seed: see ``train_fusion``.
    """
    speech, validation, test, words = material.speech, material.validation, material.test, material.words
    labelled = speech.labels < len(names)
    plain = speech.labels == soft_label(len(names), "unlabelled")
    result: dict[str, list[Answers]] = {}
    for number in np.unique(speech.folds[labelled]):
        known = speech.folds != number
        network = train_fusion(
            speech.where(known), validation.where(validation.folds != number), words.where(known), names, settings, seed
        )
        clear = spoken_evidence(words.where(known), np.array(speech.corpora)[known], int((~known).sum()), seed)

        def ask(rows: BranchLogits, first: Float, second: Float, told: Float, present: tuple[float, float]) -> Answers:
            evidence = told if takes_evidence(settings) else None
            asked = inputs(first, second, present, evidence)
            return Answers(rows, predict(network, asked, training_loop.stack)[0] if asked else first)  # noqa: B023

        mine, sentences = speech.where(~known & labelled), test.where(test.folds == number)
        alone = mine.copies[:, 0]
        cases = {"fusion": ask(mine, alone, _partners(mine, test, names, seed), clear[: len(alone)], BOTH)}
        own_words = [("fusion_own_sentence", labelled, speech.copies[:, 0]), ("plain", plain, speech.copies[:, 0])]
        if speech.compared is not None:
            own_words.append((COMPARED_CASE, labelled, speech.compared))
        for name, saying, voice in own_words:
            chosen = ~known & words.there & saying
            own = words.where(chosen)
            cases[name] = ask(speech.where(chosen), voice[chosen], own.logits, own.evidence, BOTH)
        if SPEECH_CASE in fusion_cases(settings):
            nothing, certain = np.zeros_like(alone), np.tile(CERTAIN, (len(sentences.labels), 1))
            silent = np.zeros_like(sentences.copies[:, 0])
            cases[SPEECH_CASE] = ask(mine, alone, nothing, clear[: len(alone)], SPEECH_ONLY)
            cases[TEXT_CASE] = ask(sentences, silent, sentences.copies[:, 0], certain, TEXT_ONLY)
        for name, found in cases.items():
            result.setdefault(name, []).append(found)
    return result


def measure(material: Material, names: tuple[str, ...], settings: Fusion, seed: int) -> dict[str, Any]:
    """Return the metrics of fusion on speakers and dialogues that it did not learn from; arguments as of ``answers``.

    The temperature of both branches together is fitted on recordings with their own words, where there are some: in
    pairs that were made to agree an answer is right more often than in real talk.
    """
    found = answers(material, names, settings, seed)
    real = (
        found["fusion_own_sentence"]
        if any(len(one.logits) for one in found["fusion_own_sentence"])
        else found["fusion"]
    )
    result = {}
    for name in (*CASES, "fusion_own_sentence"):
        parts = found.get(name, [])
        if not sum(len(one.logits) for one in parts):
            continue
        labels, logits, folds, corpora = _joined(parts)
        fitted = _joined(real if name == "fusion" else parts)
        calibrated = [calibration.cross_fitted(*fitted[:3])] if name in CASES else []
        result[name] = report.branch_metrics(Truth(labels, names, corpora), [logits], folds, calibrated)
    return result


def _joined(parts: Sequence[Answers]) -> tuple[Int, Float, Int, list[str]]:
    """Return labels, logits, folds and corpora of all folds."""
    return (
        np.concatenate([one.rows.labels for one in parts]),
        np.concatenate([one.logits for one in parts]).astype(np.float64),
        np.repeat(np.arange(len(parts)), [len(one.logits) for one in parts]),
        [corpus for one in parts for corpus in one.rows.corpora],
    )


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
