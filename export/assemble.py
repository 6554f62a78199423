"""Trained networks → the graphs of a bundle, each with real inputs on which it is compared with torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from edge_runtime.bundle.contract import TYPES
from edge_runtime.classifier import MAX_TEXT_TOKENS
from edge_runtime.inference.evidence import NAMES
from edge_runtime.inference.session import Session
from edge_runtime.inference.vad import speech_mask
from export.components import TrainedComponents
from export.evaluation.data import EvaluationSet
from export.graphs import speech
from export.graphs.bundle_graphs import BundleGraphs
from export.graphs.fusion import fusion_graph, product_graph, takes_evidence
from export.graphs.text import context_tokens, text_graph
from export.graphs.torch_export import Graph
from export.graphs.whisper import WhisperAsr, decoder_graph, encoder_graph, memory_graph, states_graph
from trainer.config import Text
from trainer.errors import ExportError
from trainer.pretrained.whisper import SpeechEncoder
from trainer.speech.bilstm import AttentionBiLSTM
from trainer.speech.network import SpeechEmotion, no_baseline

REFERENCE_INPUTS = 8
"""So many real recordings and sentences are compared with torch, number by number."""
WORDS_ALONE = "fusion_text_only"
"""The way in which fusion answers where there is no voice."""


class ReferenceInputs:
    """Real recordings, and where in them somebody speaks; that is found once it is asked for."""

    def __init__(self, evaluation: EvaluationSet, vad: Path) -> None:
        """Take the first recordings of ``evaluation``, and the detector's graph ``vad``."""
        self.waveforms = [torch.from_numpy(w)[None] for w in evaluation.waveforms[:REFERENCE_INPUTS]]
        self._vad = vad

    def speech_masks(self) -> list[NDArray[np.bool_]]:
        """Return for each recording which states (20 ms each) are speech."""
        detector = Session(self._vad)
        return [speech_mask(detector, w[0].numpy()) for w in self.waveforms]


def assemble(
    trained: TrainedComponents,
    whisper: WhisperAsr | None,
    vad: Path,
    evaluation: EvaluationSet,
    *,
    stitched: bool = True,
) -> BundleGraphs:
    """Return the graphs of ``trained``.

    Args:
        trained: speech, text or both.
        whisper: None leaves transcripts out, where speech does not need its encoder either.
        vad: the voice activity detector's graph.
        evaluation: real inputs.
        stitched: False pads to 30 s instead, as Whisper's authors do; slow, for comparison.
    """
    graphs = BundleGraphs()
    inputs = ReferenceInputs(evaluation, vad)
    if trained.speech is not None or (trained.text is not None and whisper is not None):
        graphs.slots["vad"] = vad
    if whisper is not None:
        depth = trained.speech.depth if isinstance(trained.speech, SpeechEmotion) else None
        add_whisper(graphs, whisper, inputs, stitched=stitched, decodes=trained.text is not None, depth=depth)
    if trained.speech is not None:
        add_speech(graphs, trained.speech, inputs, new_states(graphs, inputs))
    if trained.text is not None and trained.tokenizer is not None:
        add_text(graphs, trained.text, trained.tokenizer, evaluation)
    graphs.temperatures = temperatures(trained.configs)
    if trained.speech is not None and trained.text is not None:
        add_fusion(graphs, trained)
    return graphs


