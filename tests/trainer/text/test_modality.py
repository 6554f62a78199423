"""Text emotion as a branch: any encoder, altered copies, warm starts, and what cannot be."""

import numpy as np
import pytest
import torch

from tests.trainer.encoders import write_bert, write_xlnet
from trainer.config import Text
from trainer.errors import ConfigError, WeightsError
from trainer.modality import predict, train
from trainer.text.modality import locate, text_branch

pytestmark = pytest.mark.usefixtures("quick_collection")
LABELS = ("calm", "furious")
SENTENCES = ["fine thanks", "no", "gladly", "never ever stop", "fine", "no stop"]
TRUTH = np.array([0, 1] * 3)
SETTINGS = Text(encoder="bert", hidden=8, epochs=20, batch=4, rate=3e-3, l2=0.0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    words = " ".join(SENTENCES).split()
    write_bert(folder / "bert", words)
    write_xlnet(folder / "xlnet", words)
    return folder


def with_(**changes: object) -> Text:
    return Text(**{**SETTINGS.__dict__, **changes})


@pytest.mark.parametrize("encoder", ["bert", "xlnet"])
def test_words_that_tell_the_label_are_learned(encoder, weights, tmp_path):
    branch = text_branch(SENTENCES, LABELS, with_(encoder=encoder, hidden=64, epochs=40), weights=weights)
    network, curve = train(branch, np.arange(6), TRUTH, 2, partial=tmp_path / "p", seed=0, quiet=True)
    logits, embeddings = predict(network, branch.examples, branch)
    assert logits.argmax(1).tolist() == TRUTH.tolist()
    assert embeddings.shape == (6, 64)
    assert curve[-1].loss < 0.8 * curve[0].loss


def test_misheard_copies_are_trained_on_and_never_tested(weights):
    heard = [s.replace("fine", "never") for s in SENTENCES]
    branch = text_branch(SENTENCES, LABELS, SETTINGS, weights=weights, heard=heard)
    plain = text_branch(SENTENCES, LABELS, SETTINGS, weights=weights)
    assert [len(c) for c in branch.copies] == [2] * 6 and [len(c) for c in plain.copies] == [1] * 6
    assert branch.examples == plain.examples
    assert branch.copies[0][0] == plain.examples[0] and branch.copies[0][1] != plain.examples[0]


def test_long_texts_are_cut(weights):
    branch = text_branch(["no " * 100], LABELS, with_(max_tokens=5), weights=weights)
    assert len(branch.examples[0]["input_ids"]) == 5


def test_tweets_are_made_plain_only_when_asked(weights):
    known, unknown = (
        text_branch(["fine &amp; @nobody"], LABELS, with_(plain_tweets=p), weights=weights).examples[0]["input_ids"]
        for p in (True, False)
    )
    assert len(known) != len(unknown)


def test_the_seed_makes_the_added_layers_and_not_the_encoder(weights):
    fresh = text_branch(SENTENCES, LABELS, SETTINGS, weights=weights).fresh
    one, same, other = (fresh(np.arange(6), seed) for seed in (1, 1, 2))
    assert torch.equal(one.classifier.weight, same.classifier.weight)
    assert not torch.equal(one.classifier.weight, other.classifier.weight)
    for a, b in zip(one.encoder.parameters(), other.encoder.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_warm_start_replaces_the_encoders_weights_and_the_frozen_ones_stay(weights):
    cold = text_branch(SENTENCES, LABELS, SETTINGS, weights=weights).fresh(np.arange(6), 0)
    warm = {name: value + 1 for name, value in cold.encoder.state_dict().items()}
    fresh = text_branch(SENTENCES, LABELS, with_(frozen=1), weights=weights, warm=warm).fresh(np.arange(6), 0)
    assert torch.equal(next(fresh.encoder.parameters()), next(cold.encoder.parameters()) + 1)
    trained = [p.requires_grad for p in fresh.encoder.parameters()]
    assert any(trained) and not all(trained) and not trained[0]


def test_more_blocks_than_there_are_cannot_be_frozen(weights):
    branch = text_branch(SENTENCES, LABELS, with_(frozen=3), weights=weights)
    with pytest.raises(ConfigError, match=r"text\.frozen = 3"):
        branch.fresh(np.arange(6), 0)


def test_an_encoder_is_looked_for_below_the_weights_then_as_a_folder(weights, tmp_path, monkeypatch):
    assert locate("bert", weights) == str(weights / "bert")
    assert locate(str(weights / "bert"), tmp_path) == str(weights / "bert")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=r"no encoder 'bert'.*trainer fetch"):
        locate("bert", tmp_path)
