"""The paper's speech network: masks, its reading of time, and what it learns."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from trainer.speech.bilstm import AttentionBiLSTM, _BiLSTM, collate


@pytest.fixture(scope="module")
def network() -> AttentionBiLSTM:
    torch.manual_seed(0)
    return AttentionBiLSTM(4, features=6, width=5, attention=7, filter_size=4).eval()


def turned(lengths: list[int], steps: int) -> torch.Tensor:
    return torch.tensor([[n - 1 - t if t < n else t for t in range(steps)] for n in lengths])


@torch.no_grad()
def test_both_directions_are_those_of_packed_sequences():
    torch.manual_seed(1)
    layer = _BiLSTM(3, 4)
    reference = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
    for name, value in reference.named_parameters():
        one = layer.back if name.endswith("_reverse") else layer.ahead
        getattr(one, name.removesuffix("_reverse")).copy_(value)
    x, lengths = torch.randn(3, 7, 3), [7, 4, 1]
    packed = pack_padded_sequence(x, torch.tensor(lengths), batch_first=True)
    expected = pad_packed_sequence(reference(packed)[0], batch_first=True)[0]
    found = layer(x, turned(lengths, 7))
    for row, n in enumerate(lengths):
        torch.testing.assert_close(found[row, :n], expected[row, :n])


@torch.no_grad()
@pytest.mark.parametrize("filler", [0.0, 100.0])
def test_padding_and_other_rows_of_a_batch_do_not_change_the_answer(network, filler):
    clip = torch.randn(1, 9, 6)
    alone = network(clip, torch.ones(1, 9))
    windows = torch.full((2, 14, 6), filler)
    windows[0, :9] = clip
    windows[1] = torch.randn(14, 6)
    mask = torch.ones(2, 14)
    mask[0, 9:] = 0
    together = network(windows, mask)
    for one, two in zip(alone, together, strict=True):
        torch.testing.assert_close(two[:1], one, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_without_a_mask_padding_counts_as_in_the_paper():
    torch.manual_seed(0)
    network = AttentionBiLSTM(4, features=6, width=5, masked=False).eval()
    clip = torch.randn(9, 6)
    short, long = (network(**collate([{"windows": clip}], length=n))[0] for n in (9, 20))
    assert (short - long).abs().max() > 1e-3


@torch.no_grad()
def test_the_order_of_windows_changes_the_answer_in_both_directions(network):
    clip = torch.randn(1, 12, 6)
    mask = torch.ones(1, 12)
    assert (network(clip, mask)[0] - network(clip.flip(1), mask)[0]).abs().max() > 1e-4


def test_shapes_are_the_papers():
    network = AttentionBiLSTM(4, attention=64)
    assert network.tdnn.kernel_size == (16,)
    assert [layer.ahead.hidden_size for layer in (network.first, network.second)] == [64, 64]
    assert network.scorer[0].out_features == 64
    logits, embedding = network(torch.randn(2, 20, 384), torch.ones(2, 20))
    assert logits.shape == (2, 4) and embedding.shape == (2, 256)


def test_standardising_learns_centre_and_spread_of_all_windows():
    network = AttentionBiLSTM(2, features=2)
    network.standardise([torch.tensor([[0.0, 5.0], [2.0, 5.0]]), torch.tensor([[4.0, 5.0]])])
    assert network.standardizer.mean.tolist() == [2.0, 5.0]
    assert network.standardizer.std[0] == pytest.approx((8 / 3) ** 0.5)
    assert network.standardizer.std[1] > 0  # of a feature that never changes


@torch.no_grad()
def test_an_outlier_leaves_the_logits_finite_and_small(network):
    clip = torch.randn(1, 12, 6)
    loud = clip.clone()
    loud[0, 3, 2] = 1e9
    logits = network(loud, torch.ones(1, 12))[0]
    assert torch.isfinite(logits).all() and logits.abs().max() < 100


def test_collating_pads_with_zeros_and_marks_them():
    rows = [{"windows": np.ones((n, 3), np.float32)} for n in (2, 5)]
    batch = collate(rows)
    assert batch["windows"].shape == (2, 5, 3) and batch["mask"].sum(1).tolist() == [2, 5]
    assert batch["windows"][0, 2:].abs().sum() == 0


def test_weights_of_version_0_1_are_read_under_their_new_names():
    network = AttentionBiLSTM(3, features=2)
    old = network.state_dict()
    old["centre"], old["scale"] = (old.pop(f"standardizer.{name}") for name in ("mean", "std"))
    AttentionBiLSTM(3, features=2).load_state_dict(old, strict=True)