@torch.no_grad()
def add_whisper(
    graphs: BundleGraphs,
    whisper: WhisperAsr,
    inputs: ReferenceInputs,
    *,
    stitched: bool,
    decodes: bool,
    depth: int | None = None,
    slot: str = "speech_encoder",
) -> None:
    """Add the encoder as ``slot``, and the decoder if transcripts are wanted.

    Args:
        graphs: what is added to.
        whisper: the recogniser.
        inputs: real inputs.
        stitched: as of ``assemble``.
        decodes: whether transcripts are wanted.
        depth: of the last layer that speech emotion reads; the layers behind it are then a graph of their own, which
            the voice alone does without. None leaves the encoder whole.
        slot: of the encoder.
    """
    graph = encoder_graph(whisper.model, stitched=stitched)
    encoder = graph.module.eval()
    assert isinstance(encoder, SpeechEncoder)
    graphs.slots[slot], graphs.feeds[slot] = graph, [(w,) for w in inputs.waveforms]
    if depth is not None:
        graphs.slots[slot] = states_graph(encoder, depth, passes_on=decodes)
    if decodes and depth is not None:
        graphs.slots["transcript_memory"] = memory_graph(encoder, depth)
        graphs.feeds["transcript_memory"] = [(encoder.hear(w, depth)[1],) for w in inputs.waveforms]
    if decodes:
        decoder = decoder_graph(whisper.model)
        language = next((entry["token"] for entry in whisper.decoding.get("languages", [])), None)
        prompt = torch.tensor([[language if t is None else t for t in whisper.decoding["prompt"]]])
        config = whisper.model.config
        width = config.d_model // config.decoder_attention_heads
        past = [torch.zeros(1, config.decoder_attention_heads, 0, width)] * (2 * config.decoder_layers)
        encoded = [encoder(w)[1:] for w in inputs.waveforms]
        graphs.slots["transcript_decoder"] = decoder
        graphs.feeds["transcript_decoder"] = [(prompt, bias, *past, *cross) for bias, *cross in encoded]
        graphs.tokenizers["transcript"], graphs.decoding = whisper.tokenizer, whisper.decoding


@torch.no_grad()
def new_states(graphs: BundleGraphs, inputs: ReferenceInputs) -> list[torch.Tensor] | None:
    """Return the hidden states that the new encoder gives of the recordings; None without one."""
    graph = graphs.slots.get("speech_encoder")
    if not isinstance(graph, Graph):
        return None
    found = [graph.module.eval()(w) for w in inputs.waveforms]
    return [values[0] if isinstance(values, tuple) else values for values in found]


@torch.no_grad()
def add_speech(
    graphs: BundleGraphs,
    network: SpeechEmotion | AttentionBiLSTM,
    inputs: ReferenceInputs,
    states: list[torch.Tensor] | None,
) -> None:
    """Add the graph of speech emotion, of either kind; one that reads hidden states needs those of the recordings."""
    if isinstance(network, AttentionBiLSTM):
        graphs.slots["speech_emotion"] = speech.waveform_graph(network)
        graphs.feeds["speech_emotion"] = [(w,) for w in inputs.waveforms]
        return
    assert states is not None
    layers = states[0].shape[1] if states else 1 + network.depth
    if network.depth >= layers:
        raise ExportError(
            f"speech emotion reads layer {network.depth}, and the speech encoder ends after layer {layers - 1}; "
            "export a whole bundle"
        )
    graphs.slots["speech_emotion"] = speech.states_graph(network, layers - 1)
    graphs.feeds["speech_emotion"] = [
        (s, torch.from_numpy(mask.astype(np.float32))[None], *no_baseline(network))
        for s, mask in zip(states, inputs.speech_masks(), strict=True)
    ]


def add_text(
    graphs: BundleGraphs, network: torch.nn.Module, tokenizer: PreTrainedTokenizerFast, evaluation: EvaluationSet
) -> None:
    """Add the graph of text emotion and its tokenizer."""
    graphs.slots["text_emotion"] = graph = text_graph(network)
    graphs.tokenizers["text"] = tokenizer
    sentences = evaluation.sentences[:REFERENCE_INPUTS]
    encoded = [tokenizer(s, truncation=True, max_length=MAX_TEXT_TOKENS)["input_ids"] for s in sentences]
    ids = [torch.tensor([one]) for one in encoded]
    none = [torch.zeros_like] if TYPES in graph.inputs else []
    graphs.feeds["text_emotion"] = [(one, torch.ones_like(one), *(fill(one) for fill in none)) for one in ids]


