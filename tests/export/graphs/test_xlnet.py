"""XLNet as matrix products is transformers' XLNet, and quantises where that does not."""

import onnx
import pytest
import torch
from transformers import XLNetConfig, XLNetModel

from export.graphs.text import text_graph
from export.graphs.torch_export import write
from export.graphs.xlnet import XLNetEncoder
from trainer.text.network import TextEmotion


def model(**options) -> XLNetModel:
    torch.manual_seed(0)
    network = XLNetModel(XLNetConfig(vocab_size=30, d_model=16, n_layer=2, n_head=2, d_inner=32, **options)).eval()
    with torch.no_grad():
        for weights in network.parameters():
            weights.normal_(0, 0.3)
    return network


@torch.no_grad()
@pytest.mark.parametrize("clamp", [-1, 3])
@pytest.mark.parametrize("segments", [False, True])
@pytest.mark.parametrize("tokens", [1, 2, 9])
def test_our_xlnet_encoder_answers_as_that_of_transformers(clamp, segments, tokens):
    theirs = model(clamp_len=clamp)
    ours = XLNetEncoder(theirs).eval()
    ids, mask = torch.randint(0, 30, (3, tokens)), torch.ones(3, tokens)
    mask[1, tokens // 2 + 1 :] = 0
    mask[2, : tokens // 2] = 0
    types = torch.randint(0, 2, (3, tokens)) if segments else None
    expected = theirs(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state
    found = ours(ids, mask, types)["last_hidden_state"]
    here = mask.bool()
    torch.testing.assert_close(found[here], expected[here], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("options", [{"attn_type": "uni"}, {"bi_data": True}])
def test_what_it_would_get_wrong_is_refused(options):
    with pytest.raises(ValueError, match="attn_type"):
        XLNetEncoder(model(**options))


@torch.no_grad()
def test_the_graph_has_products_to_quantise_and_answers_alike(tmp_path, run):
    network = TextEmotion(model(), 4, hidden=8).eval()
    write(text_graph(network), tmp_path / "text.onnx")
    kinds = [node.op_type for node in onnx.load(tmp_path / "text.onnx").graph.node]
    assert "Einsum" not in kinds
    assert kinds.count("MatMul") >= 2 * 7
    ids, mask = torch.randint(0, 30, (2, 7)), torch.ones(2, 7, dtype=torch.int64)
    for one, other in zip(run(tmp_path / "text.onnx", ids, mask), network(ids, mask), strict=True):
        torch.testing.assert_close(torch.from_numpy(one), other, atol=1e-4, rtol=1e-3)
    assert isinstance(network.encoder, XLNetModel)
