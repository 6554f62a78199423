"""A checkpoint of text emotion: what is written is restored, and whether it reads a context."""

from dataclasses import asdict

import pytest
import torch

from edge_runtime.inference.text_tokens import Turn
from tests.trainer.encoders import write_bert
from trainer.config import Text
from trainer.text import checkpoint
from trainer.text.encoding import Texts
from trainer.text.network import TextEmotion, load_encoder, load_tokenizer


@pytest.mark.parametrize("tokens", [0, 6])
def test_a_network_is_restored_with_its_context(tmp_path, tokens):
    folder = write_bert(tmp_path / "bert", ["fine", "no", "other", ":"])
    network = TextEmotion(load_encoder(folder), 2, hidden=8, context_tokens=tokens).eval()
    config = {"kind": "text", "labels": ["a", "b"], "settings": asdict(Text(hidden_size=8, context_tokens=tokens))}
    checkpoint.write(tmp_path / "out", network, load_tokenizer(folder), config)
    found, texts, _ = checkpoint.restore(tmp_path / "out")
    assert (found.context_tokens, texts.context_tokens) == (tokens, tokens)
    batch = texts.collate(texts.encode(["no"], [[Turn("fine", "other")]]))
    assert ("token_type_ids" in batch) == bool(tokens)
    assert torch.equal(found.eval()(**batch)[0], network(**batch)[0])


def test_a_checkpoint_that_states_no_context_reads_none(tmp_path):
    folder = write_bert(tmp_path / "bert", ["fine", "no"])
    settings = {key: value for key, value in asdict(Text(hidden_size=8)).items() if key != "context_tokens"}
    config = {"kind": "text", "labels": ["a", "b"], "settings": settings}
    checkpoint.write(tmp_path / "out", TextEmotion(load_encoder(folder), 2, hidden=8), load_tokenizer(folder), config)
    found, texts, _ = checkpoint.restore(tmp_path / "out")
    assert found.context_tokens == 0 and isinstance(texts, Texts) and texts.context_tokens == 0
