"""Fusion's network: an absent branch is not looked at, a present one is, and both begin as experts."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from trainer.fusion.network import FusionEmotion

SPEECH, TEXT, LABELS = 5, 7, 4
BOTH, VOICE, WORDS = (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)


@pytest.fixture(scope="module")
def network() -> FusionEmotion:
    """Return a network none of whose weights is zero, as after training."""
    torch.manual_seed(0)
    result = FusionEmotion(LABELS, speech=SPEECH, text=TEXT).eval()
    with torch.no_grad():
        for weights in result.parameters():
            weights.add_(torch.randn_like(weights) * 0.3)
    return result.requires_grad_(False)


def rows(count: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(count, SPEECH), torch.randn(count, TEXT)


@settings(max_examples=40)
@given(st.floats(-1e4, 1e4), st.sampled_from([VOICE, WORDS, (0.0, 0.0)]))
def test_the_embedding_of_an_absent_branch_does_not_change_the_answer(network, other, flags):
    speech, text = rows()
    present = torch.tensor([flags] * 3)
    before = network(speech, text, present)[0]
    changed = network(speech if flags[0] else speech + other, text if flags[1] else text * other, present)[0]
    torch.testing.assert_close(changed, before)


@pytest.mark.parametrize(("flags", "branch"), [(BOTH, 0), (BOTH, 1), (VOICE, 0), (WORDS, 1)])
def test_the_embedding_of_a_present_branch_changes_the_answer(network, flags, branch):
    before, after = list(rows()), list(rows())
    after[branch] += torch.ones(after[branch].shape[1]).cumsum(0)
    present = torch.tensor([flags] * 3)
    assert (network(*after, present)[0] - network(*before, present)[0]).abs().max() > 1e-4


def test_the_presence_flags_change_the_answer(network):
    speech, text = (part[:1].expand(3, -1) for part in rows())
    logits = network(speech, text, torch.tensor([BOTH, VOICE, WORDS]))[0]
    assert torch.pdist(logits).min() > 1e-3


def test_rows_of_a_batch_do_not_mix(network):
    speech, text = rows()
    present = torch.tensor([BOTH, VOICE, WORDS])
    together = network(speech, text, present)[0]
    assert together.shape == (3, LABELS)
    for i in range(3):
        alone = network(speech[i : i + 1], text[i : i + 1], present[i : i + 1])[0]
        torch.testing.assert_close(alone, together[i : i + 1])


@torch.no_grad()
def test_a_fresh_network_is_the_product_of_the_adopted_experts():
    speech, text = rows()
    voice, words = nn.Linear(SPEECH, LABELS), nn.Linear(TEXT, LABELS)
    fresh = FusionEmotion(LABELS, speech=SPEECH, text=TEXT).eval()
    fresh.adopt(voice, words)
    product = (voice(speech).softmax(1) * words(text).softmax(1)).log()
    for flags, expected in ((BOTH, product), (VOICE, voice(speech)), (WORDS, words(text))):
        found = fresh(speech, text, torch.tensor([flags] * 3))[0]
        torch.testing.assert_close(found.softmax(1), expected.softmax(1))


def test_adopted_experts_stay_as_they_are_while_fusion_learns():
    torch.manual_seed(0)
    fresh = FusionEmotion(LABELS, speech=SPEECH, text=TEXT)
    fresh.adopt(nn.Linear(SPEECH, LABELS), nn.Linear(TEXT, LABELS))
    fresh(*rows(), torch.ones(3, 2))[0].sum().backward()
    learned = {name for name, weights in fresh.named_parameters() if weights.grad is not None}
    assert {"trust", "correction.weight"} <= learned
    assert not any(name.startswith(("speech.", "text.")) for name in learned)


def test_adopted_classifiers_are_frozen_copies():
    network = FusionEmotion(LABELS, speech=SPEECH, text=TEXT)
    speech, text = nn.Linear(SPEECH + 1, LABELS), nn.Linear(TEXT, LABELS)
    network.adopt(speech, text)
    assert network.speech.weight is not speech.weight and torch.equal(network.speech.weight, speech.weight)
    assert not any(p.requires_grad for layer in (network.speech, network.text) for p in layer.parameters())
    assert speech.weight.requires_grad
