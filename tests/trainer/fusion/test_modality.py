"""The block as a branch: what it is shown, and what it starts from."""

import numpy as np
import pytest
import torch
from torch import nn

from trainer.config import Fusion
from trainer.fusion.modality import fusion_branch
from trainer.fusion.network import FusionEmotion

SPEECH, TEXT = np.full((3, 4), 2, np.float32), np.full((3, 5), 3, np.float32)
CLASSIFIERS = (nn.Linear(4, 2), nn.Linear(5, 2))


@pytest.mark.parametrize(
    ("block", "shown"), [("evidence", [[1, 1], [1, 0], [0, 1]]), ("feed-forward", [[1, 1]]), ("attention", [[1, 1]])]
)
def test_only_the_block_that_ships_learns_from_one_side_alone(block, shown):
    branch = fusion_branch(SPEECH, TEXT, CLASSIFIERS, ("a", "b"), Fusion(block))
    for copies, example in zip(branch.copies, branch.examples, strict=True):
        assert [copy["present"].tolist() for copy in copies] == shown
        assert example["present"].tolist() == [1, 1]
        assert all((copy["speech_embedding"] == 2).all() and (copy["text_embedding"] == 3).all() for copy in copies)


def test_evidence_starts_from_its_branches_own_answers():
    network = fusion_branch(SPEECH, TEXT, CLASSIFIERS, ("a", "b"), Fusion("evidence")).fresh(np.arange(3), 0)
    assert isinstance(network, FusionEmotion)
    assert torch.equal(network.speech.weight, CLASSIFIERS[0].weight)
    assert torch.equal(network.text.weight, CLASSIFIERS[1].weight)


@pytest.mark.parametrize("block", ["evidence", "feed-forward", "attention"])
def test_the_seed_decides_the_first_weights(block):
    branch = fusion_branch(SPEECH, TEXT, CLASSIFIERS, ("a", "b"), Fusion(block))
    first, again, other = (
        torch.cat([p.flatten() for p in branch.fresh(np.arange(3), seed).parameters()]) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
