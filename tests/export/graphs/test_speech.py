"""The voice's graphs against the networks they were traced from."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from export.graphs.speech import WaveformEmotion, states_graph, waveform_graph
from export.graphs.torch_export import write
from trainer.speech.bilstm import AttentionBiLSTM, collate
from trainer.speech.is09 import IS09
from trainer.speech.modality import WINDOWS
from trainer.speech.network import SpeechEmotion, SpeechEmotionGraph, no_baseline


def check(found: list[np.ndarray], expected: tuple[torch.Tensor, ...]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other.numpy(), atol=1e-4, rtol=1e-3)


@pytest.fixture(scope="module")
def network() -> SpeechEmotion:
    torch.manual_seed(0)
    network = SpeechEmotion(4, width=6, features=8).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    network.fit_features(torch.randn(50, 5, 12), torch.ones(50))
    network.temperatures.copy_(torch.tensor([1.5, 2.5]))
    return network


@pytest.fixture(scope="module")
def graph(tmp_path_factory, network) -> Path:
    path = tmp_path_factory.mktemp("graph") / "speech.onnx"
    write(states_graph(network, 4), path)
    return path


@torch.no_grad()
def test_states(graph, network, run):
    for batch, states in [(1, 1), (1, 40), (3, 7), (2, 1500)]:
        hidden = torch.randn(batch, 5, states, 6)
        baseline, seconds = torch.randn(batch, 2, 8), 5 * torch.rand(batch, 2)
        for spoken in (
            torch.ones(batch, states),
            torch.zeros(batch, states),
            (torch.rand(batch, states) > 0.5).float(),
        ):
            check(
                run(graph, hidden, spoken, baseline, seconds),
                SpeechEmotionGraph(network)(hidden, spoken, baseline, seconds),
            )


@torch.no_grad()
@pytest.mark.parametrize("recordings", [0, 1, 2, 3, 64])
def test_a_baseline_may_have_any_number_of_recordings(graph, network, run, recordings):
    hidden, spoken = torch.randn(1, 5, 40, 6), torch.ones(1, 40)
    given = torch.randn(1, recordings, 8), 30 * torch.rand(1, recordings)
    found = run(graph, hidden, spoken, *given)
    check(found, SpeechEmotionGraph(network)(hidden, spoken, *given))
    alone = run(graph, hidden, spoken, *no_baseline(network))
    np.testing.assert_allclose(found[2], alone[2], atol=1e-5)  # the recording's own row
    assert np.allclose(found[0], alone[0], atol=1e-4) is (recordings == 0)


def test_the_axis_of_recordings_is_open_and_rows_are_as_wide_as_what_is_pooled(graph):
    session = ort.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    shapes = {end.name: end.shape for end in (*session.get_inputs(), *session.get_outputs())}
    assert shapes["baseline"][2] == shapes["pooled"][1] == 8
    assert all(isinstance(axis, str) for axis in (*shapes["baseline"][:2], *shapes["baseline_s"]))


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
