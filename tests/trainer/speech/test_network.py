"""Speech emotion's network: what pooling looks at, what is read of it, and what a baseline may change."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.speech.network import (
    FEATURES,
    HIDDEN,
    MIN_VARIANCE,
    SpeechEmotion,
    SpeechEmotionGraph,
    no_baseline,
    pool,
)

LAYERS, WIDTH, KEPT, MEMBERS = 5, 6, 4, 3


def states(batch: int = 2, count: int = 20, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, LAYERS, count, WIDTH, generator=torch.Generator().manual_seed(seed))


def rows(count: int, seed: int = 0) -> torch.Tensor:
    """Return features of so many recordings."""
    return torch.randn(count, KEPT, generator=torch.Generator().manual_seed(seed))


def pooled_rows(count: int = 200, seed: int = 0) -> torch.Tensor:
    """Return pooled states, each number of its own size."""
    random = torch.Generator().manual_seed(seed)
    sizes = torch.linspace(0.1, 9, LAYERS * 2 * WIDTH).view(LAYERS, 2 * WIDTH)
    return torch.randn(count, LAYERS, 2 * WIDTH, generator=random) * sizes + 3


@pytest.fixture
def network() -> SpeechEmotion:
    """Return a network with weights, half-lives, moods and temperatures that all matter."""
    torch.manual_seed(0)
    network = SpeechEmotion(3, width=WIDTH, features=KEPT, members=MEMBERS).eval()
    network.fit_features(pooled_rows(), torch.ones(200))
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
        network.temperatures.copy_(torch.tensor([1.5, 2.5]))
    return network


def answer(network: SpeechEmotion, features: torch.Tensor, baseline: torch.Tensor, *seconds: float) -> torch.Tensor:
    """Return the logits of one recording beside one baseline."""
    with torch.no_grad():
        return network(features[None], baseline[None], torch.tensor([seconds]))[0][0]


def test_pooling_is_mean_and_deviation():
    hidden = states()
    found = pool(hidden, torch.ones(2, 20))
    assert found.shape == (2, LAYERS, 2 * WIDTH)
    torch.testing.assert_close(found[:, :, :WIDTH], hidden.mean(2))
    torch.testing.assert_close(found[:, :, WIDTH:], hidden.std(2, correction=0))


@settings(max_examples=50)
@given(st.lists(st.booleans(), min_size=3, max_size=12), st.floats(-1e3, 1e3))
def test_pooling_ignores_states_that_are_not_spoken(flags, other):
    spoken = torch.tensor([[*map(float, flags), 1.0]])
    hidden = states(1, spoken.shape[1])
    before = pool(hidden, spoken)
    torch.testing.assert_close(before, pool(hidden[:, :, spoken[0] > 0], torch.ones(1, int(spoken.sum()))))
    hidden[:, :, spoken[0] == 0] = other
    torch.testing.assert_close(pool(hidden, spoken), before)


def test_states_that_never_change_hardly_deviate():
    found = pool(torch.full((1, LAYERS, 30, WIDTH), 3.0), torch.ones(1, 30))
    assert (found[:, :, WIDTH:] <= 1.01 * MIN_VARIANCE**0.5).all()


def test_the_gradient_of_states_that_never_change_is_finite():
    hidden = torch.zeros(1, LAYERS, 4, WIDTH, requires_grad=True)
    pool(hidden, torch.ones(1, 4)).sum().backward()
    assert hidden.grad.isfinite().all()


def test_a_recording_without_speech_pools_to_something_finite():
    network = SpeechEmotion(4, width=WIDTH).eval()
    outputs = SpeechEmotionGraph(network)(states(1), torch.zeros(1, 20), *no_baseline(network))
    assert all(output.isfinite().all() for output in outputs)


def test_standardising_centres_and_scales_what_is_read():
    pooled = pooled_rows()
    network = SpeechEmotion(4, width=WIDTH)
    network.fit_features(pooled, torch.ones(200))
    chosen = torch.cat([pooled[:, 1:4, :WIDTH], pooled[:, 1:4, WIDTH:]], dim=1)
    z = network.standardizer(chosen)
    torch.testing.assert_close(z.mean(0), torch.zeros(6, WIDTH), atol=1e-4, rtol=0)
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(6, WIDTH), atol=1e-4, rtol=0)


def test_rows_of_weight_0_are_not_learned_from_and_those_of_2_count_twice():
    pooled = pooled_rows(60)
    weights = torch.tensor([0.0, 1.0, 2.0]).repeat(20)
    one, other = (SpeechEmotion(4, width=WIDTH, features=KEPT) for _ in range(2))
    one.fit_features(pooled, weights)
    repeated = torch.cat([pooled[weights > 0], pooled[weights > 1]])
    other.fit_features(repeated, torch.ones(len(repeated)))
    torch.testing.assert_close(one.state_dict()["standardizer.std"], other.state_dict()["standardizer.std"])
    torch.testing.assert_close(one.pooled_features(pooled), other.pooled_features(pooled), atol=1e-3, rtol=1e-3)


def test_features_are_the_principal_components():
    """What is kept varies more than what is not, the first most, and no two together."""
    pooled = pooled_rows()
    pooled[:, 2] += 5 * pooled[:, 1]  # something to find
    networks = {count: SpeechEmotion(4, width=WIDTH, features=count) for count in (KEPT, 6 * WIDTH)}
    found = {}
    for count, network in networks.items():
        network.fit_features(pooled, torch.ones(200))
        found[count] = network.pooled_features(pooled)
    covariance = torch.cov(found[6 * WIDTH].T)
    variances = covariance.diagonal()
    assert (variances.diff() <= 1e-3).all()
    assert (covariance - torch.diag(variances)).abs().max() < 1e-3
    torch.testing.assert_close(found[KEPT], found[6 * WIDTH][:, :KEPT], atol=1e-4, rtol=1e-4)


def test_what_is_read_does_not_depend_on_the_order_of_rows_or_on_the_seed():
    pooled = pooled_rows()
    one, other = SpeechEmotion(4, width=WIDTH, features=KEPT), SpeechEmotion(4, width=WIDTH, features=KEPT)
    torch.manual_seed(1)
    one.fit_features(pooled, torch.ones(200))
    torch.manual_seed(2)
    other.fit_features(pooled.flip(0), torch.ones(200))
    # An eigenvector could as well point the other way.
    torch.testing.assert_close(one.pooled_features(pooled), other.pooled_features(pooled), atol=1e-3, rtol=1e-3)


def test_fewer_numbers_than_features_are_all_kept():
    assert SpeechEmotion(4, width=WIDTH).features == 6 * WIDTH
    assert SpeechEmotion(4, width=384).features == FEATURES


def test_fewer_recordings_than_features_give_finite_ones():
    network = SpeechEmotion(4, width=WIDTH)
    network.fit_features(pooled_rows(2), torch.ones(2))
    assert network.pooled_features(pooled_rows(5)).isfinite().all()


def test_a_feature_that_never_changes_does_not_explode():
    network = SpeechEmotion(4, width=WIDTH).eval()
    network.fit_features(torch.ones(10, LAYERS, 2 * WIDTH), torch.ones(10))
    features = network.pooled_features(torch.full((1, LAYERS, 2 * WIDTH), 1.001))
    assert network(features)[0].abs().max() < 100


def test_layers_that_are_not_named_are_not_read(network):
    pooled = pooled_rows(1)
    before = network.pooled_features(pooled)
    unread = pooled.clone()
    unread[:, [0, 4]] += 5
    torch.testing.assert_close(network.pooled_features(unread), before)
    for layer in (1, 2, 3):
        for side in (slice(0, WIDTH), slice(WIDTH, None)):
            read = pooled.clone()
            read[:, layer, side] += torch.arange(1.0, WIDTH + 1)
            assert (network.pooled_features(read) - before).abs().max() > 1e-3


def test_a_baseline_of_no_seconds_changes_nothing(network):
    features = rows(1)[0]
    alone = network(features[None])[0][0]
    torch.testing.assert_close(answer(network, features, rows(3, seed=1) * 100, 0.0, 0.0, 0.0), alone)
    torch.testing.assert_close(network(features[None], *no_baseline(network))[0][0], alone)


def test_a_baseline_of_some_seconds_changes_the_answer(network):
    features = rows(1)[0]
    assert (
        answer(network, features, rows(3, seed=1), 1.0, 2.0, 3.0) - network(features[None])[0][0]
    ).abs().max() > 0.01


recordings = st.lists(st.floats(0.125, 60, width=32), min_size=1, max_size=6)


@settings(max_examples=50, deadline=None)
@given(recordings, st.randoms(use_true_random=False))
def test_the_order_of_a_baselines_rows_does_not_matter(seconds, random):
    network = SpeechEmotion(3, width=WIDTH, features=KEPT).eval()
    network.mood.data.normal_()
    order = random.sample(range(len(seconds)), len(seconds))
    features, baseline = rows(1)[0], rows(len(seconds), seed=1)
    one = answer(network, features, baseline, *seconds)
    other = answer(network, features, baseline[order], *(seconds[i] for i in order))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@settings(max_examples=50, deadline=None)
@given(recordings, st.integers(1, 4), st.floats(-1e3, 1e3, width=32))
def test_padding_rows_of_no_seconds_do_not_matter(seconds, more, value):
    network = SpeechEmotion(3, width=WIDTH, features=KEPT).eval()
    network.mood.data.normal_()
    features, baseline = rows(1)[0], rows(len(seconds), seed=1)
    padded = torch.cat([baseline, torch.full((more, KEPT), value)])
    one = answer(network, features, baseline, *seconds)
    torch.testing.assert_close(answer(network, features, padded, *seconds, *[0.0] * more), one, atol=1e-4, rtol=1e-4)


def test_a_recording_of_twice_the_seconds_counts_as_two():
    network = SpeechEmotion(3, width=WIDTH, features=KEPT).eval()
    features, baseline = rows(1)[0], rows(2, seed=1)
    twice = answer(network, features, baseline[[0, 0, 1]], 2.0, 2.0, 3.0)
    torch.testing.assert_close(answer(network, features, baseline, 4.0, 3.0), twice, atol=1e-5, rtol=1e-4)


def taken_away(network: SpeechEmotion, seconds: float) -> float:
    """Return how much of a baseline is taken away: 1 for all of it, read off the input of the hidden layer."""
    seen: list[torch.Tensor] = []
    handle = network.hidden.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    answer(network, torch.zeros(KEPT), torch.ones(1, KEPT), seconds)
    handle.remove()
    before, after = seen[0][0].split(KEPT)
    return float(-(before + after).mean())


def test_a_baselines_weight_grows_with_its_seconds_and_is_a_half_at_the_half_life():
    network = SpeechEmotion(3, width=WIDTH, features=KEPT).eval()
    shares = [taken_away(network, seconds) for seconds in (0.0, 0.5, 1.0, 2.0, 10.0, 60.0, 1e5)]
    assert shares == sorted(shares) and len(set(shares)) == len(shares)
    assert shares[0] == 0 and shares[3] == pytest.approx(0.5, abs=1e-4) and shares[-1] == pytest.approx(1, abs=1e-3)


def test_with_seconds_the_hidden_layer_goes_from_its_first_half_to_its_second(network):
    seen: list[torch.Tensor] = []
    network.hidden.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0][0]))
    answer(network, rows(1)[0], torch.zeros(1, KEPT), 0.0)
    answer(network, rows(1)[0], torch.zeros(1, KEPT), 1e8)
    assert (seen[0][KEPT:] == 0).all() and (seen[0][:KEPT] != 0).all()
    assert seen[1][:KEPT].abs().max() < 1e-3 and seen[1][KEPT:].abs().min() > 1e-3


def member(network: SpeechEmotion, number: int) -> SpeechEmotion:
    """Return one member as a network of its own, with the moods of all."""
    one, own = SpeechEmotion(3, width=WIDTH, features=KEPT, members=1).eval(), slice(number * HIDDEN, None)
    state = dict(network.state_dict())
    state["hidden.weight"], state["hidden.bias"] = (
        state[name][own][:HIDDEN] for name in ("hidden.weight", "hidden.bias")
    )
    state["classifier.weight"] = state["classifier.weight"][:, own][:, :HIDDEN]
    one.load_state_dict(state, strict=True)
    one._moods = network._moods
    return one


GIVEN = rows(2), rows(6, seed=1).view(2, 3, KEPT), torch.tensor([[2.0, 1.0, 5.0], [0.0, 0.0, 0.0]])


def test_the_answer_is_the_mean_of_the_members(network):
    alone = [member(network, number)(*GIVEN)[0] for number in range(MEMBERS)]
    assert (alone[0] - alone[1]).abs().max() > 0.01
    torch.testing.assert_close(network(*GIVEN)[0], torch.stack(alone).mean(0))


def test_in_training_each_member_answers_for_itself(network):
    answered = network(*GIVEN)[1]
    network.train()
    network.input_dropout.p = network.dropout.p = 0.0
    logits, embedding = network(*GIVEN)
    assert logits.shape == (2, MEMBERS, 3)
    torch.testing.assert_close(embedding, answered)
    for number in range(MEMBERS):
        torch.testing.assert_close(logits[:, number], member(network, number)(*GIVEN)[0])
    logits[:, 1].square().sum().backward()
    hidden = network.hidden.weight.grad.view(MEMBERS, -1).abs().amax(1)
    last = network.classifier.weight.grad.view(3, MEMBERS, HIDDEN).abs().amax((0, 2))
    for moved in (hidden, last):
        assert moved[1] > 0 and moved[0] == moved[2] == 0


def test_members_begin_differently_each_as_a_network_of_its_own_would():
    network = SpeechEmotion(3, width=WIDTH, features=KEPT, members=MEMBERS)
    assert (member(network, 0)(*GIVEN)[0] - member(network, 1)(*GIVEN)[0]).abs().max() > 1e-3
    last = network.classifier.weight.abs().max()
    assert 0.9 * HIDDEN**-0.5 < last <= HIDDEN**-0.5


@pytest.mark.parametrize("dropping", ["input_dropout", "dropout"])
def test_each_member_has_other_units_dropped(dropping):
    network = SpeechEmotion(3, width=WIDTH, features=KEPT, members=MEMBERS).train()
    for name in {"input_dropout", "dropout"} - {dropping}:
        getattr(network, name).p = 0.0
    with torch.no_grad():
        for parameter in (network.hidden.weight, network.hidden.bias, network.classifier.weight):
            parameter.fill_(0.1)  # all members alike
    logits = network(rows(40))[0]
    assert (logits[:, 0] - logits[:, 1]).abs().max() > 1e-3


def test_the_moods_of_a_baseline_are_what_the_network_answers_to_each_of_its_recordings(network):
    network.temperatures.fill_(1.0)
    baseline = rows(5)
    answered = network(baseline)[0].softmax(1) - 1 / 3
    torch.testing.assert_close(network._moods(baseline[None])[0], answered)


def moody() -> SpeechEmotion:
    """Return a network that calls what is large in the first feature the first label, and knows what a mood adds."""
    network = SpeechEmotion(2, width=WIDTH, features=2, members=1).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 2:
                parameter.zero_()
        network.hidden.weight[0, 0], network.hidden.weight[1, 0] = 1.0, -1.0
        network.hidden.weight[0, 2], network.hidden.weight[1, 2] = 1.0, -1.0
        network.hidden.bias.zero_()
        network.classifier.weight[0, 0], network.classifier.weight[1, 1] = 1.0, 1.0
    return network


def test_what_the_mood_of_a_baseline_adds_is_taken_off_first():
    """Recordings that are all of one label keep that label's sign where the network has learned what it adds."""
    network = moody()
    angry, baseline = torch.tensor([20.0, 0.0]), torch.tensor([[20.0, 0.0]] * 3)
    taken = answer(network, angry, baseline, 20.0, 20.0, 20.0)
    network.mood.data[0, 0], network.mood.data[1, 0] = 20.0, -20.0  # each adds half of it to the mean of all
    kept = answer(network, angry, baseline, 20.0, 20.0, 20.0)
    assert taken[0] - taken[1] < 1
    assert kept[0] - kept[1] > 15


