"""Any Whisper, from a folder or by a hub id: the speech encoder, the transcript decoder, and how it is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, GenerationConfig, PreTrainedTokenizerFast, WhisperForConditionalGeneration
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from export.graphs.torch_export import Graph
from trainer.errors import CheckpointError, ExportError
from trainer.pretrained.whisper import POOL, SAMPLE_RATE, SpeechEncoder, TranscriptDecoder

CODES = {"jw": "jv"}
"""Whisper's own codes of languages that BCP 47 writes in another way."""


@dataclass(frozen=True)
class WhisperAsr:
    """A Whisper, ready to export.

    Attributes:
        model: of any size.
        tokenizer: its own.
        decoding: the ids of special tokens, as the manifest has them.
    """

    model: WhisperForConditionalGeneration
    tokenizer: PreTrainedTokenizerFast
    decoding: dict[str, Any]


def load(source: str, *, language: str | None = None) -> WhisperAsr:
    """Load a Whisper of any size.

    Args:
        source: a folder as transformers' ``save_pretrained`` writes it, or a hub id.
        language: such as "de"; of a multilingual Whisper alone, which tells the language itself where none is named.

    Raises:
        CheckpointError: there is none, or it lacks a tokenizer.
        ExportError: the language is not one of its own.
    """
    try:
        model = WhisperForConditionalGeneration.from_pretrained(source).eval()
        file = Path(source) / "tokenizer.json"
        own = PreTrainedTokenizerFast(tokenizer_file=str(file)) if file.is_file() else None
        tokenizer = own or AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError, KeyError, TypeError) as error:  # TypeError: none of the files that a tokenizer has
        raise CheckpointError(f"{source}: transcripts need a Whisper and its tokenizer.json: {error}") from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise CheckpointError(f"{source}: has a slow tokenizer alone; save it as tokenizer.json (use_fast=True)")
    return WhisperAsr(model, tokenizer, decoding(model.generation_config, language=language, source=source))


def decoding(config: GenerationConfig, *, language: str | None = None, source: str = "") -> dict[str, Any]:
    """Return what the manifest says of decoding: the tokens to begin with, to end with and never to write; a language.

    Where the language is told, its place in the prompt is None.

    Args:
        config: of the model's generation.
        language: the only one of a multilingual Whisper; None has it tell the language of each utterance.
        source: names the model in errors.
    """
    languages: dict[str, int] = getattr(config, "lang_to_id", None) or {}
    prompt: list[int | None] = [config.decoder_start_token_id]
    written: dict[str, Any] = {"language": language or "en"}
    if languages:
        token = f"<|{language}|>"
        if language is not None and token not in languages:
            known = ", ".join(sorted(name.strip("<|>") for name in languages))
            raise ExportError(
                f"{source}: it does not know {language!r}; name one of its languages with --language ({known}), or "
                "none to have it tell the language"
            )
        if language is None:
            written = {"languages": _languages(languages)}
        prompt += [languages.get(token), config.task_to_id["transcribe"]]
    elif language not in {None, "en"}:
        raise ExportError(f"{source}: an English Whisper; --language {language} needs a multilingual one")
    return {
        "prompt": [*prompt, config.no_timestamps_token_id],
        "end": config.eos_token_id,
        "suppress": list(config.suppress_tokens or []),
        "begin_suppress": list(config.begin_suppress_tokens or []),
        "max_tokens": config.max_length // 2,
        **written,
    }


def _languages(tokens: dict[str, int]) -> list[dict[str, Any]]:
    """Return the languages of a Whisper as the manifest has them, by token."""
    found = []
    for token, number in sorted(tokens.items(), key=lambda item: item[1]):
        code = token.strip("<|>")
        name = LANGUAGES.get(code, code).title()
        found.append({"token": number, "code": CODES.get(code, code), "name": name})
    return found


def key_value_names(kind: str, layers: int) -> list[str]:
    """Return the names of the keys and values of every layer: ``kind_key_0``, ``kind_value_0``, …."""
    return [f"{kind}_{part}_{i}" for i in range(layers) for part in ("key", "value")]


def encoder_graph(model: WhisperForConditionalGeneration, *, stitched: bool = True) -> Graph:
    """Return waveform → hidden states, cross-attention bias, keys and values."""
    cross = key_value_names("cross", model.config.decoder_layers)
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


class _FirstLayers(nn.Module):
    def __init__(self, encoder: SpeechEncoder, layers: int, *, passes_on: bool) -> None:
        super().__init__()
        self.encoder, self.layers, self.passes_on = encoder, layers, passes_on

    def forward(self, waveform: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        hidden, encoded = self.encoder.hear(waveform, self.layers)
        return (hidden, encoded) if self.passes_on else hidden


class _LastLayers(nn.Module):
    def __init__(self, encoder: SpeechEncoder, layers: int) -> None:
        super().__init__()
        self.encoder, self.layers = encoder, layers

    def forward(self, encoded: Tensor) -> tuple[Tensor, ...]:
        return self.encoder.remember(encoded, self.layers)


def states_graph(encoder: SpeechEncoder, layers: int, *, passes_on: bool) -> Graph:
    """Return waveform → hidden states of the first ``layers``; and the last of them whole, where it is passed on."""
    return Graph(
        _FirstLayers(encoder, layers, passes_on=passes_on),
        (torch.randn(1, 2 * SAMPLE_RATE + 123),),
        ["waveform"],
        ["hidden_states", "encoded"] if passes_on else ["hidden_states"],
        {
            "waveform": {0: "batch", 1: "samples"},
            "hidden_states": {0: "batch", 2: "states"},
            "encoded": {0: "batch", 1: "encoded_states"},
        },
    )


def memory_graph(encoder: SpeechEncoder, layers: int) -> Graph:
    """Return the states behind the first ``layers`` → cross-attention bias, keys and values."""
    cross = key_value_names("cross", len(encoder.cross))
    return Graph(
        _LastLayers(encoder, layers),
        (torch.randn(1, 15 * POOL, encoder.width),),
        ["encoded"],
        ["cross_bias", *cross],
        {
            "encoded": {0: "batch", 1: "encoded_states"},
            "cross_bias": {0: "positions"},
            **{name: {0: "batch", 2: "positions"} for name in cross},
        },
    )


def decoder_graph(model: WhisperForConditionalGeneration) -> Graph:
    """Return tokens, past and cross keys and values → logits and present keys and values."""
    config = model.config
    layers, heads = config.decoder_layers, config.decoder_attention_heads
    past, cross, present = (key_value_names(kind, layers) for kind in ("past", "cross", "present"))
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
