"""The words' graph, of every architecture at hand, against the network it was traced from."""

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel

from export.graphs.text import text_graph
from export.graphs.torch_export import write
from trainer.text.network import TextEmotion, encoder_options

SIZES = {
    "vocab_size": 20,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "pad_token_id": 0,
}
SMALL = {
    "bert": SIZES,
    "mpnet": SIZES,
    "roberta": SIZES,
    "electra": SIZES | {"embedding_size": 16},
    "albert": SIZES | {"embedding_size": 8},
    "deberta-v2": SIZES,
    "modernbert": SIZES,
    "distilbert": {"vocab_size": 20, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    "xlnet": {"vocab_size": 20, "d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32},
}


@torch.no_grad()
@pytest.mark.parametrize("kind", SMALL)
def test_text(tmp_path, run, shake, kind):
    config = AutoConfig.for_model(kind, **SMALL[kind])
    network = TextEmotion(AutoModel.from_config(config, **encoder_options(config)), 4, hidden=12).eval()
    shake(network)
    write(text_graph(network), tmp_path / "text.onnx")
    for batch, tokens in [(1, 1), (1, 30), (3, 7), (2, 64)]:
        ids, mask = torch.randint(2, 20, (batch, tokens)), torch.ones(batch, tokens, dtype=torch.int64)
        mask[0, tokens // 2 + 1 :] = 0
        for one, other in zip(run(tmp_path / "text.onnx", ids, mask), network(ids, mask), strict=True):
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other.numpy(), atol=1e-4, rtol=1e-3)


READS_CONTEXT = ["bert", "mpnet", "roberta", "electra", "albert", "deberta-v2", "distilbert"]


@torch.no_grad()
@pytest.mark.parametrize("kind", READS_CONTEXT)
def test_a_graph_that_reads_a_context_takes_token_types(tmp_path, run, shake, kind):
    config = AutoConfig.for_model(kind, **SMALL[kind])
    encoder = AutoModel.from_config(config, **encoder_options(config))
    network = TextEmotion(encoder, 4, hidden=12, context_tokens=8).eval()
    shake(network)
    graph = text_graph(network)
    assert list(graph.inputs) == ["input_ids", "attention_mask", "token_type_ids"]
    write(graph, tmp_path / "text.onnx")
    for batch, tokens, own in [(1, 1, 1), (1, 30, 12), (3, 7, 7), (2, 20, 3)]:
        ids, mask = torch.randint(2, 20, (batch, tokens)), torch.ones(batch, tokens, dtype=torch.int64)
        types = torch.zeros_like(ids)
        types[0, own:] = 1
        expected = network(ids, mask, types)
        for one, other in zip(run(tmp_path / "text.onnx", ids, mask, types), expected, strict=True):
            np.testing.assert_allclose(one, other.numpy(), atol=1e-4, rtol=1e-3)
