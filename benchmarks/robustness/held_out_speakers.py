"""The bundle's front end, its words branch, and networks of the trainer's folds that know none of a fold's speakers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from benchmarks.common.clips import Float
from benchmarks.unseen.voices import Voices
from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.contract import TYPES
from edge_runtime.classifier import MAX_TEXT_TOKENS
from edge_runtime.inference.evidence import NO_SOUND, Evidence
from edge_runtime.inference.segmenter import Utterance as Piece
from edge_runtime.inference.text_tokens import TextTokens
from edge_runtime.inference.vad import speech_mask
from trainer import calibration, config
from trainer import modality as modality_
from trainer.corpora.protocols import session_fold
from trainer.corpora.utterance import Utterance, label_ids
from trainer.experiment.stacking import BranchLogits, train_fusion
from trainer.fusion.gated import GatedFusion
from trainer.fusion.network import Experts
from trainer.fusion.pairs import Words
from trainer.modality import AUGMENTED, COMPARED
from trainer.speech.baselines import Rows
from trainer.speech.network import SpeechEmotion, pool
from trainer.text.transcripts import Recognised
from trainer.training_loop import Example

NO_FOLD = -1
"""The fold of a recording that names no speaker: every network may have learned from it."""


@dataclass(frozen=True)
class Heard:
    """What the front end makes of one waveform.

    Attributes:
        pooled: mean and deviation of the encoder's states (layers, 2 x width); None where nobody speaks.
        transcript: the words, or "".
        evidence: how far the words can be relied on: the numbers of ``edge_runtime.inference.evidence.NAMES``.
    """

    pooled: Float | None
    transcript: str
    evidence: tuple[float, ...] = astuple(NO_SOUND)


class FrontEnd:
    """The bundle's voice activity, speech encoder and transcript decoder: none was trained on the corpora here."""

    def __init__(self, bundle: Bundle) -> None:
        """Open the graphs."""
        self._vad = bundle.open("vad", device="cpu", threads=1)
        self._encode, self._decode = bundle.open_recogniser()

    def __call__(self, waveform: Float) -> Heard:
        """Hear (samples,) at 16 kHz as the runtime does."""
        spoken = speech_mask(self._vad, waveform)
        if not spoken.any():
            return Heard(None, "")
        hidden, cross = self._encode(waveform)
        said = self._decode.transcribe(cross, duration_s=len(waveform) / SAMPLE_RATE)
        told = Evidence.of(said, Piece(0.0, waveform, spoken))
        return Heard(_pooled(hidden, spoken), said.text, astuple(told))


def _pooled(hidden: Float, spoken: NDArray[np.bool_]) -> Float:
    weight = torch.from_numpy(spoken.astype(np.float32))[None]
    result: Float = pool(torch.from_numpy(hidden), weight)[0].numpy()
    return result


class TextBranch:
    """The bundle's text branch, which was trained on MELD's training part, less the validation dialogues."""

    def __init__(self, bundle: Bundle) -> None:
        """Open the graph, and take its classifier out of the fusion's."""
        self._session = bundle.open("text_emotion", device="cpu", threads=1)
        self._tokens = TextTokens(bundle.open_tokenizer(), max_tokens=MAX_TEXT_TOKENS)
        graph = onnx.load(str(bundle.slots["fusion"].path)).graph
        held = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
        weight, bias = (torch.from_numpy(held[f"network.text.{part}"].copy()) for part in ("weight", "bias"))
        self.classifier = nn.Linear(weight.shape[1], weight.shape[0])
        self.classifier.load_state_dict({"weight": weight, "bias": bias})

    def __call__(self, sentences: Sequence[str]) -> tuple[Float, Float]:
        """Return logits (n, labels) and embeddings (n, width)."""
        answers = []
        for sentence in sentences:
            ids, types = (np.array([part], np.int64) for part in self._tokens(sentence))
            inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), TYPES: types}
            answers.append(self._session(**{name: inputs[name] for name in self._session.inputs}))
        return np.concatenate([a["logits"] for a in answers]), np.concatenate([a["embedding"] for a in answers])


