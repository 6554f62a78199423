"""The bundle's front end, its words branch, and networks of the trainer's folds that know none of a fold's speakers."""

from __future__ import annotations

import hashlib
import inspect
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from rich.console import Console
from rich.progress import track
from tokenizers import Tokenizer
from torch import nn

from benchmarks.common.clips import Float
from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.inference.asr import SpeechEncoder, TranscriptDecoder
from edge_runtime.inference.vad import speech_mask
from trainer import config
from trainer import modality as modality_
from trainer.corpora.dataset import Dataset
from trainer.corpora.protocols import plan, session_fold
from trainer.corpora.utterance import Utterance, label_ids
from trainer.experiment.stacking import BranchLogits, train_fusion
from trainer.fusion.network import FusionEmotion
from trainer.modality import Truth
from trainer.speech.features import cached_states
from trainer.speech.modality import states_modality
from trainer.speech.network import SpeechEmotion, pool


@dataclass(frozen=True)
class Heard:
    """What the front end makes of one waveform.

    Attributes:
        pooled: mean and deviation of the encoder's states (layers, 2 x width); None where nobody speaks.
        transcript: the words, or "".
    """

    pooled: Float | None
    transcript: str


class FrontEnd:
    """The bundle's voice activity, speech encoder and transcript decoder: none was trained on the corpora here."""

    def __init__(self, bundle: Bundle) -> None:
        """Open the graphs."""
        graphs = (bundle.slots[slot].path.read_bytes() for slot in ("vad", "speech_encoder"))
        self.key = " ".join(hashlib.sha256(graph).hexdigest() for graph in graphs)
        detector, encoder, decoder = (
            bundle.open(slot, device="cpu", threads=1) for slot in ("vad", "speech_encoder", "transcript_decoder")
        )
        assert bundle.decoding is not None
        tokenizer = Tokenizer.from_file(str(bundle.tokenizers["transcript"]))
        self._vad, self._encode = detector, SpeechEncoder(encoder)
        self._decode = TranscriptDecoder(decoder, tokenizer, bundle.decoding)

    def __call__(self, waveform: Float) -> Heard:
        """Hear (samples,) at 16 kHz as the runtime does."""
        spoken = speech_mask(self._vad, waveform)
        if not spoken.any():
            return Heard(None, "")
        hidden, cross = self._encode(waveform)
        return Heard(_pooled(hidden, spoken), self._decode(cross, duration_s=len(waveform) / SAMPLE_RATE))

    def to_learn_from(self, waveform: Float) -> Float:
        """Return the pooled states of a recording whose label is known: of all of it, where no voice is found."""
        spoken = speech_mask(self._vad, waveform)
        if not spoken.any():
            spoken[:] = True
        return _pooled(self._encode(waveform)[0], spoken)


def _pooled(hidden: Float, spoken: NDArray[np.bool_]) -> Float:
    weight = torch.from_numpy(spoken.astype(np.float32))[None]
    result: Float = pool(torch.from_numpy(hidden), weight)[0].numpy()
    return result


class TextBranch:
    """The bundle's text branch, which was trained on MELD's training part, less the validation dialogues."""

    def __init__(self, bundle: Bundle) -> None:
        """Open the graph, and take its classifier out of the fusion's."""
        self._session = bundle.open("text_emotion", device="cpu", threads=1)
        self._tokenizer = Tokenizer.from_file(str(bundle.tokenizers["text"]))
        graph = onnx.load(str(bundle.slots["fusion"].path)).graph
        held = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
        weight, bias = (torch.from_numpy(held[f"network.text.{part}"].copy()) for part in ("weight", "bias"))
        self.classifier = nn.Linear(weight.shape[1], weight.shape[0])
        self.classifier.load_state_dict({"weight": weight, "bias": bias})

    def __call__(self, sentences: Sequence[str]) -> tuple[Float, Float]:
        """Return logits (n, labels) and embeddings (n, width)."""
        answers = []
        for sentence in sentences:
            words = self._tokenizer.encode(sentence)
            ids, mask = (np.array([values], np.int64) for values in (words.ids, words.attention_mask))
            answers.append(self._session(input_ids=ids, attention_mask=mask))
        return np.concatenate([a["logits"] for a in answers]), np.concatenate([a["embedding"] for a in answers])


@dataclass(frozen=True)
class FoldNetworks:
    """Networks that did not learn from one fold's speakers."""

    speech: SpeechEmotion
    fusion: FusionEmotion


def train(
    speech: Dataset, validation: Sequence[Utterance], front_end: FrontEnd, text: TextBranch, cache: Path
) -> tuple[list[FoldNetworks], list[int]]:
    """Return the networks of each fold, trained by the bundle's configuration, and the fold of each recording.

    Args:
        speech: recordings.
        validation: sentences that the text branch was not trained on.
        front_end: through which the recordings go.
        text: the text branch, as it is.
        cache: where features are kept.
    """
    bundle = config.read(config.BUNDLE)
    experiment, fusion, seed = bundle.alone("speech"), bundle.fusion, bundle.seed
    settings = experiment.speech
    assert settings is not None
    assert fusion is not None
    key = front_end.key + inspect.getsource(FrontEnd)
    pooled = cached_states(
        speech.utterances,
        lambda: front_end.to_learn_from,
        key,
        augmentations=settings.augmentations,
        seed=seed,
        cache=cache,
    )
    modality = states_modality(pooled, speech.labels, settings)
    truth = Truth(np.array(speech.label_ids), speech.labels, [u.corpus for u in speech.utterances])
    folds = plan(speech.utterances, "speaker", folds=experiment.folds)
    fold_of, logits = np.zeros(len(pooled), int), np.zeros((*pooled.shape[:2], len(speech.labels)), np.float32)
    networks = []
    for number, fold in enumerate(track(folds, "training", console=Console(stderr=True), transient=True)):
        with tempfile.TemporaryDirectory() as scratch:
            network, _ = modality_.train(modality, fold.train, truth, partial=Path(scratch), seed=seed, quiet=True)
        networks.append(network)
        copies = [copy for row in fold.test for copy in modality.copies[row]]
        found, _ = modality_.predict(network, copies, modality.collate)
        fold_of[fold.test], logits[fold.test] = number, found.reshape(len(fold.test), pooled.shape[1], -1)
    spoken = BranchLogits(
        logits, truth.labels, fold_of, truth.corpora, [u.transcript for u in speech.utterances]
    )  # fmt: skip
    written = BranchLogits(
        text([u.transcript or "" for u in validation])[0][:, None],
        np.array(label_ids(validation, speech.labels)),
        np.array([session_fold(u.session, len(folds)) for u in validation]),
        [u.corpus for u in validation],
        [u.transcript for u in validation],
    )
    sentences = sorted({u.transcript for u in speech.utterances if u.transcript})
    known = dict(zip(sentences, text(sentences)[0], strict=True))
    nothing = np.full(len(speech.labels), np.nan, np.float32)
    own = np.stack([known.get(u.transcript or "", nothing) for u in speech.utterances])
    made = []
    for number, network in enumerate(networks):
        apart, others = fold_of != number, written.where(written.folds != number)
        block = train_fusion(spoken.where(apart), others, own[apart], speech.labels, fusion, seed)
        assert isinstance(network, SpeechEmotion)
        block.adopt(network.classifier, text.classifier)
        made.append(FoldNetworks(network, block.eval()))
    return made, fold_of.tolist()
