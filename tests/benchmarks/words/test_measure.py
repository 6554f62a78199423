"""What is measured of the words branch, on tiny networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from typer import BadParameter

from benchmarks.common.paths import BUNDLE
from benchmarks.words import measure, variants
from benchmarks.words.measure import PLAIN, Forms, Network
from edge_runtime import IEmoNet
from edge_runtime.inference.text_tokens import Turn
from tests.trainer.encoders import write_bert
from trainer import config
from trainer.corpora.dataset import Dataset
from trainer.corpora.utterance import LABELS, Utterance
from trainer.text.encoding import Texts
from trainer.text.network import TextEmotion, load_encoder, load_tokenizer
from trainer.toml_file import read_toml


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    folder = tmp_path_factory.mktemp("weights")
    write_bert(folder / "bert", ["what", "a", "day", "this", "is", "my", "dog"])
    torch.manual_seed(0)
    made = TextEmotion(load_encoder(folder / "bert"), 4, hidden=8, context_tokens=8).eval()
    texts = Texts(load_tokenizer(folder / "bert"), 16, 8)
    return Network(made, texts, {"labels": list(LABELS), "priors": dict.fromkeys(LABELS, 0.25)})


def test_an_unknown_variant_is_named_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variants, "train", lambda *_: pytest.fail("it began"))
    with pytest.raises(BadParameter, match=r"unknown: nonsense; there are .*mpnet"):
        measure.command(only=["nonsense"])


def test_there_are_five_plain_sentences_of_each_class() -> None:
    assert {label: len(texts) for label, texts in read_toml(PLAIN).items()} == dict.fromkeys(
        ("angry", "sad", "happy", "neutral"), 5
    )


def test_plain_sentences_that_are_wrong_are_named(network: Network) -> None:
    found = measure._plain_sentences(network)
    assert found["n"] == 20 and found["right"] + len(found["wrong"]) == 20
    assert all(wrong["guess"] != wrong["label"] for wrong in found["wrong"])


def test_fragments_are_uncertain_below_the_operating_point_alone(network: Network) -> None:
    for point, share in ((1.01, 1), (0.0, 0)):
        found = measure._fragments(network, {"temperature": 1.0, "operating_point": point})
        assert found["uncertain"] == share * found["n"] > -1


def test_each_form_is_scored_and_a_context_is_read(network: Network) -> None:
    context = (Turn("what a day", "other"),)
    utterances = [
        Utterance(f"{i}", "meld", label, "", transcript="my dog", context=context) for i, label in enumerate(LABELS)
    ]
    forms = Forms(utterances, np.arange(4), {"written": ["my dog"] * 4}, 0.1)
    found = forms.ask(network)
    assert set(found) == {"written", "context", "written, classes taken as equally frequent"}
    assert all(scores["ua"] == 0.25 for scores in found.values())


def test_a_bundles_words_are_scored_as_the_runtime_answers() -> None:
    with IEmoNet.load(BUNDLE, threads=1) as model:
        texts = ["I hate you, get out of my house!", "", "what a wonderful day, I am so happy"]
        found = measure.Shipped(model).logits(texts)
        labels = model.bundle.labels
        assert [labels[found[row].argmax()] for row in (0, 2)] == ["angry", "happy"]
        np.testing.assert_allclose(np.exp(found).sum(1), 1, atol=1e-5)
        np.testing.assert_allclose(found[1], found[1].mean())


def test_variants_are_the_bundles_configuration_but_for_one_thing() -> None:
    bundle = variants.bundle_text()
    for name, variant in variants.VARIANTS.items():
        made = variants.bundle_text(variant)
        assert made.text is not None and made.protocol == bundle.protocol == "corpus"
        assert (made != bundle) == bool(variant.seed or variant.text), name
    assert config.read(config.BUNDLE).text is not None


def test_a_variant_that_is_there_is_not_trained_again(tmp_path: Path) -> None:
    folder = tmp_path / "seed-1"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    assert variants.train("seed-1", tmp_path, tmp_path, tmp_path, tmp_path) == folder


def test_of_many_rows_as_many_are_asked_as_stated() -> None:
    rows = np.arange(10 * measure.MOST)
    some = measure._some(rows)
    assert len(set(some.tolist())) == measure.MOST
    assert measure._some(rows[:7]).tolist() == list(range(7))


def test_the_dataset_of_texts_is_that_of_the_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def load(above: Path, branch: str, data: config.Data, **how: object) -> Dataset:
        asked.append((above, branch, data, how["licences"], how["unlabelled"]))
        return Dataset("a", (), ())

    monkeypatch.setattr(variants.branch_data, "load", load)
    variants.texts(tmp_path, variants.bundle_text(), "permissive")
    assert asked == [(tmp_path, "text", config.read(config.BUNDLE).corpora["text"], "permissive", True)]
