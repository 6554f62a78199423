"""The block as a branch: what it is shown, and what it starts from."""

import numpy as np
import pytest
import torch
from torch import nn

from trainer.config import Fusion
from trainer.fusion.modality import cases, fusion_modality, inputs
from trainer.fusion.network import FusionEmotion
from trainer.modality import Modality

SPEECH, TEXT = np.full((3, 4), 2, np.float32), np.full((3, 5), 3, np.float32)
CLASSIFIERS = (nn.Linear(4, 2), nn.Linear(5, 2))


def made(block: str) -> Modality:
    settings = Fusion(block)
    copies = zip(*(inputs(SPEECH, TEXT, present) for present in cases(settings).values()), strict=True)
    return fusion_modality(list(copies), CLASSIFIERS, ("a", "b"), settings)


@pytest.mark.parametrize(
    ("block", "shown"),
    [("product-of-experts", [[1, 1], [1, 0], [0, 1]]), ("feed-forward", [[1, 1]]), ("attention", [[1, 1]])],
)
def test_only_the_block_that_ships_learns_from_one_side_alone(block, shown):
    branch = made(block)
    for copies, example in zip(branch.copies, branch.examples, strict=True):
        assert [copy["present"].tolist() for copy in copies] == shown
        assert example["present"].tolist() == [1, 1]
        assert all((copy["speech_embedding"] == 2).all() and (copy["text_embedding"] == 3).all() for copy in copies)


def test_product_of_experts_starts_from_its_branches_own_answers():
    network = made("product-of-experts").fresh(np.arange(3), 0)
    assert isinstance(network, FusionEmotion)
    assert torch.equal(network.speech.weight, CLASSIFIERS[0].weight)
    assert torch.equal(network.text.weight, CLASSIFIERS[1].weight)


@pytest.mark.parametrize("block", ["product-of-experts", "feed-forward", "attention"])
def test_the_seed_decides_the_first_weights(block):
    branch = made(block)
    first, again, other = (
        torch.cat([p.flatten() for p in branch.fresh(np.arange(3), seed).parameters()]) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
