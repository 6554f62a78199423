"""Speech emotion's network: what pooling looks at, and standardisation."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.speech.network import HIDDEN, MIN_VARIANCE, SpeechEmotion, SpeechEmotionGraph, pool

LAYERS, WIDTH = 5, 6


def states(batch: int = 2, count: int = 20, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, LAYERS, count, WIDTH, generator=torch.Generator().manual_seed(seed))


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
    logits, embedding = SpeechEmotionGraph(network)(states(1), torch.zeros(1, 20))
    assert logits.isfinite().all() and embedding.isfinite().all()


def test_standardising_centres_and_scales_what_is_read():
    pooled = torch.randn(200, LAYERS, 2 * WIDTH) * 7 + 3
    network = SpeechEmotion(4, width=WIDTH)
    network.standardise(pooled)
    chosen = torch.cat([pooled[:, 1:4, :WIDTH], pooled[:, 3:4, WIDTH:]], dim=1)
    z = (chosen - network.standardizer.mean) / network.standardizer.std
    torch.testing.assert_close(z.mean(0), torch.zeros(4, WIDTH), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.std(0), torch.ones(4, WIDTH))


def test_a_feature_that_never_changes_does_not_explode():
    network = SpeechEmotion(4, width=WIDTH).eval()
    network.standardise(torch.ones(10, LAYERS, 2 * WIDTH))
    assert network(torch.full((1, LAYERS, 2 * WIDTH), 1.001))[0].abs().max() < 100


def test_layers_that_are_not_named_are_not_read():
    network = SpeechEmotion(4, width=WIDTH).eval()
    pooled = torch.randn(1, LAYERS, 2 * WIDTH)
    before = network(pooled)[0]
    unread = pooled.clone()
    unread[:, [0, 4], :WIDTH] += 5
    unread[:, [0, 1, 2, 4], WIDTH:] += 5
    torch.testing.assert_close(network(unread)[0], before)
    pooled[:, 3, WIDTH:] += 5
    assert (network(pooled)[0] - before).abs().max() > 1e-3


def test_the_exported_graph_equals_pooling_and_network():
    network = SpeechEmotion(3, width=WIDTH).eval()
    hidden, spoken = states(3), (torch.rand(3, 20) > 0.5).float()
    logits, embedding = SpeechEmotionGraph(network)(hidden, spoken)
    assert logits.shape == (3, 3) and embedding.shape == (3, HIDDEN)
    torch.testing.assert_close(logits, network(pool(hidden, spoken))[0])


@pytest.mark.parametrize("mode", [True, False])
def test_dropout_is_for_training_only(mode):
    network = SpeechEmotion(4, width=WIDTH).train(mode)
    pooled = torch.randn(1, LAYERS, 2 * WIDTH)
    assert torch.equal(network(pooled)[0], network(pooled)[0]) is not mode


def test_weights_of_version_0_1_are_read_under_their_new_names():
    network = SpeechEmotion(4, width=WIDTH)
    network.standardise(torch.randn(20, 5, 2 * WIDTH))
    old = network.state_dict()
    old["centre"], old["scale"] = (old.pop(f"standardizer.{name}") for name in ("mean", "std"))
    fresh = SpeechEmotion(4, width=WIDTH)
    fresh.load_state_dict(old, strict=True)
    torch.testing.assert_close(fresh.state_dict(), network.state_dict())
