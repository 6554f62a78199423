"""Text emotion as a modality: any encoder, copies with recognition errors, and settings that are refused."""

import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from edge_runtime.inference.text_tokens import Turn
from tests.trainer.encoders import write_bert, write_xlnet
from trainer.config import Text
from trainer.errors import ConfigError, WeightsError
from trainer.modality import Truth, predict, train
from trainer.text.modality import locate, text_modality, unpunctuated

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


CONTEXTS = [[Turn("fine", "other"), Turn("no", "same")]] * len(SENTENCES)


def test_without_context_tokens_a_context_changes_nothing(weights):
    plain, with_turns = (
        text_modality(SENTENCES, LABELS, SETTINGS, weights=weights, contexts=c) for c in (None, CONTEXTS)
    )
    assert (with_turns.examples, with_turns.copies) == (plain.examples, plain.copies)
    assert not with_turns.variants


def test_a_context_is_trained_on_in_part_and_tested_as_a_variant(weights):
    settings, many = with_(context_tokens=8), 40
    modality = text_modality(
        SENTENCES * many, LABELS, settings, weights=weights, misrecognized=SENTENCES * many, contexts=CONTEXTS * many
    )
    assert all(not any(example["token_type_ids"]) for example in modality.examples)
    ((tested,),) = ({tuple(variant[0]["token_type_ids"]) for variant in modality.variants["context"][::6]},)
    assert sum(tested) == 6  # two turns, each with who spoke and a colon
    for copy in range(2):
        lengths = Counter(sum(copies[copy]["token_type_ids"]) for copies in modality.copies)
        assert lengths.keys() == {0, 2, 6}
        assert lengths[0] == pytest.approx(120, abs=30) and lengths[2] == pytest.approx(60, abs=25)


def test_what_was_said_before_is_learned_where_it_alone_tells_the_label(weights, tmp_path):
    contexts = [[Turn(("gladly", "never")[label])] for label in TRUTH.labels]
    settings = with_(context_tokens=8, hidden_size=64, epochs=40)
    modality = text_modality(["no"] * 6, LABELS, settings, weights=weights, contexts=contexts)
    whole = replace(modality, copies=modality.variants["context"])
    network, _ = train(whole, np.arange(6), TRUTH, partial=tmp_path / "p", seed=0, quiet=True)
    examples = [variant[0] for variant in modality.variants["context"]]
    logits, _ = predict(network, examples, modality.collate, modality.length)
    assert logits.argmax(1).tolist() == TRUTH.labels.tolist()


def test_an_encoder_that_cannot_read_a_context_is_refused(weights, tmp_path):
    shutil.copytree(weights / "bert", tmp_path / "ends")
    tokenizer = Tokenizer.from_file(str(tmp_path / "ends" / "tokenizer.json"))
    special = [("[PAD]", 0)]
    tokenizer.post_processor = TemplateProcessing(single="$A [PAD]", pair="$A $B [PAD]", special_tokens=special)
    tokenizer.save(str(tmp_path / "ends" / "tokenizer.json"))
    with pytest.raises(ConfigError, match=r"text\.context_tokens = 8"):
        text_modality(SENTENCES, LABELS, with_(encoder="ends", context_tokens=8), weights=tmp_path)


def test_a_third_copy_is_what_was_misheard_without_marks(weights):
    heard = [f"{s.upper()}!" for s in SENTENCES]
    modality = text_modality(SENTENCES, LABELS, with_(unpunctuated=True), weights=weights, misrecognized=heard)
    assert [len(c) for c in modality.copies] == [3] * 6
    assert [copies[2] for copies in modality.copies] == modality.examples


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("Where's Anna? I don\u2019t know!", "where's anna i don\u2019t know"),
        ("One -- two_three", "one two three"),
        ("...", ""),
    ],
)
def test_without_marks_words_are_in_lower_case_alone(written, found):
    assert unpunctuated(written) == found


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