@dataclass(frozen=True)
class FoldNetworks:
    """Networks that did not learn from one fold's speakers."""

    speech: SpeechEmotion
    fusion: Experts

    @torch.no_grad()
    def fused(self, voice: Tensor, text: Tensor, present: Tensor, evidence: Sequence[float]) -> Tensor:
        """Return logits (1, labels) of two embeddings (1, width), of which those count that are ``present`` (1, 2)."""
        told = (torch.tensor([list(evidence)]) * present[:, 1:],) if isinstance(self.fusion, GatedFusion) else ()
        logits: Tensor = self.fusion(voice, text, present, *told)[0]
        return logits

    @torch.no_grad()
    def voice(self, pooled: Float) -> tuple[Tensor, Tensor]:
        """Return logits (1, labels) and embedding (1, width) of what the front end pooled of one recording."""
        logits, embedding = self.speech(self.speech.pooled_features(torch.from_numpy(pooled)[None].float()))
        return logits, embedding


def train(
    voices: Voices, validation: Sequence[Utterance], text: TextBranch, said: Sequence[Recognised]
) -> tuple[list[FoldNetworks], NDArray[np.intp]]:
    """Return the networks of each fold, trained by the bundle's configuration, and the fold of each recording.

    Recordings that name no speaker are of no fold (``NO_FOLD``).

    Args:
        voices: recordings of all the bundle's corpora, and what the trainer's own front end makes of them.
        validation: sentences that the text branch was not trained on.
        text: the text branch, as it is.
        said: what is recognised of each recording of a class.
    """
    bundle = config.read(config.BUNDLE)
    fusion, seed, labels = bundle.fusion, bundle.seed, voices.dataset.labels
    assert fusion is not None
    folds = voices.speaker_folds()
    networks, answers = [], []
    fold_of = np.full(len(voices.dataset.utterances), NO_FOLD, np.intp)
    for number, fold in enumerate(track(folds, "training", console=Console(stderr=True), transient=True)):
        networks.append(voices.train(fold.train, seed))
        answers.append(_answers(voices, networks[-1], fold.test))
        fold_of[fold.test] = number
    tested = np.concatenate([fold.test for fold in folds])
    utterances = [voices.dataset.utterances[row] for row in tested]
    logits, _ = text([said[row].text or " " for row in tested])
    logits[[not said[row].text for row in tested]] = np.nan
    words = Words(logits, np.array([said[row].evidence for row in tested], np.float32))
    spoken = BranchLogits(
        np.concatenate(answers),
        voices.truth.labels[tested],
        fold_of[tested],
        [u.corpus for u in utterances],
        tested,
    )
    written = BranchLogits(
        text([u.transcript or "" for u in validation])[0][:, None],
        np.array(label_ids(validation, labels)),
        np.array([session_fold(u.session, len(folds)) for u in validation]),
        [u.corpus for u in validation],
        np.arange(len(validation)),
    )
    made = []
    for number, network in enumerate(networks):
        apart, others = spoken.folds != number, written.where(written.folds != number)
        learned = _calibrated(network, spoken.where(apart))
        block = train_fusion(learned, others, words.where(apart), labels, fusion, seed)
        block.adopt(network.classifier, text.classifier)
        made.append(FoldNetworks(network, block.eval()))
    return made, fold_of


def _answers(voices: Voices, network: SpeechEmotion, rows: Rows) -> Float:
    """Return logits (rows, 2 + copies, classes) of recordings: as they are, augmented, and with a baseline."""
    variants = voices.modality.variants
    nothing: list[Example] = []
    examples = [
        example
        for row in rows
        for example in (
            voices.modality.examples[row],
            *(variants[AUGMENTED][row] if AUGMENTED in variants else nothing),
            *variants[COMPARED][row],
        )
    ]
    logits, _ = modality_.predict(network, examples, voices.modality.collate_for(network))
    return logits.reshape(len(rows), -1, logits.shape[1])


def _calibrated(network: SpeechEmotion, spoken: BranchLogits) -> BranchLogits:
    """Put temperatures into ``network``, as ``trainer fit`` does, and return the logits of others divided by them.

    Args:
        network: of one fold.
        spoken: answers to the speakers of all other folds; the last of each are with a baseline.
    """
    with_baseline = spoken.copies.shape[1] - 1
    fitted = [calibration.temperature(spoken.labels, spoken.copies[:, copy]) for copy in (0, with_baseline)]
    network.temperatures.copy_(torch.tensor(fitted))
    divided = spoken.copies / np.array([fitted[0]] * with_baseline + [fitted[1]], np.float32)[:, None]
    return replace(spoken, copies=divided)
