"""The voice's graphs against the networks they were traced from."""

import numpy as np
import pytest
import torch

from export.graphs.speech import WaveformEmotion, states_graph, waveform_graph
from export.graphs.torch_export import write
from trainer.speech.bilstm import AttentionBiLSTM, collate
from trainer.speech.is09 import IS09
from trainer.speech.modality import WINDOWS
from trainer.speech.network import SpeechEmotion, SpeechEmotionGraph


def check(found: list[np.ndarray], expected: tuple[torch.Tensor, ...]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other.numpy(), atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_states(tmp_path, run, shake):
    network = SpeechEmotion(4, width=6)
    shake(network)
    network.standardise(torch.randn(50, 5, 12))
    write(states_graph(network, 4), tmp_path / "speech.onnx")
    for batch, states in [(1, 1), (1, 40), (3, 7), (2, 1500)]:
        hidden = torch.randn(batch, 5, states, 6)
        for spoken in (
            torch.ones(batch, states),
            torch.zeros(batch, states),
            (torch.rand(batch, states) > 0.5).float(),
        ):
            check(run(tmp_path / "speech.onnx", hidden, spoken), SpeechEmotionGraph(network)(hidden, spoken))


@torch.no_grad()
@pytest.mark.parametrize("masked", [True, False])
def test_the_papers_network_from_the_waveform(tmp_path, run, masked):
    torch.manual_seed(0)
    network = AttentionBiLSTM(4, width=8, attention=8, masked=masked).eval()
    network.standardise([IS09()(0.1 * torch.randn(1, 32_000))[0]])
    write(waveform_graph(network), tmp_path / "speech.onnx")
    for samples in (300, 3_200, 32_001, 13 * 16_000):
        wave = 0.1 * torch.randn(1, samples)
        check(run(tmp_path / "speech.onnx", wave), WaveformEmotion(network)(wave))
        windows = IS09(max_windows=WINDOWS)(wave)[0]
        trained_on = collate([{"windows": windows}], length=None if masked else WINDOWS)
        torch.testing.assert_close(WaveformEmotion(network)(wave)[0], network(**trained_on)[0])
