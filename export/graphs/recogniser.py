"""Any Whisper, as a folder or a hub id: encoder, decoder, tokenizer and the ids that decoding needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, GenerationConfig, PreTrainedTokenizerFast, WhisperForConditionalGeneration

from trainer.errors import CheckpointError, ExportError


@dataclass(frozen=True)
class Recogniser:
    """A Whisper, ready to export."""

    model: WhisperForConditionalGeneration
    tokenizer: PreTrainedTokenizerFast
    decoding: dict[str, Any]


def load(source: str, *, language: str | None = None) -> Recogniser:
    """Load a Whisper of any size.

    Args:
        source: a folder as transformers' ``save_pretrained`` writes it, or a hub id.
        language: such as "de"; of a multilingual Whisper alone, where it is needed.

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
    return Recogniser(model, tokenizer, decoding(model.generation_config, language=language, source=source))


def decoding(config: GenerationConfig, *, language: str | None = None, source: str = "") -> dict[str, Any]:
    """Return the ids that a transcript decoder begins with, ends with and must not write, as the manifest has them."""
    languages: dict[str, int] = getattr(config, "lang_to_id", None) or {}
    start = [config.decoder_start_token_id]
    if languages:
        token = f"<|{language}|>"
        if token not in languages:
            known = ", ".join(sorted(name.strip("<|>") for name in languages))
            what = f"it does not know {language!r}" if language else "it is multilingual"
            raise ExportError(f"{source}: {what}; name one of its languages with --language ({known})")
        start += [languages[token], config.task_to_id["transcribe"]]
    elif language not in {None, "en"}:
        raise ExportError(f"{source}: an English Whisper; --language {language} needs a multilingual one")
    return {
        "prompt": [*start, config.no_timestamps_token_id],
        "end": config.eos_token_id,
        "suppress": list(config.suppress_tokens or []),
        "begin_suppress": list(config.begin_suppress_tokens or []),
        "max_tokens": config.max_length // 2,
    }