def test_a_baseline_of_every_mood_is_taken_away_as_it_is():
    network = moody()
    baseline = torch.tensor([[20.0, 0.0], [-20.0, 0.0]])
    before = answer(network, torch.tensor([3.0, 1.0]), baseline, 30.0, 30.0)
    network.mood.data[0, 0], network.mood.data[1, 0] = 20.0, -20.0
    torch.testing.assert_close(answer(network, torch.tensor([3.0, 1.0]), baseline, 30.0, 30.0), before)


def test_nothing_is_learned_from_how_the_baseline_is_called(network):
    """The moods are taken as given: only what they add is learned."""
    baseline = rows(2, seed=1).requires_grad_()
    assert not network._moods(baseline[None]).requires_grad
    network(rows(1), baseline[None], torch.tensor([[3.0, 5.0]]))[0].sum().backward()
    assert network.mood.grad.abs().max() > 0 and network.feature_half_life.grad.abs().max() > 0


@pytest.mark.parametrize(("seconds", "which"), [(0.0, 0), (1e7, 1)])
def test_logits_and_embedding_are_divided_by_the_temperature_of_the_case(network, seconds, which):
    features, baseline, known = rows(1), torch.zeros(1, 1, KEPT), torch.tensor([[seconds]])
    network.mood.data.zero_()
    network.temperatures.fill_(1.0)
    before = network(features, baseline, known)
    network.temperatures[which] = 4.0
    after = network(features, baseline, known)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(other, one / 4, atol=1e-4, rtol=1e-3)


