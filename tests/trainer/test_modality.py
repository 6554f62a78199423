"""A branch of any modality: targets, training on part of a corpus, and answers in the order asked."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from trainer import training_loop
from trainer.modality import BATCH, Branch, predict, train, weighted_targets

pytestmark = pytest.mark.usefixtures("quick_collection")


class Sum(nn.Module):
    """Sums each sequence, which padding does not change."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, -1.0]))
        self.sizes: list[tuple[int, int]] = []

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.sizes.append(tuple(values.shape))
        total = values.sum(1, keepdim=True)
        return total * self.weight, total

    def penalty(self) -> torch.Tensor:
        return self.weight.new_zeros(())


def collate(examples: list[training_loop.Example]) -> dict[str, torch.Tensor]:
    longest = max(len(e["values"]) for e in examples)
    values = np.stack([np.pad(e["values"], (0, longest - len(e["values"]))) for e in examples])
    batch = {"values": torch.from_numpy(values)}
    return batch | (
        {training_loop.TARGET: training_loop.stack(examples_of(examples))[training_loop.TARGET]}
        if training_loop.TARGET in examples[0]
        else {}
    )


def examples_of(examples: list[training_loop.Example]) -> list[training_loop.Example]:
    return [{training_loop.TARGET: e[training_loop.TARGET]} for e in examples]


def sequences(count: int) -> list[training_loop.Example]:
    random = np.random.default_rng(0)
    return [{"values": random.normal(size=random.integers(1, 30)).astype(np.float32)} for _ in range(count)]


def branch(count: int = 20, **changes: object) -> Branch:
    examples = sequences(count)
    made = Branch(
        name="sum",
        examples=examples,
        copies=[[e] for e in examples],
        collate=collate,
        fresh=lambda rows, seed: Sum(),
        schedule=training_loop.Schedule(epochs=1, batch=4, rate=1e-3, save_minutes=None),
        length="values",
    )
    return replace(made, **changes)


@pytest.mark.parametrize("count", [1, BATCH, 2 * BATCH + 7])
@pytest.mark.parametrize("length", ["values", None])
def test_answers_come_in_the_order_asked_whatever_shares_a_batch(count, length):
    made = branch(count, length=length)
    logits, embeddings = predict(Sum().train(), made.examples, made)
    expected = np.array([e["values"].sum() for e in made.examples])
    np.testing.assert_allclose(embeddings[:, 0], expected, atol=1e-4)
    np.testing.assert_allclose(logits, np.stack([expected, -expected], 1), atol=1e-4)


def test_like_lengths_share_a_batch():
    made = branch(4 * BATCH)
    network = Sum()
    predict(network, made.examples, made)
    longest = [steps for _, steps in network.sizes]
    assert min(longest) < 12 and max(longest) > 25  # of 1 to 29 each


def test_only_its_rows_are_trained_on_and_all_their_copies(tmp_path, monkeypatch):
    given = {}
    monkeypatch.setattr(
        training_loop, "train", lambda network, examples, *_, **options: given.update(e=examples, **options)
    )
    examples = [{"values": np.full(n + 1, n, np.float32)} for n in range(6)]
    made = branch(6, examples=examples, copies=[[e, {"values": e["values"] + 100}] for e in examples])
    train(made, np.array([4, 1]), np.array([0, 1, 0, 0, 1, 0]), 2, partial=tmp_path, seed=3)
    assert [e["values"][0] for e in given["e"]] == [4, 104, 1, 101]
    assert [e[training_loop.TARGET].argmax() for e in given["e"]] == [1, 1, 1, 1]
    assert (given["lengths"], given["seed"], given["resume"]) == ([5, 5, 2, 2], 3, False)


def test_fresh_networks_know_nothing_but_the_training_rows(tmp_path):
    seen = []

    def fresh(rows: np.ndarray, seed: int) -> nn.Module:
        seen.append((rows.tolist(), seed))
        return Sum()

    train(branch(fresh=fresh), np.array([2, 5, 7]), np.arange(20) % 2, 2, partial=tmp_path, seed=9, quiet=True)
    assert seen == [([2, 5, 7], 9)]


def test_each_class_weighs_alike_with_power_one():
    labels = np.array([0, 0, 0, 1])
    target = weighted_targets(labels, 2, 1.0, 0.0)
    assert target[:3].sum() == pytest.approx(target[3].sum())
    assert target.sum() == pytest.approx(4)
    np.testing.assert_array_equal(weighted_targets(labels, 2, 0.0, 0.0), np.eye(2)[labels])


def test_smoothing_spreads_a_share_over_all_labels():
    np.testing.assert_allclose(weighted_targets(np.array([1]), 4, 1.0, 0.2), [[0.05, 0.85, 0.05, 0.05]], rtol=1e-6)


def test_a_network_trains_towards_the_targets_that_the_branch_states(tmp_path, monkeypatch):
    seen: list[training_loop.Example] = []
    monkeypatch.setattr("trainer.modality.loop.train", lambda _, examples, *__, **___: seen.extend(examples))
    labels = np.array([1, 0, 0, 0, 0, 1])
    train(branch(6, class_power=0.5, smoothing=0.2), np.arange(5), labels, 2, partial=tmp_path, seed=0)
    found = np.stack([e[training_loop.TARGET] for e in seen])
    shares = found / found.sum(1, keepdims=True)
    np.testing.assert_allclose(shares, [[0.1, 0.9], *[[0.9, 0.1]] * 4], rtol=1e-6)
    assert found[0].sum() / found[1].sum() == pytest.approx(2)  # one of a class against four, to the power 0.5


def test_nothing_is_dropped_out_of_answers():
    class Dropping(Sum):
        def __init__(self) -> None:
            super().__init__()
            self.dropout = nn.Dropout(0.5)

        def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            logits, total = super().forward(values)
            return self.dropout(logits), total

    made = branch(20)
    network = Dropping().train()
    assert (predict(network, made.examples, made)[0] != 0).all()
