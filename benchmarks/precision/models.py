"""The networks whose conversion is measured, with inputs of the sizes that the table names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoModel, BertConfig, PretrainedConfig, WhisperForConditionalGeneration, XLNetConfig

from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.inference.session import Session
from edge_runtime.inference.vad import speech_mask
from export import components
from export.graphs.speech import states_graph, waveform_graph
from export.graphs.text import text_graph
from export.graphs.torch_export import Graph
from export.graphs.whisper import decoder_graph, encoder_graph
from trainer.audio import load_audio
from trainer.corpora import meld, ravdess, semeval
from trainer.corpora.utterance import LABELS, Utterance
from trainer.speech import checkpoint as speech_checkpoint
from trainer.speech.bilstm import AttentionBiLSTM
from trainer.speech.network import SpeechEmotion
from trainer.text.network import TextEmotion, encoder_options, load_encoder
from trainer.text.tweets import normalize_tweet

Feed = dict[str, "np.ndarray[Any, Any]"]

TOKENS = (12, 48)
SECONDS = (4, 12)
PAST = 10
"""Tokens that a measured decoder step has behind it."""
RANDOM = "random"


@dataclass(frozen=True)
class Subject:
    """One network of the table.

    Attributes:
        graph: to be exported.
        original: the torch module that is timed; the graph's own, but for XLNet.
        weights: where they come from; ``RANDOM`` means that accuracy cannot be told.
        timed: inputs to time, by their size in words.
        judged: inputs to compare answers on.
        truth: the right label of each of those, where it is known.
        output: the output that is compared.
    """

    graph: Graph
    original: nn.Module
    weights: str
    timed: dict[str, Feed]
    judged: Sequence[Feed]
    truth: Sequence[int] | None
    output: str


@dataclass(frozen=True)
class Place:
    """Where weights, data and trained checkpoints are, and how many inputs are compared."""

    weights: Path
    data: Path
    text: dict[str, Path]
    speech: Path | None
    is09: Path | None
    inputs: int
    seed: int


ENCODERS: dict[str, Callable[[], PretrainedConfig]] = {
    "BERT-base": BertConfig,
    "BERT-large": lambda: BertConfig(
        hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
    ),
    "XLNet-base": lambda: XLNetConfig(d_model=768, n_layer=12, n_head=12, d_inner=3072),
}
PRETRAINED = {"MPNet-base": "mpnet-base", "MiniLM": "minilm-l6"}


def text(name: str, place: Place) -> Subject:
    """Return a words branch: a trained checkpoint where ``place`` has one, else with random weights."""
    rng = np.random.default_rng(place.seed)
    if name in place.text:
        network, tokenizer, config = components.load_text(place.text[name])
        found, weights = _sentences(place, config["labels"])
        picked = [found[i] for i in rng.choice(len(found), min(place.inputs, len(found)), replace=False)]
        longest = config["settings"]["max_tokens"]
        judged = [
            _ids(tokenizer(normalize_tweet(u.transcript or ""), truncation=True, max_length=longest)["input_ids"])
            for u in picked
        ]
        truth = [config["labels"].index(u.label) for u in picked]
    else:
        torch.manual_seed(place.seed)
        if name in PRETRAINED:
            encoder, weights = load_encoder(place.weights / PRETRAINED[name]), "pretrained, random classifier"
        else:
            config = ENCODERS[name]()
            encoder, weights = AutoModel.from_config(config, **encoder_options(config)), RANDOM
        network, truth = TextEmotion(encoder, len(LABELS)).eval(), None
        judged = [_ids(rng.integers(1000, 20_000, rng.integers(5, 49))) for _ in range(min(place.inputs, 64))]
    timed = {f"{n} tokens": _ids(rng.integers(1000, 20_000, n)) for n in TOKENS}
    return Subject(text_graph(network), network.eval(), weights, timed, judged, truth, "logits")


def is09(place: Place) -> Subject:
    """Return the paper's speech network behind its features."""
    if place.is09:
        network, config = speech_checkpoint.restore(place.is09)
        assert isinstance(network, AttentionBiLSTM)
        labels, weights = list(config["labels"]), "trained"
    else:
        torch.manual_seed(place.seed)
        network, labels, weights = AttentionBiLSTM(len(LABELS)), list(LABELS), RANDOM
    waves, truth = _recordings(place, labels)
    graph = waveform_graph(network)
    timed = {f"{s} s": {"waveform": _seconds(place, s)} for s in SECONDS}
    return Subject(
        graph, graph.module, weights, timed, [{"waveform": w} for w in waves], truth if place.is09 else None, "logits"
    )


