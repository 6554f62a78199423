"""A checkpoint of text emotion: weights, tokenizer and the encoder's own configuration."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from trainer import checkpoints
from trainer.text.encoding import Texts
from trainer.text.network import TextEmotion, encoder_options

KIND = "text"
TOKENIZER, ENCODER, SPECIAL = "tokenizer.json", "encoder.json", "special.json"


def write(out: Path, network: TextEmotion, tokenizer: PreTrainedTokenizerFast, config: dict[str, Any]) -> None:
    """Write the checkpoint ``out``, all of it or nothing."""
    with tempfile.TemporaryDirectory() as scratch:
        extra = {name: Path(scratch) / name for name in (TOKENIZER, ENCODER, SPECIAL)}
        tokenizer.backend_tokenizer.save(str(extra[TOKENIZER]))
        network.encoder.config.to_json_file(extra[ENCODER])  # type: ignore[operator,union-attr]
        extra[SPECIAL].write_text(json.dumps({"pad_token": tokenizer.pad_token}))
        checkpoints.write(out, network, config, extra)


def restore(folder: Path) -> tuple[TextEmotion, Texts, dict[str, Any]]:
    """Return the network in the checkpoint ``folder``, its tokenizer, and its config.

    Raises:
        CheckpointError: there is none, or it is of another kind.
    """
    config = checkpoints.read(folder, KIND)
    settings = config["settings"]
    encoder_config = AutoConfig.for_model(**json.loads((folder / ENCODER).read_text()))
    encoder = AutoModel.from_config(encoder_config, **encoder_options(encoder_config))
    hidden = settings.get("hidden_size", settings.get("hidden", 768))  # version 0.1 said hidden, or nothing
    context_tokens = settings.get("context_tokens", 0)  # versions before 0.3 read none
    network = TextEmotion(encoder, len(config["labels"]), hidden=hidden, context_tokens=context_tokens)
    checkpoints.load_weights(folder, network)
    special = json.loads((folder / SPECIAL).read_text())
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / TOKENIZER), **special)
    return network, Texts(tokenizer, settings["max_tokens"], context_tokens), config
