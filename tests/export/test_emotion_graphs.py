"""The graphs of speech emotion, text emotion and fusion against the networks they were traced from."""

import numpy as np
import pytest
import torch
from torch import nn

from export.emotion import export_fusion, export_speech, export_text
from trainer.fusion.network import FusionEmotion
from trainer.speech.network import SpeechEmotion, SpeechEmotionGraph
from trainer.text.network import TextEmotion

SIZES = [(1, 1), (1, 40), (3, 7), (2, 1500)]


def check(found: list[np.ndarray], expected: tuple[torch.Tensor, ...]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other.numpy(), atol=1e-4, rtol=1e-3)


def shake(network: nn.Module) -> None:
    """Make every weight matter, also those that begin at zero."""
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(torch.randn_like(weights) * 0.2)


@torch.no_grad()
def test_speech(tmp_path, run):
    torch.manual_seed(0)
    network = SpeechEmotion(4, width=6)
    shake(network)
    network.standardise(torch.randn(50, 5, 12))
    export_speech(network, 4, tmp_path / "speech.onnx")
    for batch, states in SIZES:
        hidden = torch.randn(batch, 5, states, 6)
        for spoken in (
            torch.ones(batch, states),
            torch.zeros(batch, states),
            (torch.rand(batch, states) > 0.5).float(),
        ):
            check(run(tmp_path / "speech.onnx", hidden, spoken), SpeechEmotionGraph(network)(hidden, spoken))


@torch.no_grad()
def test_text(tmp_path, run, tiny_bert):
    torch.manual_seed(0)
    network = TextEmotion(tiny_bert, 4, hidden=12).eval()
    export_text(network, tmp_path / "text.onnx")
    for batch, tokens in [(1, 1), (1, 30), (3, 7), (2, 64)]:
        ids, mask = torch.randint(0, 20, (batch, tokens)), torch.ones(batch, tokens, dtype=torch.int64)
        mask[0, tokens // 2 + 1 :] = 0
        check(run(tmp_path / "text.onnx", ids, mask), network(ids, mask))


@torch.no_grad()
@pytest.mark.parametrize("batch", [1, 4])
def test_fusion(tmp_path, run, batch):
    torch.manual_seed(0)
    network = FusionEmotion(4, speech=5, text=7).eval()
    shake(network)
    export_fusion(network, tmp_path / "fusion.onnx")
    speech, text = torch.randn(batch, 5), torch.randn(batch, 7)
    for flags in ([1.0, 1.0], [1.0, 0.0], [0.0, 1.0]):
        present = torch.tensor([flags] * batch)
        check(run(tmp_path / "fusion.onnx", speech, text, present), network(speech, text, present)[:1])
