"""A checkpoint of text emotion: weights, tokenizer and the encoder's own configuration."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from trainer import checkpoints
from trainer.text.network import TextEmotion

TOKENIZER, ENCODER, SPECIAL = "tokenizer.json", "encoder.json", "special.json"


def write(out: Path, network: TextEmotion, tokenizer: PreTrainedTokenizerFast, config: dict[str, Any]) -> None:
    """Write the checkpoint ``out``, all of it or nothing."""
    with tempfile.TemporaryDirectory() as scratch:
        extra = {name: Path(scratch) / name for name in (TOKENIZER, ENCODER, SPECIAL)}
        tokenizer.backend_tokenizer.save(str(extra[TOKENIZER]))
        network.encoder.config.to_json_file(extra[ENCODER])  # type: ignore[operator,union-attr]
        extra[SPECIAL].write_text(json.dumps({"pad_token": tokenizer.pad_token}))
        checkpoints.write(out, network, config, extra)
