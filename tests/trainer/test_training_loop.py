"""The training loop: it learns, weights count, and a run that was cut off goes on as if it had not been."""

import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

from trainer import training_loop
from trainer.folders import failed_write
from trainer.modality import one_hot

pytestmark = pytest.mark.usefixtures("quick_collection")
SCHEDULE = training_loop.Schedule(epochs=2, batch_size=8, learning_rate=1e-2)


def killed() -> None:
    raise KeyboardInterrupt


def asked() -> None:
    signal.raise_signal(signal.SIGINT)


def told() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


class Network(nn.Module):
    """A small network with dropout, which can be told what befalls it after so many steps."""

    def __init__(
        self, seed: int = 0, cut_at: int | None = None, dropout: float = 0.2, befalls: Callable[[], None] | None = None
    ) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.hidden, self.classifier, self.dropout = nn.Linear(2, 8), nn.Linear(8, 2), nn.Dropout(dropout)
        self.steps, self.cut_at, self.befalls = 0, cut_at, befalls or killed

    def forward(self, input_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.steps += self.training
        if self.training and self.steps - 1 == self.cut_at:
            self.befalls()
        embedding = torch.relu(self.hidden(self.dropout(input_ids)))
        return self.classifier(embedding), embedding

    def penalty(self) -> torch.Tensor:
        return self.hidden.weight.new_zeros(())


def examples(count: int = 40) -> list[training_loop.Example]:
    """Return points left and right of a line, apart from each other."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % 2
    points = random.normal(0, 0.3, (count, 2)).astype(np.float32)
    points[:, 0] += 2 * labels - 1
    target = one_hot(labels, 2, 0.0)
    return [{"input_ids": p, training_loop.TARGET: t} for p, t in zip(points, target, strict=True)]


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def guesses(network: nn.Module, rows: list[training_loop.Example]) -> torch.Tensor:
    return network(training_loop.stack(rows)["input_ids"])[0].argmax(1)


def test_a_separable_problem_is_learned(tmp_path):
    network, rows = Network(dropout=0.0), examples()
    training_loop.train(
        network, rows, training_loop.Schedule(20, 8, 1e-2, save_minutes=None), out=tmp_path, seed=0, quiet=True
    )
    assert guesses(network, rows).tolist() == [i % 2 for i in range(len(rows))]
    assert not network.training


def test_the_loss_weights_each_target_by_its_sum(tmp_path):
    # Every point is there with either label, the wrong one twice but of a tenth of the weight.
    wrong = [{**row, training_loop.TARGET: row[training_loop.TARGET][::-1] * np.float32(0.1)} for row in examples()]
    rows = [*examples(), *wrong, *wrong]
    network = Network(dropout=0.0)
    training_loop.train(
        network, rows, training_loop.Schedule(20, 8, 1e-2, save_minutes=None), out=tmp_path, seed=0, quiet=True
    )
    assert guesses(network, rows).tolist() == [i % 2 for i in range(40)] * 3


def test_the_penalty_is_part_of_the_loss(tmp_path):
    class Penalised(Network):
        def penalty(self) -> torch.Tensor:
            return 10 * self.hidden.weight.square().sum()

    class PenalisedPart(Network):
        def __init__(self) -> None:
            super().__init__()
            self.hidden.penalty = lambda: 10 * self.hidden.weight.square().sum()

    schedule = training_loop.Schedule(10, 8, 3e-2, save_minutes=None)
    norms = []
    for kind in (Network, Penalised, PenalisedPart):
        network = kind()
        training_loop.train(network, examples(), schedule, out=tmp_path, seed=0, quiet=True)
        norms.append(network.hidden.weight.norm().item())
    assert norms[1] < norms[0] / 3
    assert norms[2] == pytest.approx(norms[1])


def test_members_that_answer_alike_learn_what_one_network_learns(tmp_path):
    class Twins(Network):
        def forward(self, input_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            logits, embedding = super().forward(input_ids)
            return torch.stack([logits, logits], dim=1), embedding

    one, twins = Network(dropout=0.0), Twins(dropout=0.0)
    curves = [
        training_loop.train(network, examples(), SCHEDULE, out=tmp_path / str(i), seed=0, quiet=True)
        for i, network in enumerate((one, twins))
    ]
    assert [point.loss for point in curves[0]] == pytest.approx([point.loss for point in curves[1]], abs=1e-6)
    for mine, other in zip(one.parameters(), twins.parameters(), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-6, rtol=1e-5)


def test_a_seed_gives_the_same_network_and_another_seed_another(tmp_path):
    networks = []
    for number, seed in enumerate((1, 1, 2)):
        network = Network()
        training_loop.train(network, examples(), SCHEDULE, out=tmp_path / str(number), seed=seed, quiet=True)
        networks.append(network)
    assert same(networks[0], networks[1])
    assert not same(networks[0], networks[2])


LENGTHS = [1 + i % 7 for i in range(41)]


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["random", "like lengths"])
@pytest.mark.parametrize("befalls", [asked, told])
@pytest.mark.parametrize("step", [0, 4, 5, 7, 10])  # the first, around the epoch's end, within one, the last
def test_an_interrupt_ends_the_step_and_resuming_gives_what_an_uninterrupted_run_gives(
    tmp_path, lengths, befalls, step
):
    options = {"seed": 0, "quiet": True, "lengths": lengths}
    rows = examples(41)
    whole, cut, resumed = Network(), Network(cut_at=step, befalls=befalls), Network(seed=5)
    training_loop.train(whole, rows, SCHEDULE, out=tmp_path / "whole", **options)
    assert whole.steps == 11  # two epochs of 41 examples, end to end, in batches of 8
    with pytest.raises(KeyboardInterrupt):
        training_loop.train(cut, rows, SCHEDULE, out=tmp_path / "cut", **options)
    assert cut.steps == step + 1
    training_loop.train(resumed, rows, SCHEDULE, out=tmp_path / "cut", resume=True, **options)
    assert resumed.steps == 11 - (step + 1)
    assert same(whole, resumed)


def test_a_run_interrupted_twice_gives_the_uninterrupted_network(tmp_path):
    whole, resumed = Network(), Network(seed=6)
    training_loop.train(whole, examples(), SCHEDULE, out=tmp_path / "whole", seed=0, quiet=True)
    for network in (Network(cut_at=2, befalls=asked), Network(seed=4, cut_at=3, befalls=told)):
        with pytest.raises(KeyboardInterrupt):
            training_loop.train(network, examples(), SCHEDULE, out=tmp_path / "cut", seed=0, quiet=True, resume=True)
    training_loop.train(resumed, examples(), SCHEDULE, out=tmp_path / "cut", seed=0, quiet=True, resume=True)
    assert resumed.steps == 10 - 3 - 4
    assert same(whole, resumed)


def test_a_second_interrupt_does_not_wait_for_the_step(tmp_path):
    def twice() -> None:
        asked()
        asked()
        raise AssertionError("the step went on")

    with pytest.raises(KeyboardInterrupt):
        training_loop.train(Network(cut_at=2, befalls=twice), examples(), SCHEDULE, out=tmp_path, seed=0, quiet=True)


@pytest.mark.parametrize("befalls", [asked, killed, None])
def test_signals_mean_afterwards_what_they_meant_before(tmp_path, befalls):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    network = Network(cut_at=2 if befalls else None, befalls=befalls)
    with pytest.raises(KeyboardInterrupt) if befalls else nullcontext():
        training_loop.train(network, examples(), SCHEDULE, out=tmp_path, seed=0, quiet=True)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_ignored_at_the_start_is_ignored_while_training(tmp_path):
    network, before = Network(cut_at=2, befalls=asked), signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        training_loop.train(network, examples(), SCHEDULE, out=tmp_path, seed=0, quiet=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert network.steps == 10


def test_training_works_in_a_thread_which_gets_no_signals(tmp_path):
    network, rows = Network(), examples()
    thread = threading.Thread(
        target=training_loop.train, args=(network, rows, SCHEDULE), kwargs={"out": tmp_path, "seed": 0}
    )
    thread.start()
    thread.join()
    assert network.steps == 10


EVERY_STEP = training_loop.Schedule(epochs=2, batch_size=8, learning_rate=1e-2, save_minutes=0.0)


def test_a_kill_costs_no_more_than_what_was_done_since_the_last_checkpoint(tmp_path):
    whole, cut, resumed = Network(), Network(cut_at=7), Network(seed=5)
    training_loop.train(whole, examples(), EVERY_STEP, out=tmp_path / "whole", seed=0, quiet=True)
    with pytest.raises(KeyboardInterrupt):
        training_loop.train(cut, examples(), EVERY_STEP, out=tmp_path / "cut", seed=0, quiet=True)
    assert [p.name for p in (tmp_path / "cut").iterdir()] == ["checkpoint-7"]  # those before it are gone
    training_loop.train(resumed, examples(), EVERY_STEP, out=tmp_path / "cut", seed=0, quiet=True, resume=True)
    assert resumed.steps == 3
    assert same(whole, resumed)


@pytest.mark.parametrize("state", [None, '{"epoch": 0.'])
def test_a_checkpoint_whose_writing_was_cut_short_is_passed_over(tmp_path, state):
    whole, cut, resumed = Network(), Network(cut_at=7, befalls=asked), Network(seed=5)
    training_loop.train(whole, examples(), SCHEDULE, out=tmp_path / "whole", seed=0, quiet=True)
    with pytest.raises(KeyboardInterrupt):
        training_loop.train(cut, examples(), SCHEDULE, out=tmp_path / "cut", seed=0, quiet=True)
    half = tmp_path / "cut" / "checkpoint-9"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    if state is not None:
        (half / "trainer_state.json").write_text(state)
    training_loop.train(resumed, examples(), SCHEDULE, out=tmp_path / "cut", seed=0, quiet=True, resume=True)
    assert resumed.steps == 2
    assert same(whole, resumed)


@pytest.mark.parametrize("kilobytes", [20, 44, 48, 64])  # in the first checkpoint's files, in the second's
def test_a_disk_that_fills_leaves_the_checkpoint_before(tmp_path, small_disk, kilobytes):
    whole, cut, resumed = Network(), Network(), Network()
    training_loop.train(whole, examples(), EVERY_STEP, out=tmp_path / "whole", seed=0, quiet=True)
    out = small_disk(kilobytes) / "run"
    with pytest.raises(Exception) as failure:
        training_loop.train(cut, examples(), EVERY_STEP, out=out, seed=0, quiet=True)
    assert failed_write(failure.value)
    assert cut.steps == (1 if kilobytes < 44 else 2)
    small_disk(1000)
    training_loop.train(resumed, examples(), EVERY_STEP, out=out, seed=0, quiet=True, resume=True)
    assert resumed.steps == 10 - (cut.steps - 1)
    assert same(whole, resumed)


def test_a_training_without_checkpoints_begins_anew_after_an_interrupt(tmp_path):
    schedule = training_loop.Schedule(epochs=2, batch_size=8, learning_rate=1e-2, save_minutes=None)
    with pytest.raises(KeyboardInterrupt):
        training_loop.train(Network(cut_at=3, befalls=asked), examples(), schedule, out=tmp_path, seed=0, quiet=True)
    again = Network()
    training_loop.train(again, examples(), schedule, out=tmp_path, seed=0, quiet=True, resume=True)
    assert again.steps == 10


def test_the_learning_curve_covers_all_epochs_and_falls(tmp_path):
    schedule = training_loop.Schedule(epochs=10, batch_size=8, learning_rate=1e-2)
    curve = training_loop.train(Network(dropout=0.0), examples(41), schedule, out=tmp_path, seed=0, quiet=True)
    epochs = [point.epoch for point in curve]
    assert epochs == sorted(epochs) and len(set(epochs)) == len(epochs)
    assert 10 <= len(curve) <= 52  # steps; as many as LOGS_AN_EPOCH asks for, or the next that divide them
    assert 9.5 < epochs[-1] <= 10
    assert curve[-1].loss < 0.7 * curve[0].loss
    json.dumps([vars(point) for point in curve])


def test_the_curve_is_the_loss_on_the_examples(tmp_path):
    network, rows = Network(dropout=0.0), examples(8)
    target = torch.as_tensor(np.stack([row[training_loop.TARGET] for row in rows]))
    logits = network(training_loop.stack(rows)["input_ids"])[0].detach()
    expected = torch.nn.functional.cross_entropy(logits, target).item()
    curve = training_loop.train(network, rows, training_loop.Schedule(1, 8, 1e-2), out=tmp_path, seed=0, quiet=True)
    assert [(point.epoch, point.loss) for point in curve] == [(1.0, pytest.approx(expected, abs=1e-4))]


def test_like_lengths_share_a_batch_and_every_example_is_seen_as_often(tmp_path):
    rows = [{**row, "number": np.float32(i)} for i, row in enumerate(examples(41))]
    batches: list[list[int]] = []

    def collate(chosen: list[training_loop.Example]) -> dict[str, torch.Tensor]:
        batches.append([int(e["number"]) for e in chosen])
        return training_loop.stack([{k: v for k, v in e.items() if k != "number"} for e in chosen])

    training_loop.train(
        Network(), rows, SCHEDULE, out=tmp_path, seed=0, quiet=True, collate=collate, lengths=LENGTHS
    )  # fmt: skip
    assert [len(b) for b in batches] == [8] * 10 + [2]
    assert sorted(i for b in batches for i in b) == sorted([*range(41), *range(41)])
    spreads = [max(LENGTHS[i] for i in b) - min(LENGTHS[i] for i in b) for b in batches]
    assert max(spreads) <= 2 < np.ptp(LENGTHS)
    means = [np.mean([LENGTHS[i] for i in b]) for b in batches]
    assert means != sorted(means)  # the batches themselves come in random order


def test_bf16_trains_and_the_network_then_answers_in_fp32(tmp_path):
    network, rows = Network(dropout=0.0), examples()
    schedule = training_loop.Schedule(20, 8, 1e-2, precision="bf16", save_minutes=None)
    training_loop.train(network, rows, schedule, out=tmp_path, seed=0, quiet=True)
    assert guesses(network, rows).tolist() == [i % 2 for i in range(len(rows))]
    loaded = Network()
    loaded.load_state_dict(network.state_dict())
    x = training_loop.stack(rows)["input_ids"]
    assert torch.equal(network(x)[0], loaded.eval()(x)[0])
    assert network.hidden.weight.dtype == torch.float32


def test_bf16_training_differs_from_fp32(tmp_path):
    networks = []
    for precision in ("fp32", "bf16", "fp32"):  # whichever comes first in a process
        network = Network(dropout=0.0)
        schedule = training_loop.Schedule(1, 8, 1e-2, precision=precision)
        training_loop.train(network, examples(), schedule, out=tmp_path, seed=0, quiet=True)
        networks.append(network)
    assert same(networks[0], networks[2])
    assert not same(networks[0], networks[1])


def test_nothing_to_train_on_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no examples"):
        training_loop.train(Network(), [], SCHEDULE, out=tmp_path, seed=0, quiet=True)


def test_resuming_with_nothing_to_resume_from_begins_anew(tmp_path):
    fresh, resumed = Network(), Network()
    training_loop.train(fresh, examples(), SCHEDULE, out=tmp_path / "a", seed=0, quiet=True)
    training_loop.train(resumed, examples(), SCHEDULE, out=tmp_path / "b", seed=0, quiet=True, resume=True)
    assert same(fresh, resumed)


def test_without_resume_an_earlier_run_is_not_gone_on_with(tmp_path):
    for _ in range(2):
        network = Network()
        training_loop.train(network, examples(), SCHEDULE, out=tmp_path, seed=0, quiet=True)
        assert network.steps == 10


def test_an_earlier_finished_run_is_not_mistaken_for_the_one_that_was_cut_off(tmp_path):
    earlier, wanted, cut, resumed = Network(seed=1), Network(seed=2), Network(seed=2, cut_at=2), Network(seed=2)
    training_loop.train(earlier, examples(), SCHEDULE, out=tmp_path / "runs", seed=1, quiet=True)
    training_loop.train(wanted, examples(), SCHEDULE, out=tmp_path / "wanted", seed=2, quiet=True)
    with pytest.raises(KeyboardInterrupt):
        training_loop.train(cut, examples(), SCHEDULE, out=tmp_path / "runs", seed=2, quiet=True)
    training_loop.train(resumed, examples(), SCHEDULE, out=tmp_path / "runs", seed=2, quiet=True, resume=True)
    assert not same(resumed, earlier)
    assert same(resumed, wanted)


def test_without_save_minutes_no_checkpoint_is_written(tmp_path):
    training_loop.train(
        Network(), examples(), training_loop.Schedule(1, 8, 1e-2, save_minutes=None), out=tmp_path, seed=0, quiet=True
    )
    assert not list(tmp_path.rglob("checkpoint-*"))


def test_stacking_joins_each_value_of_the_examples():
    batch = training_loop.stack(examples(6))
    assert batch["input_ids"].shape == (6, 2)
    assert batch[training_loop.TARGET].tolist() == [[1, 0], [0, 1]] * 3


def test_each_pass_sees_all_examples_in_an_order_of_its_own_and_of_the_seed(tmp_path, monkeypatch):
    orders = []
    passes = training_loop._Passes
    monkeypatch.setattr(
        training_loop, "_Passes", lambda rows, order: orders.append(order.tolist()) or passes(rows, order)
    )
    for seed in (0, 0, 1):
        training_loop.train(Network(), examples(16), SCHEDULE, out=tmp_path / "p", seed=seed, quiet=True)
    first, again, other = orders
    assert first == again != other
    assert [sorted(part) for part in (first[:16], first[16:])] == [list(range(16))] * 2
    assert first[:16] != first[16:]


def test_the_rate_rises_for_a_tenth_of_the_steps_and_then_falls_to_nothing(tmp_path):
    rates = []

    class Watched(Network):
        """Keeps how far each step moved a weight whose gradient is always 1: Adam then moves it by the rate."""

        def __init__(self) -> None:
            super().__init__(dropout=0.0)
            self.watched = nn.Parameter(torch.zeros(()))

        def penalty(self) -> torch.Tensor:
            rates.append(self.watched.item())
            return self.watched

    schedule = training_loop.Schedule(epochs=5, batch_size=8, learning_rate=1e-2)
    network = Watched()
    training_loop.train(network, examples(32), schedule, out=tmp_path / "p", seed=0, quiet=True)
    moved = -np.diff([*rates, network.watched.item()])
    expected = [0.0, 0.5, *(np.arange(18, 0, -1) / 18)]  # of 20 steps 2 are the warm-up
    np.testing.assert_allclose(moved, 1e-2 * np.array(expected), rtol=0.03, atol=1e-7)  # gradients are clipped


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_weight_decay_is_that_of_the_schedule(tmp_path, decay):
    class Still(Network):
        """Has a weight that no example moves."""

        def __init__(self) -> None:
            super().__init__(dropout=0.0)
            self.still = nn.Linear(1, 1, bias=False)

        def penalty(self) -> torch.Tensor:
            return 0 * self.still.weight.sum()

    schedule = training_loop.Schedule(epochs=2, batch_size=8, learning_rate=1e-2, warmup=0.0, weight_decay=decay)
    network = Still()
    before = network.still.weight.item()
    training_loop.train(network, examples(32), schedule, out=tmp_path / "p", seed=0, quiet=True)
    rates = 1e-2 * np.arange(8, 0, -1) / 8
    assert network.still.weight.item() == pytest.approx(before * np.prod(1 - rates * decay), rel=1e-5)
