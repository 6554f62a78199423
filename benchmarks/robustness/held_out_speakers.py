"""The bundle's front end, its words branch, and networks of the trainer's folds that know none of a fold's speakers."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from trainer.corpora.utterance import LABELS, Utterance, label_ids
from trainer.fusion import fit as fusion_fit
from trainer.fusion.network import FusionEmotion
from trainer.fusion.pairs import Side
from trainer.protocols import session_fold, speaker_folds
from trainer.speech import fit as speech_fit
from trainer.speech.features import states_kept
from trainer.speech.network import SpeechEmotion, pool

Int = NDArray[np.integer[Any]]


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


class Words:
    """The bundle's words branch, which was trained on MELD's training part, less what is held out."""

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
class Fold:
    """Networks that know nothing of one fold's speakers."""

    speech: SpeechEmotion
    fusion: FusionEmotion


def train(
    everything: Sequence[Utterance], held: Sequence[Utterance], front_end: FrontEnd, words: Words, cache: Path
) -> list[Fold]:
    """Return the networks of each fold, trained as ``trainer fit`` measures: altered copies, made pairs.

    Args:
        everything: recordings with one of the four labels.
        held: MELD's sentences that the words branch was not trained on.
        front_end: through which the recordings go.
        words: the words branch, as it is.
        cache: where what is computed once is kept.
    """
    settings, fusion_settings = speech_fit.Settings(), fusion_fit.Settings()
    heard_by = front_end.key + inspect.getsource(FrontEnd)
    pooled = states_kept(
        everything, lambda: front_end.to_learn_from, heard_by, copies=settings.copies, seed=settings.seed, cache=cache
    )
    voices = fusion_fit.Voices(everything, pooled)
    fold_of = np.array(speaker_folds(everything))
    held_fold = np.array([session_fold(u.session) for u in held])
    embeddings, labels = words([u.transcript or "" for u in held])[1], np.array(label_ids(held))
    said = sorted({u.transcript for u in everything if u.transcript})
    own = dict(zip(said, words(said)[1], strict=True))
    folds = []
    for fold in track(np.unique(fold_of), "training", console=Console(stderr=True), transient=True):
        known = voices.where(fold_of != fold)
        speech = speech_fit.train_network(known.utterances, known.pooled, settings, seed=settings.seed).eval()
        side = Side(embeddings[held_fold != fold], labels[held_fold != fold])
        fusion = fusion_fit.train_network(speech, words.classifier, known, side, own, fusion_settings).eval()
        folds.append(Fold(speech, fusion))
    return folds


def four(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Return the utterances with one of the four labels."""
    return [u for u in utterances if u.label in LABELS]
