"""A modality: targets, training on part of a corpus, and answers in the order asked."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from trainer import training_loop
from trainer.modality import (
    BATCH,
    SOFT,
    Modality,
    Truth,
    draw,
    draw_shares,
    group_weights,
    one_hot,
    predict,
    priors,
    soft_targets,
    train,
    weighted_targets,
)

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
    return {"values": torch.from_numpy(values)}


def sequences(count: int) -> list[training_loop.Example]:
    random = np.random.default_rng(0)
    return [{"values": random.normal(size=random.integers(1, 30)).astype(np.float32)} for _ in range(count)]


def modality(count: int = 20, **changes: object) -> Modality:
    examples = sequences(count)
    made = Modality(
        name="sum",
        examples=examples,
        copies=[[e] for e in examples],
        collate=collate,
        fresh=lambda rows, seed: Sum(),
        schedule=training_loop.Schedule(epochs=1, batch_size=4, learning_rate=1e-3, save_minutes=None),
        length="values",
    )
    return replace(made, **changes)


def truth(*labels: int) -> Truth:
    return Truth(np.array(labels), ("a", "b"), ["own"] * len(labels))


@pytest.mark.parametrize("count", [1, BATCH, 2 * BATCH + 7])
@pytest.mark.parametrize("length", ["values", None])
def test_answers_come_in_the_order_asked_whatever_shares_a_batch(count, length):
    made = modality(count, length=length)
    logits, embeddings = predict(Sum().train(), made.examples, made.collate, made.length)
    expected = np.array([e["values"].sum() for e in made.examples])
    np.testing.assert_allclose(embeddings[:, 0], expected, atol=1e-4)
    np.testing.assert_allclose(logits, np.stack([expected, -expected], 1), atol=1e-4)


def test_like_lengths_share_a_batch():
    made = modality(4 * BATCH)
    network = Sum()
    predict(network, made.examples, made.collate, made.length)
    longest = [steps for _, steps in network.sizes]
    assert min(longest) < 12 and max(longest) > 25  # of 1 to 29 each


def test_only_its_rows_are_trained_on_and_all_their_copies(tmp_path, monkeypatch):
    passed = {}
    monkeypatch.setattr(
        training_loop, "train", lambda network, examples, *_, **options: passed.update(e=examples, **options)
    )
    examples = [{"values": np.full(n + 1, n, np.float32)} for n in range(6)]
    made = modality(6, examples=examples, copies=[[e, {"values": e["values"] + 100}] for e in examples])
    train(made, np.array([4, 1]), truth(0, 1, 0, 0, 1, 0), partial=tmp_path, seed=3)
    assert [e["values"][0] for e in passed["e"]] == [4, 104, 1, 101]
    assert [e[training_loop.TARGET].argmax() for e in passed["e"]] == [1, 1, 1, 1]
    assert (passed["lengths"], passed["seed"], passed["resume"]) == ([5, 5, 2, 2], 3, False)


def test_fresh_networks_know_nothing_but_the_training_rows(tmp_path):
    seen = []

    def fresh(rows: np.ndarray, seed: int) -> nn.Module:
        seen.append((rows.tolist(), seed))
        return Sum()

    train(modality(fresh=fresh), np.array([2, 5, 7]), truth(*[0, 1] * 10), partial=tmp_path, seed=9, quiet=True)
    assert seen == [([2, 5, 7], 9)]


def test_each_class_weighs_alike_with_power_one():
    labels = truth(0, 0, 0, 1)
    target = weighted_targets(labels, 1.0, 0.0)
    assert target[:3].sum() == pytest.approx(target[3].sum())
    assert target.sum() == pytest.approx(4)
    np.testing.assert_array_equal(weighted_targets(labels, 0.0, 0.0), np.eye(2)[labels.labels])


def test_corpora_of_unequal_size_weigh_alike_in_each_class():
    labels = Truth(np.array([0, 0, 0, 1, 0, 1]), ("a", "b"), ["large"] * 4 + ["small"] * 2)
    target = weighted_targets(labels, 1.0, 0.0)
    assert target[:3].sum() == pytest.approx(target[3].sum())
    assert target[:4].sum() == pytest.approx(target[4:].sum())


def test_a_network_trains_towards_the_targets_that_the_branch_states(tmp_path, monkeypatch):
    seen: list[training_loop.Example] = []
    monkeypatch.setattr("trainer.training_loop.train", lambda _, examples, *__, **___: seen.extend(examples))
    labels = truth(1, 0, 0, 0, 0, 1)
    train(modality(6, class_weight_power=0.5, label_smoothing=0.2), np.arange(5), labels, partial=tmp_path, seed=0)
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

    made = modality(20)
    network = Dropping().train()
    assert (predict(network, made.examples, made.collate, made.length)[0] != 0).all()


groups = st.lists(st.sampled_from("abcd"), min_size=1, max_size=40)


@given(groups)
def test_every_group_weighs_alike_and_the_mean_is_one(names):
    weights = group_weights(names, 1.0)
    sums = defaultdict(float)
    for name, weight in zip(names, weights, strict=True):
        sums[name] += float(weight)
    assert weights.mean() == pytest.approx(1, rel=1e-4)
    assert min(sums.values()) == pytest.approx(max(sums.values()), rel=1e-4)


@given(groups)
def test_power_zero_gives_every_label_weight_one(names):
    assert np.allclose(group_weights(names, 0.0), 1.0)


def test_half_the_power_goes_half_the_way():
    weights = group_weights(["a"] * 16 + ["b"] * 4, 0.5)
    assert weights[-1] / weights[0] == pytest.approx(2)
    assert (
        group_weights(["a"] * 16 + ["b"] * 4, 1.0)[-1] / group_weights(["a"] * 16 + ["b"] * 4, 1.0)[0]
    ) == pytest.approx(4)


def test_groups_may_be_of_any_kind():
    assert group_weights([("x", "sad"), ("x", "sad"), ("y", "sad")], 1.0) == pytest.approx([0.75, 0.75, 1.5])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.floats(0, 0.9))
def test_targets_are_distributions_that_prefer_the_label(labels, smoothing):
    found = one_hot(np.array(labels), 4, smoothing)
    assert found.shape == (len(labels), 4)
    assert found.sum(1) == pytest.approx(np.ones(len(labels)), abs=1e-5)
    assert (found.argmax(1) == labels).all()
    assert found.min() == pytest.approx(smoothing / 4, abs=1e-6)


def test_without_smoothing_a_target_is_the_label():
    assert one_hot(np.array([2, 0]), 3, 0.0).tolist() == [[0, 0, 1], [1, 0, 0]]


NAMES = ("neutral", "happy", "sad")


def test_another_emotion_is_any_class_and_plain_speech_mostly_neutral():
    found = soft_targets(Truth(np.zeros(0, int), NAMES, []))
    np.testing.assert_allclose(found[0], [1 / 3] * 3)
    for row, share in ((1, SOFT["unlabelled"]), (2, SOFT["fragment"])):
        np.testing.assert_allclose(found[row], [share, (1 - share) / 2, (1 - share) / 2], rtol=1e-6)


def test_a_fragment_is_less_certainly_neutral_than_plain_speech():
    assert 1 / 3 < SOFT["fragment"] < SOFT["unlabelled"]


def test_where_no_class_is_neutral_plain_speech_is_any():
    found = soft_targets(Truth(np.zeros(0, int), ("calm", "furious"), []))
    np.testing.assert_allclose(found, np.full((3, 2), 0.5))


def test_what_has_no_class_counts_as_its_weight_says_and_as_a_group_of_its_corpus():
    labels = np.array([0, 1, 2, 3, 3, 4, 4, 4])
    corpora = ["a"] * 5 + ["b"] * 3
    weights = {weight: weighted_targets(Truth(labels, NAMES, corpora, weight), 1.0, 0.0).sum(1) for weight in (1, 0.5)}
    # Groups count alike: a of three classes and others, b of plain speech alone.
    np.testing.assert_allclose(weights[1][3:5].sum(), weights[1][0], rtol=1e-6)
    np.testing.assert_allclose(weights[1][5:].sum(), weights[1][0], rtol=1e-6)
    np.testing.assert_allclose(weights[0.5][:3], weights[1][:3], rtol=1e-6)
    np.testing.assert_allclose(weights[0.5][3:], 0.5 * weights[1][3:], rtol=1e-6)


def test_with_weight_0_nothing_is_learned_of_what_has_no_class():
    found = weighted_targets(Truth(np.array([0, 3, 4]), NAMES, ["a"] * 3, 0.0), 1.0, 0.1)
    assert found[0].sum() > 0 and not found[1:].any()


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), min_size=2, max_size=40).filter(
        lambda rows: {label < 3 for _, label in rows} == {True, False}
    ),
    st.sampled_from([0.0, 0.5, 1.0]),
)
def test_corpora_are_drawn_alike_often_and_what_has_no_class_as_its_weight_says(rows, power):
    corpora, labels = [corpus for corpus, _ in rows], np.array([label for _, label in rows])
    shares = draw_shares(Truth(labels, NAMES, corpora, 0.25), power)
    soft = labels >= len(NAMES)
    assert shares.sum() == pytest.approx(1)
    assert shares[soft].sum() == pytest.approx(0.2)
    names = sorted({corpus for corpus, label in rows if label < 3})
    for name in names:
        mine = np.array([corpus == name for corpus in corpora]) & ~soft
        assert shares[mine].sum() == pytest.approx(0.8 / len(names))


def test_classes_of_a_corpus_are_drawn_by_the_power():
    labels = np.array([0] * 16 + [1] * 4)
    for power, times in ((0.0, 4), (0.5, 2), (1.0, 1)):
        shares = draw_shares(Truth(labels, NAMES, ["a"] * 20), power)
        assert shares[:16].sum() / shares[16:].sum() == pytest.approx(times)


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=30), st.integers(1, 200), st.integers(0, 5))
def test_each_row_is_drawn_as_often_as_its_share_says(values, count, seed):
    shares = np.array(values) / sum(values)
    drawn = np.bincount(draw(shares, count, np.random.default_rng(seed)), minlength=len(shares))
    assert drawn.sum() == count
    assert (np.abs(drawn - shares * count) <= 1 + 1e-6).all()


def test_priors_are_the_shares_of_what_is_learned():
    truth = Truth(np.array([0, 0, 0, 0, 1]), ("neutral", "happy"), ["a"] * 5)
    assert priors(replace(modality(5), draws=10, class_weight_power=0.5), truth) == pytest.approx(
        {"neutral": 2 / 3, "happy": 1 / 3}, abs=1e-3
    )
    assert priors(replace(modality(5), class_weight_power=1.0), truth) == {"neutral": 0.5, "happy": 0.5}


def test_with_draws_as_many_examples_are_trained_on_as_asked_for(tmp_path, monkeypatch):
    seen = []

    def counted(network, examples, schedule, **_):
        seen.append((len(examples), schedule.epochs, {e["values"].tobytes() for e in examples}))
        return []

    monkeypatch.setattr(training_loop, "train", counted)
    made = modality(8)
    two = replace(made, draws=12, schedule=replace(made.schedule, epochs=2))
    train(two, np.arange(8), Truth(np.array([0, 1] * 4), ("a", "b"), ["c"] * 8), partial=tmp_path, seed=0)
    count, epochs, examples = seen[0]
    assert (count, epochs, len(examples)) == (24, 1, 8)


def test_targets_of_a_truth_that_is_cut_keep_the_weight():
    truth = Truth(np.array([0, 3, 4]), NAMES, ["a"] * 3, 0.25).rows(np.array([2, 0]))
    assert truth.labels.tolist() == [4, 0] and truth.soft_weight == 0.25


def test_a_network_that_learned_what_it_reads_joins_examples_in_its_own_way():
    made = modality(4)
    bound = replace(
        made, bind=lambda network: lambda examples: {"values": collate(examples)["values"] * network.factor}
    )
    network = Sum()
    network.factor = 2.0
    twice, _ = predict(network, made.examples, bound.collate_for(network))
    once, _ = predict(network, made.examples, made.collate_for(network))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-5)


def test_of_a_teacher_a_share_is_learned(tmp_path):
    """The labels say "a" of every sequence; the teacher says "b" of it. What counts for more is learned."""

    def learned(share: float) -> list[int]:
        examples = [{"values": np.ones(3, np.float32)} for _ in range(40)]
        other = np.tile(np.array([0.0, 1.0], np.float32), (40, 1))
        schedule = training_loop.Schedule(epochs=8, batch_size=4, learning_rate=0.1, save_minutes=None)
        sums = modality(40, examples=examples, copies=[[e] for e in examples], schedule=schedule)
        taught = replace(sums, taught=other, taught_share=share)
        network, _ = train(taught, np.arange(20), truth(*[0] * 40), partial=tmp_path, seed=0, quiet=True)
        return predict(network, examples, collate)[0].argmax(1).tolist()

    assert learned(0.2) == [0] * 40
    assert learned(0.8) == [1] * 40