@torch.no_grad()
def add_fusion(graphs: BundleGraphs, trained: TrainedComponents) -> None:
    """Add the trained block, or the product of both branches' probabilities where none was trained."""
    if trained.fusion is None:
        add_product(graphs, len(trained.labels), graphs.temperatures["speech"], graphs.temperatures["text"])
        return
    embeddings, widths = [], []
    for slot in ("speech_emotion", "text_emotion"):
        branch = graphs.slots[slot]
        assert isinstance(branch, Graph)
        branch.module.eval()
        embeddings.append([branch.module(*feed)[1] for feed in graphs.feeds[slot]])
        widths.append(branch.module(*branch.example)[1].shape[1])
    block = fusion_graph(trained.fusion, (widths[0], widths[1]))
    graphs.slots["fusion"], told = block, block.example[3:]
    graphs.feeds["fusion"] = [
        (speech, text, torch.ones(1, 2), *told) for speech, text in zip(*embeddings, strict=False)
    ]
    if takes_evidence(trained.fusion):
        graphs.evidence = list(NAMES)


def add_product(graphs: BundleGraphs, labels: int, speech: float, text: float) -> None:
    """Add the product of both branches' probabilities, each at its temperature."""
    graphs.slots["fusion"] = product_graph(labels, temperatures=(speech, text))
    graphs.feeds["fusion"] = [
        (torch.randn(1, labels), torch.randn(1, labels), torch.ones(1, 2)) for _ in range(REFERENCE_INPUTS)
    ]
    graphs.temperatures["fusion"] = 1.0


def operating_point(configs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the manifest's entry of the confidence below which an answer is uncertain.

    It is the highest that any way to answer with a voice asks for; words alone have their own (``text_facts``).
    There is no entry where no checkpoint states one, as those before version 0.3.
    """
    last = next((part for part in ("fusion", "speech", "text") if part in configs), None)
    calibration = (configs[last]["metrics"].get("calibration") if last else None) or {}
    cases = [case for way, case in calibration.items() if way != WORDS_ALONE] if last == "fusion" else [calibration]
    points = [case["operating_point"] for case in cases if case and "operating_point" in case]
    return {"operating_point": {"confidence": max(points)}} if points else {}


def text_facts(graphs: BundleGraphs, configs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the manifest's entry of text alone: languages, context, operating point and priors that there are.

    Args:
        graphs: the new graphs; without text there is no entry.
        configs: of the checkpoints that they were made of.
    """
    graph = graphs.slots.get("text_emotion")
    if not isinstance(graph, Graph):
        return {}
    found = text_languages(graphs.decoding, configs["text"])
    if tokens := context_tokens(graph.module):
        found["context"] = {"max_tokens": tokens}
    fused = (configs["fusion"]["metrics"].get("calibration") or {}) if "fusion" in configs else {}
    answers = fused.get(WORDS_ALONE) or configs["text"]["metrics"].get("calibration") or {}
    if "operating_point" in answers:
        found["operating_point"] = {"confidence": answers["operating_point"]}
    if priors := configs["text"].get("priors"):
        found["priors"] = dict(priors)
    return {"text_emotion": found} if found else {}


def text_languages(decoding: Mapping[str, Any] | None, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the languages whose words are judged, where the recogniser tells the language.

    Args:
        decoding: the manifest's entry.
        config: of the text checkpoint; of a classifier that was fine-tuned elsewhere nothing is known.
    """
    if "languages" not in (decoding or {}) or "settings" not in config:
        return {}
    return {"languages": list(config["settings"].get("languages", Text().languages))}


def temperatures(configs: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Return what each kind of logits is divided by; where nothing was held apart to fit on, 1."""
    found = {part: configs[part]["metrics"].get("calibration") for part in ("speech", "text") if part in configs}
    found |= configs["fusion"]["metrics"]["calibration"] if "fusion" in configs else {}
    return {name: calibration["temperature"] if calibration else 1.0 for name, calibration in found.items()}
