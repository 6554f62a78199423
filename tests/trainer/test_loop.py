"""The training loop: it learns, weights count, and a run that was cut off goes on as if it had not been."""

import numpy as np
import pytest
import torch
from torch import nn

from trainer import loop
from trainer.targets import one_hot

SCHEDULE = loop.Schedule(epochs=2, batch=8, rate=1e-2)


class Network(nn.Module):
    """A small network with dropout, which can be told to be cut off at a step."""

    def __init__(self, seed: int = 0, cut_at: int | None = None, dropout: float = 0.2) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.hidden, self.classifier, self.dropout = nn.Linear(2, 8), nn.Linear(8, 2), nn.Dropout(dropout)
        self.steps, self.cut_at = 0, cut_at

    def forward(self, input_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.steps += self.training
        if self.cut_at is not None and self.steps > self.cut_at:
            raise KeyboardInterrupt
        embedding = torch.relu(self.hidden(self.dropout(input_ids)))
        return self.classifier(embedding), embedding

    def penalty(self) -> torch.Tensor:
        return self.hidden.weight.new_zeros(())


def examples(count: int = 40) -> list[loop.Example]:
    """Return points left and right of a line, apart from each other."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % 2
    points = random.normal(0, 0.3, (count, 2)).astype(np.float32)
    points[:, 0] += 2 * labels - 1
    target = one_hot(labels, 2)
    return [{"input_ids": p, loop.TARGET: t} for p, t in zip(points, target, strict=True)]


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def guesses(network: nn.Module, rows: list[loop.Example]) -> torch.Tensor:
    return network(loop.stack(rows)["input_ids"])[0].argmax(1)


def test_a_separable_problem_is_learned(tmp_path):
    network, rows = Network(dropout=0.0), examples()
    loop.train(network, rows, loop.Schedule(20, 8, 1e-2, save_minutes=None), out=tmp_path, seed=0, quiet=True)
    assert guesses(network, rows).tolist() == [i % 2 for i in range(len(rows))]
    assert not network.training


def test_weights_of_targets_count(tmp_path):
    # Every point is there with either label, the wrong one twice but of a tenth of the weight.
    wrong = [{**row, loop.TARGET: row[loop.TARGET][::-1] * np.float32(0.1)} for row in examples()]
    rows = [*examples(), *wrong, *wrong]
    network = Network(dropout=0.0)
    loop.train(network, rows, loop.Schedule(20, 8, 1e-2, save_minutes=None), out=tmp_path, seed=0, quiet=True)
    assert guesses(network, rows).tolist() == [i % 2 for i in range(40)] * 3


def test_the_penalty_is_part_of_the_loss(tmp_path):
    class Penalised(Network):
        def penalty(self) -> torch.Tensor:
            return 10 * self.hidden.weight.square().sum()

    schedule = loop.Schedule(10, 8, 3e-2, save_minutes=None)
    norms = []
    for kind in (Network, Penalised):
        network = kind()
        loop.train(network, examples(), schedule, out=tmp_path, seed=0, quiet=True)
        norms.append(network.hidden.weight.norm().item())
    assert norms[1] < norms[0] / 3


def test_a_seed_gives_the_same_network_and_another_seed_another(tmp_path):
    networks = []
    for number, seed in enumerate((1, 1, 2)):
        network = Network()
        loop.train(network, examples(), SCHEDULE, out=tmp_path / str(number), seed=seed, quiet=True)
        networks.append(network)
    assert same(networks[0], networks[1])
    assert not same(networks[0], networks[2])


@pytest.mark.parametrize("by_length", [False, True])
def test_a_run_cut_off_in_its_second_epoch_resumes_to_the_same_weights(tmp_path, by_length):
    options = {"seed": 0, "quiet": True, "by_length": by_length}
    whole, cut, resumed = Network(), Network(cut_at=7), Network(seed=5)
    loop.train(whole, examples(), SCHEDULE, out=tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        loop.train(cut, examples(), SCHEDULE, out=tmp_path / "cut", **options)
    loop.train(resumed, examples(), SCHEDULE, out=tmp_path / "cut", resume=True, **options)
    assert resumed.steps == 5  # one epoch of 40 examples in batches of 8
    assert same(whole, resumed)


def test_resuming_with_nothing_to_resume_from_begins_anew(tmp_path):
    fresh, resumed = Network(), Network()
    loop.train(fresh, examples(), SCHEDULE, out=tmp_path / "a", seed=0, quiet=True)
    loop.train(resumed, examples(), SCHEDULE, out=tmp_path / "b", seed=0, quiet=True, resume=True)
    assert same(fresh, resumed)


def test_without_resume_an_earlier_run_is_not_gone_on_with(tmp_path):
    for _ in range(2):
        network = Network()
        loop.train(network, examples(), SCHEDULE, out=tmp_path, seed=0, quiet=True)
        assert network.steps == 10


def test_an_earlier_finished_run_is_not_mistaken_for_the_one_that_was_cut_off(tmp_path):
    earlier, wanted, cut, resumed = Network(seed=1), Network(seed=2), Network(seed=2, cut_at=2), Network(seed=2)
    loop.train(earlier, examples(), SCHEDULE, out=tmp_path / "runs", seed=1, quiet=True)
    loop.train(wanted, examples(), SCHEDULE, out=tmp_path / "wanted", seed=2, quiet=True)
    with pytest.raises(KeyboardInterrupt):
        loop.train(cut, examples(), SCHEDULE, out=tmp_path / "runs", seed=2, quiet=True)
    loop.train(resumed, examples(), SCHEDULE, out=tmp_path / "runs", seed=2, quiet=True, resume=True)
    assert not same(resumed, earlier)
    assert same(resumed, wanted)


def test_nothing_is_kept_where_nothing_is_worth_resuming(tmp_path):
    loop.train(Network(), examples(), loop.Schedule(1, 8, 1e-2, save_minutes=None), out=tmp_path, seed=0, quiet=True)
    assert not list(tmp_path.rglob("checkpoint-*"))


def test_stacking_joins_each_value_of_the_examples():
    batch = loop.stack(examples(6))
    assert batch["input_ids"].shape == (6, 2)
    assert batch[loop.TARGET].tolist() == [[1, 0], [0, 1]] * 3