def head(place: Place) -> Subject:
    """Return the branch that reads Whisper's states, on those of recordings; it was trained on some of them."""
    model = _whisper(place)
    layers, width = model.config.encoder_layers, model.config.d_model
    if place.speech:
        network, config = speech_checkpoint.restore(place.speech)
        labels, weights = list(config["labels"]), "trained; RAVDESS is among what it learned from"
    else:
        torch.manual_seed(place.seed)
        network, labels, weights = SpeechEmotion(len(LABELS), width=width), list(LABELS), RANDOM
    assert isinstance(network, SpeechEmotion)
    graph, ears = states_graph(network, layers), encoder_graph(model).module
    vad = Session(place.weights / "silero-vad" / "vad.onnx")

    def states(wave: np.ndarray[Any, Any]) -> Feed:
        with torch.no_grad():
            found = ears(torch.from_numpy(wave))[0].numpy()
        spoken = speech_mask(vad, wave[0])
        return {"hidden_states": found, "spoken": (spoken if spoken.any() else ~spoken).astype(np.float32)[None]}

    waves, truth = _recordings(place, labels)
    timed = {f"{s} s": states(_seconds(place, s)) for s in SECONDS}
    judged = [states(wave) for wave in waves]
    return Subject(graph, graph.module, weights, timed, judged, truth if place.speech else None, "logits")


def encoder(place: Place) -> Subject:
    """Return Whisper tiny's encoder; each state counts as one answer."""
    graph = encoder_graph(_whisper(place))
    timed = {f"{s} s": {"waveform": _seconds(place, s)} for s in SECONDS}
    waves, _ = _recordings(place, list(LABELS), at_most=20)
    judged = [{"waveform": w} for w in waves]
    return Subject(graph, graph.module, "whisper-tiny.en", timed, judged, None, "hidden_states")


def decoder(place: Place) -> Subject:
    """Return Whisper tiny's decoder; compared on the next token at each step of what fp32 writes of recordings."""
    model = _whisper(place)
    graph, ears = decoder_graph(model), encoder_graph(model)
    waves, _ = _recordings(place, list(LABELS), at_most=20)
    judged = [step for wave in waves for step in _steps(graph, ears, wave)]
    timed = {
        f"{s} s": _steps(graph, ears, _seconds(place, s), PAST + 1)[-1] for s in SECONDS
    }  # fmt: skip
    return Subject(graph, graph.module, "whisper-tiny.en", timed, judged, None, "logits")


SUBJECTS: dict[str, Callable[[Place], Subject]] = {
    **{name: (lambda place, name=name: text(name, place)) for name in (*ENCODERS, *PRETRAINED)},  # type: ignore[misc]
    "IS09-BiLSTM": is09,
    "encoder-state head": head,
    "Whisper tiny encoder": encoder,
    "Whisper tiny decoder step": decoder,
}


def _sentences(place: Place, labels: Sequence[str]) -> tuple[list[Utterance], str]:
    """Return sentences with these labels that were not trained on, and what the weights are."""
    if set(labels) <= set(semeval.SENTIMENTS):
        found, weights = semeval.load(place.data / "semeval2017-4a", "test"), "fine-tuned on SemEval 2017, its test"
    else:
        found, weights = meld.load(place.data / "meld", "dev"), "fine-tuned on MELD, its dev"
    return [u for u in found if u.label in labels], weights


def _whisper(place: Place) -> WhisperForConditionalGeneration:
    return WhisperForConditionalGeneration.from_pretrained(place.weights / "whisper-tiny.en").eval()


def _ids(ids: Any) -> Feed:
    row = np.asarray(ids, np.int64)[None]
    return {"input_ids": row, "attention_mask": np.ones_like(row)}


def _seconds(place: Place, seconds: int) -> np.ndarray[Any, Any]:
    """Return so much of the speech in ``jfk.wav``, repeated where it ends."""
    wave = load_audio(place.data / "jfk.wav")
    return np.resize(wave, seconds * SAMPLE_RATE)[None].astype(np.float32)


def _recordings(place: Place, labels: Sequence[str], at_most: int = 200) -> tuple[list[Any], list[int]]:
    """Return RAVDESS recordings (1, samples) and their labels."""
    found = [u for u in ravdess.load(place.data / "ravdess") if u.label in labels and u.audio]
    rng = np.random.default_rng(place.seed)
    picked = [found[i] for i in rng.choice(len(found), min(place.inputs, at_most, len(found)), replace=False)]
    return [load_audio(u.audio)[None] for u in picked if u.audio], [labels.index(u.label) for u in picked]


@torch.no_grad()
def _steps(graph: Graph, ears: Graph, wave: np.ndarray[Any, Any], most: int = 12) -> list[Feed]:
    """Return the decoder's inputs at each of the first steps, the prompt's and those of one token each."""
    _, bias, *cross = ears.module(torch.from_numpy(wave))
    count = len(cross)
    past = [c[:, :, :0] for c in cross]
    tokens = graph.example[0][:, :1]
    feeds = []
    for _ in range(most):
        values = (tokens, bias, *past, *cross)
        feeds.append({n: v.numpy() for n, v in zip(graph.inputs, values, strict=True)})
        logits, *past = graph.module(*values)
        assert len(past) == count
        tokens = logits.argmax(-1).reshape(1, 1)
    return feeds
