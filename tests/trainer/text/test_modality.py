"""Text emotion as a modality: any encoder, copies with recognition errors, and settings that are refused."""

import numpy as np
import pytest
import torch

from tests.trainer.encoders import write_bert, write_xlnet
from trainer.config import Text
from trainer.errors import ConfigError, WeightsError
from trainer.modality import Truth, predict, train
from trainer.text.modality import locate, text_modality

pytestmark = pytest.mark.usefixtures("quick_collection")
LABELS = ("calm", "furious")
SENTENCES = ["fine thanks", "no", "gladly", "never ever stop", "fine", "no stop"]
TRUTH = Truth(np.array([0, 1] * 3), LABELS, ["own"] * 6)
SETTINGS = Text(encoder="bert", hidden_size=8, epochs=20, batch_size=4, learning_rate=3e-3, l2=0.0)


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
    modality = text_modality(SENTENCES, LABELS, with_(encoder=encoder, hidden_size=64, epochs=40), weights=weights)
    network, curve = train(modality, np.arange(6), TRUTH, partial=tmp_path / "p", seed=0, quiet=True)
    logits, embeddings = predict(network, modality.examples, modality.collate, modality.length)
    assert logits.argmax(1).tolist() == TRUTH.labels.tolist()
    assert embeddings.shape == (6, 64)
    assert curve[-1].loss < 0.8 * curve[0].loss


def test_misheard_copies_are_trained_on_and_never_tested(weights):
    heard = [s.replace("fine", "never") for s in SENTENCES]
    modality = text_modality(SENTENCES, LABELS, SETTINGS, weights=weights, misrecognized=heard)
    plain = text_modality(SENTENCES, LABELS, SETTINGS, weights=weights)
    assert [len(c) for c in modality.copies] == [2] * 6 and [len(c) for c in plain.copies] == [1] * 6
    assert modality.examples == plain.examples
    assert modality.copies[0][0] == plain.examples[0] and modality.copies[0][1] != plain.examples[0]


def test_long_texts_are_cut(weights):
    modality = text_modality(["no " * 100], LABELS, with_(max_tokens=5), weights=weights)
    assert len(modality.examples[0]["input_ids"]) == 5


def test_tweets_are_made_plain_only_when_asked(weights):
    known, unknown = (
        text_modality(["fine &amp; @nobody"], LABELS, with_(normalize_tweets=p), weights=weights).examples[0][
            "input_ids"
        ]
        for p in (True, False)
    )
    assert len(known) != len(unknown)


def test_the_seed_makes_the_added_layers_and_not_the_encoder(weights):
    fresh = text_modality(SENTENCES, LABELS, SETTINGS, weights=weights).fresh
    one, same, other = (fresh(np.arange(6), seed) for seed in (1, 1, 2))
    assert torch.equal(one.classifier.weight, same.classifier.weight)
    assert not torch.equal(one.classifier.weight, other.classifier.weight)
    for a, b in zip(one.encoder.parameters(), other.encoder.parameters(), strict=True):
        assert torch.equal(a, b)


def test_frozen_layers_are_not_trained(weights):
    fresh = text_modality(SENTENCES, LABELS, with_(frozen_layers=1), weights=weights).fresh(np.arange(6), 0)
    trained = [p.requires_grad for p in fresh.encoder.parameters()]
    assert any(trained) and not all(trained) and not trained[0]


def test_more_blocks_than_there_are_cannot_be_frozen(weights):
    modality = text_modality(SENTENCES, LABELS, with_(frozen_layers=3), weights=weights)
    with pytest.raises(ConfigError, match=r"text\.frozen_layers = 3"):
        modality.fresh(np.arange(6), 0)


def test_an_encoder_is_looked_for_below_the_weights_then_as_a_folder(weights, tmp_path, monkeypatch):
    assert locate("bert", weights) == str(weights / "bert")
    assert locate(str(weights / "bert"), tmp_path) == str(weights / "bert")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=r"no encoder 'bert'.*trainer fetch"):
        locate("bert", tmp_path)