def test_the_temperature_of_a_short_baseline_lies_between_both(network):
    network.mood.data.zero_()
    network.temperatures.fill_(1.0)
    before = answer(network, rows(1)[0], rows(1, seed=1), 2.0)
    network.temperatures.copy_(torch.tensor([2.0, 4.0]))
    ratio = before / answer(network, rows(1)[0], rows(1, seed=1), 2.0)
    assert ((ratio > 2) & (ratio < 4)).all() and ratio.std() < 1e-3


def test_the_classifier_has_no_bias_that_training_could_move():
    bias = SpeechEmotion(4, width=WIDTH).classifier.bias
    assert not bias.requires_grad and (bias == 0).all()


def test_the_exported_graph_equals_pooling_and_network(network):
    hidden, spoken = states(3), (torch.rand(3, 20) > 0.5).float()
    baseline, seconds = rows(6, seed=1).view(3, 2, KEPT), torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 0.0]])
    logits, embedding, own = SpeechEmotionGraph(network)(hidden, spoken, baseline, seconds)
    assert logits.shape == (3, 3) and embedding.shape == (3, MEMBERS * HIDDEN) and own.shape == (3, KEPT)
    torch.testing.assert_close(own, network.pooled_features(pool(hidden, spoken)))
    torch.testing.assert_close(logits, network(own, baseline, seconds)[0])
    torch.testing.assert_close(logits[2], network(own[2:])[0][0])


@pytest.mark.parametrize("mode", [True, False])
def test_dropout_is_for_training_only(mode, network):
    network.train(mode)
    features = rows(1)
    assert torch.equal(network(features)[0], network(features)[0]) is not mode


def test_weights_of_one_network_fit_another_of_the_same_size(network):
    fresh = SpeechEmotion(3, width=WIDTH, features=KEPT, members=MEMBERS).eval()
    fresh.load_state_dict(network.state_dict(), strict=True)
    features = fresh.pooled_features(pooled_rows(4))
    np.testing.assert_array_equal(features, network.pooled_features(pooled_rows(4)))
    torch.testing.assert_close(fresh(features), network(features))
