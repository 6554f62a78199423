"""The paper's fusion blocks, and both branches as one network."""

import pytest
import torch
from torch import nn

from trainer.fusion.blocks import AttentionFusion, FeedForwardFusion, Joint

BLOCKS = [FeedForwardFusion, AttentionFusion]


def rows(n: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(n, 6), torch.randn(n, 10)


@pytest.fixture(params=BLOCKS)
def block(request) -> nn.Module:
    torch.manual_seed(0)
    return request.param(4, speech=6, text=10).eval()


@torch.no_grad()
def test_each_branch_changes_the_logits(block):
    speech, text = rows()
    both = torch.ones(3, 2)
    logits = block(speech, text, both)[0]
    assert logits.shape == (3, 4)
    for other in (block(-speech, text, both)[0], block(speech, -text, both)[0]):
        assert (logits - other).abs().max() > 1e-3


@torch.no_grad()
def test_an_absent_branch_does_not_change_the_logits(block):
    speech, text = rows()
    voice_only = torch.tensor([[1.0, 0.0]]).expand(3, -1)
    torch.testing.assert_close(block(speech, text, voice_only)[0], block(speech, 50 * text, voice_only)[0])


@torch.no_grad()
def test_the_scale_of_an_embedding_does_not_decide_its_weight(block):
    speech, text = rows()
    both = torch.ones(3, 2)
    torch.testing.assert_close(block(speech, text, both)[0], block(speech, 9 * text, both)[0], atol=1e-3, rtol=1e-3)


class Branch(nn.Module):
    """A branch of one layer."""

    def __init__(self, name: str, inputs: int, width: int) -> None:
        super().__init__()
        self.name, self.layer = name, nn.Linear(inputs, width)

    def forward(self, **inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert set(inputs) == {self.name}
        embedding = self.layer(inputs[self.name])
        return embedding[:, :4], embedding


def test_joint_fine_tuning_reaches_every_part():
    joint = Joint(Branch("pooled", 2, 6), Branch("ids", 3, 10), FeedForwardFusion(4, speech=6, text=10))
    logits, _ = joint(speech_pooled=torch.randn(5, 2), text_ids=torch.randn(5, 3))
    assert logits.shape == (5, 4)
    logits.square().sum().backward()
    for part in (joint.speech.layer, joint.text.layer, joint.block.classifier):
        assert part.weight.grad.abs().sum() > 0
