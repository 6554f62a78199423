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

from benchmarks.common.clips import audio_files, draw
from benchmarks.common.paths import EXAMPLE
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
from trainer.speech.network import SpeechEmotion, no_baseline
from trainer.text.network import TextEmotion, encoder_options, load_encoder
from trainer.text.tweets import normalize_tweet

Feed = dict[str, "np.ndarray[Any, Any]"]

TOKENS = (12, 48)
SECONDS = (4, 12)
PAST = 10
"""Tokens that a measured decoder step has behind it."""
RANDOM = "random"


@dataclass(frozen=True)
class MeasuredNetwork:
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
class Sources:
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


def text(name: str, sources: Sources) -> MeasuredNetwork:
    """Return a text branch: a trained checkpoint where ``sources`` has one, else with random weights."""
    rng = np.random.default_rng(sources.seed)
    if name in sources.text:
        network, tokenizer, config = components.load_text(sources.text[name])
        found, weights = test_part(sources.data, config["labels"])
        picked = draw(found, sources.inputs, rng)
        longest = config["settings"]["max_tokens"]
        judged = [
            _ids(tokenizer(normalize_tweet(u.transcript or ""), truncation=True, max_length=longest)["input_ids"])
            for u in picked
        ]
        truth = [config["labels"].index(u.label) for u in picked]
    else:
        torch.manual_seed(sources.seed)
        if name in PRETRAINED:
            encoder, weights = load_encoder(sources.weights / PRETRAINED[name]), "pretrained, random classifier"
        else:
            config = ENCODERS[name]()
            encoder, weights = AutoModel.from_config(config, **encoder_options(config)), RANDOM
        network, truth = TextEmotion(encoder, len(LABELS)).eval(), None
        judged = [_ids(rng.integers(1000, 20_000, rng.integers(5, 49))) for _ in range(min(sources.inputs, 64))]
    timed = {f"{n} tokens": _ids(rng.integers(1000, 20_000, n)) for n in TOKENS}
    return MeasuredNetwork(text_graph(network), network.eval(), weights, timed, judged, truth, "logits")


def is09(sources: Sources) -> MeasuredNetwork:
    """Return the paper's speech network behind its features."""
    if sources.is09:
        network, config = speech_checkpoint.restore(sources.is09)
        assert isinstance(network, AttentionBiLSTM)
        labels, weights = list(config["labels"]), "trained"
    else:
        torch.manual_seed(sources.seed)
        network, labels, weights = AttentionBiLSTM(len(LABELS)), list(LABELS), RANDOM
    waves, truth = _recordings(sources, labels)
    graph = waveform_graph(network)
    timed = {f"{s} s": {"waveform": _seconds(s)} for s in SECONDS}
    return MeasuredNetwork(
        graph, graph.module, weights, timed, [{"waveform": w} for w in waves], truth if sources.is09 else None, "logits"
    )


def head(sources: Sources) -> MeasuredNetwork:
    """Return the branch that reads Whisper's states, on those of recordings; it was trained on some of them."""
    model = _whisper(sources)
    layers, width = model.config.encoder_layers, model.config.d_model
    if sources.speech:
        network, config = speech_checkpoint.restore(sources.speech)
        labels, weights = list(config["labels"]), "trained; RAVDESS is among what it learned from"
    else:
        torch.manual_seed(sources.seed)
        network, labels, weights = SpeechEmotion(len(LABELS), width=width), list(LABELS), RANDOM
    assert isinstance(network, SpeechEmotion)
    graph, encode = states_graph(network, layers), encoder_graph(model).module
    vad = Session(sources.weights / "silero-vad" / "vad.onnx")
    rows, seconds = (part.numpy() for part in no_baseline(network))

    def states(wave: np.ndarray[Any, Any]) -> Feed:
        with torch.no_grad():
            found = encode(torch.from_numpy(wave))[0].numpy()
        spoken = speech_mask(vad, wave[0])
        mask = (spoken if spoken.any() else ~spoken).astype(np.float32)[None]
        return {"hidden_states": found, "spoken": mask, "baseline": rows, "baseline_s": seconds}

    waves, truth = _recordings(sources, labels)
    timed = {f"{s} s": states(_seconds(s)) for s in SECONDS}
    judged = [states(wave) for wave in waves]
    return MeasuredNetwork(graph, graph.module, weights, timed, judged, truth if sources.speech else None, "logits")


