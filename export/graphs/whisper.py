"""The speech encoder's and transcript decoder's graphs."""

from __future__ import annotations

import torch
from transformers import WhisperForConditionalGeneration

from export.graphs.torch_export import Graph
from trainer.pretrained.whisper import SAMPLE_RATE, SpeechEncoder, TranscriptDecoder


def memory_names(kind: str, layers: int) -> list[str]:
    """Return the names of the keys and values of every layer: ``kind_key_0``, ``kind_value_0``, …."""
    return [f"{kind}_{part}_{i}" for i in range(layers) for part in ("key", "value")]


def encoder_graph(model: WhisperForConditionalGeneration, *, stitched: bool = True) -> Graph:
    """Return waveform → hidden states, cross-attention bias, keys and values."""
    cross = memory_names("cross", model.config.decoder_layers)
    return Graph(
        SpeechEncoder(model, stitched=stitched),
        (torch.randn(1, 2 * SAMPLE_RATE + 123),),
        ["waveform"],
        ["hidden_states", "cross_bias", *cross],
        {
            "waveform": {0: "batch", 1: "samples"},
            "hidden_states": {0: "batch", 2: "states"},
            "cross_bias": {0: "positions"},
            **{name: {0: "batch", 2: "positions"} for name in cross},
        },
    )


def decoder_graph(model: WhisperForConditionalGeneration) -> Graph:
    """Return tokens, past and cross keys and values → logits and present keys and values."""
    config = model.config
    layers, heads = config.decoder_layers, config.decoder_attention_heads
    past, cross, present = (memory_names(kind, layers) for kind in ("past", "cross", "present"))
    width = config.d_model // heads
    example = (
        torch.tensor([[config.decoder_start_token_id, config.eos_token_id]]),
        torch.zeros(100),
        *[torch.randn(1, heads, 3, width) for _ in past],
        *[torch.randn(1, heads, 100, width) for _ in cross],
    )
    return Graph(
        TranscriptDecoder(model),
        example,
        ["tokens", "cross_bias", *past, *cross],
        ["logits", *present],
        {
            "tokens": {0: "batch", 1: "new"},
            "cross_bias": {0: "positions"},
            "logits": {0: "batch"},
            **{name: {0: "batch", 2: "old"} for name in past},
            **{name: {0: "batch", 2: "positions"} for name in cross},
            **{name: {0: "batch", 2: "total"} for name in present},
        },
    )
