"""The graphs that join both branches, against the blocks they were traced from."""

import numpy as np
import pytest
import torch

from export.graphs.fusion import ProductOfExperts, fusion_graph, product_graph, takes_evidence
from export.graphs.torch_export import write
from trainer.fusion.blocks import AttentionFusion, FeedForwardFusion
from trainer.fusion.gated import GatedFusion
from trainer.fusion.network import FusionEmotion

FLAGS = ([1.0, 1.0], [1.0, 0.0], [0.0, 1.0])


@torch.no_grad()
@pytest.mark.parametrize("block", [FusionEmotion, FeedForwardFusion, AttentionFusion])
def test_blocks(tmp_path, run, shake, block):
    network = block(4, speech=5, text=7).eval()
    shake(network)
    write(fusion_graph(network, (5, 7)), tmp_path / "fusion.onnx")
    for batch in (1, 4):
        speech, text = torch.randn(batch, 5), torch.randn(batch, 7)
        for flags in FLAGS:
            present = torch.tensor([flags] * batch)
            (found,) = run(tmp_path / "fusion.onnx", speech, text, present)
            np.testing.assert_allclose(found, network(speech, text, present)[0].numpy(), atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_a_block_that_takes_evidence_has_an_input_for_it(tmp_path, run, shake):
    network = GatedFusion(4, speech=5, text=7).eval()
    shake(network)
    network.gate.bias.fill_(0.1)
    graph = fusion_graph(network, (5, 7))
    assert graph.inputs == ["speech_embedding", "text_embedding", "present", "evidence"]
    assert takes_evidence(network)
    write(graph, tmp_path / "fusion.onnx")
    for batch in (1, 4):
        speech, text, told = torch.randn(batch, 5), torch.randn(batch, 7), torch.randn(batch, 4)
        for flags in FLAGS:
            present = torch.tensor([flags] * batch)
            (found,) = run(tmp_path / "fusion.onnx", speech, text, present, told)
            np.testing.assert_allclose(found, network(speech, text, present, told)[0].numpy(), atol=1e-4, rtol=1e-3)


def test_the_product_multiplies_probabilities_and_looks_only_at_what_is_there(tmp_path, run):
    write(product_graph(3, temperatures=(2.0, 1.0)), tmp_path / "fusion.onnx")
    speech, text = torch.tensor([[2.0, 0.0, -2.0]]), torch.tensor([[0.0, 3.0, 0.0]])
    voice, words = (speech / 2).softmax(1), text.softmax(1)
    for flags, expected in zip(FLAGS, (voice * words, voice, words), strict=True):
        (found,) = run(tmp_path / "fusion.onnx", speech, text, torch.tensor([flags]))
        torch.testing.assert_close(torch.from_numpy(found).softmax(1), expected / expected.sum())
    assert ProductOfExperts().temperatures == (1.0, 1.0)