def encoder(sources: Sources) -> MeasuredNetwork:
    """Return Whisper tiny's encoder; each state counts as one answer."""
    graph = encoder_graph(_whisper(sources))
    timed = {f"{s} s": {"waveform": _seconds(s)} for s in SECONDS}
    waves, _ = _recordings(sources, list(LABELS), at_most=20)
    judged = [{"waveform": w} for w in waves]
    return MeasuredNetwork(graph, graph.module, "whisper-tiny.en", timed, judged, None, "hidden_states")


def decoder(sources: Sources) -> MeasuredNetwork:
    """Return Whisper tiny's decoder; compared on the next token at each step of what fp32 writes of recordings."""
    model = _whisper(sources)
    graph, encoder = decoder_graph(model), encoder_graph(model)
    waves, _ = _recordings(sources, list(LABELS), at_most=20)
    judged = [step for wave in waves for step in _steps(graph, encoder, wave)]
    timed = {
        f"{s} s": _steps(graph, encoder, _seconds(s), PAST + 1)[-1] for s in SECONDS
    }  # fmt: skip
    return MeasuredNetwork(graph, graph.module, "whisper-tiny.en", timed, judged, None, "logits")


NETWORKS: dict[str, Callable[[Sources], MeasuredNetwork]] = {
    **{name: (lambda sources, name=name: text(name, sources)) for name in (*ENCODERS, *PRETRAINED)},  # type: ignore[misc]
    "IS09-BiLSTM": is09,
    "encoder-state head": head,
    "Whisper tiny encoder": encoder,
    "Whisper tiny decoder step": decoder,
}


def test_part(data: Path, labels: Sequence[str]) -> tuple[list[Utterance], str]:
    """Return the official part with these labels that no text branch is trained on, and what its weights are."""
    if set(labels) <= set(semeval.SENTIMENTS):
        found, weights = semeval.load(data / "semeval2017-4a", "test"), "fine-tuned on SemEval 2017, its test"
    else:
        found, weights = meld.load(data / "meld", "dev"), "fine-tuned on MELD, its dev"
    return [u for u in found if u.label in labels], weights


def _whisper(sources: Sources) -> WhisperForConditionalGeneration:
    return WhisperForConditionalGeneration.from_pretrained(sources.weights / "whisper-tiny.en").eval()


def _ids(ids: Any) -> Feed:
    row = np.asarray(ids, np.int64)[None]
    return {"input_ids": row, "attention_mask": np.ones_like(row)}


def _seconds(seconds: int) -> np.ndarray[Any, Any]:
    """Return so much of the speech in ``jfk.wav``, repeated where it ends."""
    return np.resize(load_audio(EXAMPLE), seconds * SAMPLE_RATE)[None].astype(np.float32)


def _recordings(sources: Sources, labels: Sequence[str], at_most: int = 200) -> tuple[list[Any], list[int]]:
    """Return RAVDESS recordings (1, samples) and their labels."""
    found = [u for u in ravdess.load(sources.data / "ravdess") if u.label in labels]
    picked = draw(found, min(sources.inputs, at_most), np.random.default_rng(sources.seed))
    return [load_audio(file)[None] for file in audio_files(picked)], [labels.index(u.label) for u in picked]


@torch.no_grad()
def _steps(graph: Graph, encoder: Graph, wave: np.ndarray[Any, Any], most: int = 12) -> list[Feed]:
    """Return the decoder's inputs at each of the first steps, the prompt's and those of one token each."""
    _, bias, *cross = encoder.module(torch.from_numpy(wave))
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
