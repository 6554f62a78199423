"""Fusion with a gate: doubtful words leave the voice's answer as it is."""

import pytest
import torch
from torch import nn

from edge_runtime.inference.asr import SURE
from edge_runtime.inference.evidence import NAMES
from trainer.fusion import checkpoint
from trainer.fusion.gated import NUMBERS, GatedFusion

SPEECH, TEXT, LABELS = 5, 7, 4
BOTH = torch.ones(3, 2)


@pytest.fixture
def network() -> GatedFusion:
    """Return a network whose gate is open above a mean log-probability of about -0.5, and shut below."""
    torch.manual_seed(0)
    result = GatedFusion(LABELS, speech=SPEECH, text=TEXT).eval().requires_grad_(False)
    result.standardizer.fit(torch.tensor([[-1.0, -3.0, 2.0, 0.8], [0.0, -1.0, 3.0, 1.0]]))
    result.gate.weight.copy_(torch.tensor([[2.0, 0.0, 0.0, 0.0]]))
    result.gate.bias.zero_()
    result.trust.fill_(0.7)
    result.offset.copy_(torch.tensor([-0.5, 0.1, 0.2, 0.0]))
    return result


def rows() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(3, SPEECH), torch.randn(3, TEXT)


def told(mean: float) -> torch.Tensor:
    return torch.tensor([[mean, -2.0, 2.5, 0.9]] * 3)


def test_it_reads_as_many_numbers_as_the_runtime_knows():
    assert len(NAMES) == NUMBERS


def test_of_doubtful_words_and_without_words_the_answer_is_the_voice_s(network):
    speech, text = rows()
    voice = network.speech(speech).softmax(1)
    doubtful, gate = network(speech, text, BOTH, told(-1.0))
    assert (gate == 0).all()
    torch.testing.assert_close(doubtful.softmax(1), voice)
    alone = network(speech, text, torch.tensor([[1.0, 0.0]] * 3), torch.zeros(3, NUMBERS))[0]
    torch.testing.assert_close(alone.softmax(1), voice)


def test_clear_words_add_their_log_probabilities_and_an_offset_times_a_trust(network):
    speech, text = rows()
    logits, gate = network(speech, text, BOTH, told(0.0))
    assert (gate == 1).all()
    expected = network.speech(speech) + 0.7 * (network.text(text) + network.offset)
    torch.testing.assert_close(logits.softmax(1), expected.softmax(1))


def test_the_surer_the_words_the_more_they_count(network):
    speech, text = rows()
    gates = [network(speech, text, BOTH, told(mean))[1][0, 0].item() for mean in (-1.0, -0.6, -0.5, -0.4, 0.0)]
    assert gates == sorted(set(gates))


def test_it_begins_shut_for_doubtful_words_and_open_for_clear_ones():
    fresh = GatedFusion(LABELS, speech=SPEECH, text=TEXT)
    means = torch.linspace(-1.5, 0, 30)
    fresh.fit_evidence(torch.stack([means, means - 1, torch.full((30,), 2.5), torch.ones(30)], dim=1), 0, SURE)
    gates = [fresh(*rows(), BOTH, told(mean))[1][0, 0].item() for mean in (-1.5, SURE, 0.0)]
    assert gates == pytest.approx([0.0, 0.5, 1.0], abs=1e-3)


def test_branches_stay_as_they_are_while_the_gate_learns():
    fresh = GatedFusion(LABELS, speech=SPEECH, text=TEXT)
    fresh.adopt(nn.Linear(SPEECH, LABELS), nn.Linear(TEXT, LABELS))
    fresh(*rows(), BOTH, told(-0.5))[0][:, 0].sum().backward()
    learned = {name for name, weights in fresh.named_parameters() if weights.grad is not None}
    assert learned == {"gate.weight", "gate.bias", "trust", "offset"}


def test_a_checkpoint_gives_the_same_answers(network, tmp_path):
    for name in ("speech", "text"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights.safetensors").write_bytes(name.encode())
    branches = {name: tmp_path / name for name in ("speech", "text")}
    checkpoint.write(tmp_path / "fusion", network, branches, {"labels": list("abcd")})
    again, config = checkpoint.restore(tmp_path / "fusion")
    assert isinstance(again, GatedFusion)
    assert config["kind"] == "fusion-gated"
    torch.testing.assert_close(again.eval()(*rows(), BOTH, told(-0.4)), network(*rows(), BOTH, told(-0.4)))
