"""What a bundle is made of, before anything is written: a graph for each slot, tokenizers, and facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from edge_runtime.classifier import MAX_TEXT_TOKENS
from edge_runtime.inference.session import Session
from edge_runtime.inference.vad import speech_mask
from export.components import Parts
from export.evaluation.data import Samples
from export.graphs.fusion import fusion_graph, product_graph
from export.graphs.recogniser import Recogniser
from export.graphs.speech import states_graph, waveform_graph
from export.graphs.text import text_graph
from export.graphs.torch_export import Feed, Graph
from export.graphs.whisper import decoder_graph, encoder_graph
from trainer.speech.bilstm import AttentionBiLSTM
from trainer.speech.network import SpeechEmotion

TRIED = 8
"""So many real recordings and sentences are compared with torch, number by number."""


@dataclass
class Composition:
    """Graphs by slot, each with real inputs to try it on; tokenizers by name; and what the manifest says of them."""

    slots: dict[str, Graph | Path] = field(default_factory=dict)
    feeds: dict[str, list[Feed]] = field(default_factory=dict)
    tokenizers: dict[str, PreTrainedTokenizerFast] = field(default_factory=dict)
    decoding: dict[str, Any] | None = None
    calibration: dict[str, float] = field(default_factory=dict)


def compose(
    parts: Parts, recogniser: Recogniser | None, vad: Path, samples: Samples, *, stitched: bool = True
) -> Composition:
    """Return the bundle of trained ``parts``.

    Args:
        parts: voice, words or both.
        recogniser: None leaves transcripts out, where the voice does not need its encoder either.
        vad: the voice activity detector's graph.
        samples: real inputs.
        stitched: False pads to 30 s instead, as Whisper's authors do; slow, for comparison.
    """
    made = Composition()
    heard = Heard(samples, vad)
    if parts.speech is not None or (parts.text is not None and recogniser is not None):
        made.slots["vad"] = vad
    if recogniser is not None:
        add_recogniser(made, recogniser, heard, stitched=stitched, decodes=parts.text is not None)
    if parts.speech is not None:
        encoder = made.slots.get("speech_encoder")
        states = [encoder.module(w)[0] for w in heard.waveforms] if isinstance(encoder, Graph) else None
        add_speech(made, parts.speech, heard, states)
    if parts.text is not None and parts.tokenizer is not None:
        add_text(made, parts.text, parts.tokenizer, samples)
    made.calibration = temperatures(parts.configs)
    if parts.speech is not None and parts.text is not None:
        add_fusion(made, parts)
    return made


class Heard:
    """Real recordings, and where in them somebody speaks; found once it is asked for."""

    def __init__(self, samples: Samples, vad: Path) -> None:
        """Take the first recordings of ``samples``, and the detector's graph ``vad``."""
        self.waveforms = [torch.from_numpy(w)[None] for w in samples.waveforms[:TRIED]]
        self._vad = vad

    def spoken(self) -> list[NDArray[np.bool_]]:
        """Return for each recording which states (20 ms each) are spoken."""
        detector = Session(self._vad)
        return [speech_mask(detector, w[0].numpy()) for w in self.waveforms]


@torch.no_grad()
def add_recogniser(
    made: Composition,
    recogniser: Recogniser,
    heard: Heard,
    *,
    stitched: bool,
    decodes: bool,
    slot: str = "speech_encoder",
) -> None:
    """Add the encoder as ``slot``, and the decoder if transcripts are wanted."""
    encoder = encoder_graph(recogniser.model, stitched=stitched)
    made.slots[slot], made.feeds[slot] = encoder, [(w,) for w in heard.waveforms]
    if decodes:
        decoder = decoder_graph(recogniser.model)
        prompt = torch.tensor([recogniser.decoding["prompt"]])
        config = recogniser.model.config
        width = config.d_model // config.decoder_attention_heads
        past = [torch.zeros(1, config.decoder_attention_heads, 0, width)] * (2 * config.decoder_layers)
        encoder.module.eval()
        memories = [encoder.module(w)[1:] for w in heard.waveforms]
        made.slots["transcript_decoder"] = decoder
        made.feeds["transcript_decoder"] = [(prompt, bias, *past, *cross) for bias, *cross in memories]
        made.tokenizers["transcript"], made.decoding = recogniser.tokenizer, recogniser.decoding


@torch.no_grad()
def add_speech(
    made: Composition, network: SpeechEmotion | AttentionBiLSTM, heard: Heard, states: list[torch.Tensor] | None
) -> None:
    """Add the voice's graph, of either kind; one that reads states needs those of the recordings."""
    if isinstance(network, AttentionBiLSTM):
        made.slots["speech_emotion"] = waveform_graph(network)
        made.feeds["speech_emotion"] = [(w,) for w in heard.waveforms]
        return
    assert states is not None
    layers = states[0].shape[1] if states else 1 + max(*network.mean_layers, *network.std_layers)
    made.slots["speech_emotion"] = states_graph(network, layers - 1)
    made.feeds["speech_emotion"] = [
        (s, torch.from_numpy(spoken.astype(np.float32))[None]) for s, spoken in zip(states, heard.spoken(), strict=True)
    ]


def add_text(made: Composition, network: torch.nn.Module, tokenizer: PreTrainedTokenizerFast, samples: Samples) -> None:
    """Add the words' graph and tokenizer."""
    made.slots["text_emotion"] = text_graph(network)
    made.tokenizers["text"] = tokenizer
    encoded = [
        tokenizer(s, truncation=True, max_length=MAX_TEXT_TOKENS)["input_ids"] for s in samples.sentences[:TRIED]
    ]
    made.feeds["text_emotion"] = [(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.int64)) for ids in encoded]


@torch.no_grad()
def add_fusion(made: Composition, parts: Parts) -> None:
    """Add the trained block, or the product of both branches' probabilities where none was trained."""
    if parts.fusion is None:
        add_product(made, len(parts.labels), made.calibration["speech"], made.calibration["text"])
        return
    embeddings, widths = [], []
    for slot in ("speech_emotion", "text_emotion"):
        branch = made.slots[slot]
        assert isinstance(branch, Graph)
        branch.module.eval()
        embeddings.append([branch.module(*feed)[1] for feed in made.feeds[slot]])
        widths.append(branch.module(*branch.example)[1].shape[1])
    made.slots["fusion"] = fusion_graph(parts.fusion, (widths[0], widths[1]))
    made.feeds["fusion"] = [(voice, words, torch.ones(1, 2)) for voice, words in zip(*embeddings, strict=False)]


def add_product(made: Composition, labels: int, speech: float, text: float) -> None:
    """Add the product of both branches' probabilities, each at its temperature."""
    made.slots["fusion"] = product_graph(labels, temperatures=(speech, text))
    logits = [(torch.randn(1, labels), torch.randn(1, labels), torch.ones(1, 2)) for _ in range(TRIED)]
    made.feeds["fusion"] = list(logits)
    made.calibration["fusion"] = 1.0


def temperatures(configs: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Return what each kind of logits is divided by; where nothing was held apart to fit on, 1."""
    found = {part: configs[part]["metrics"].get("calibration") for part in ("speech", "text") if part in configs}
    found |= configs["fusion"]["metrics"]["calibration"] if "fusion" in configs else {}
    return {name: calibration["temperature"] if calibration else 1.0 for name, calibration in found.items()}
