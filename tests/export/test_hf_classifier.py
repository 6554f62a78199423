"""Classifiers that were fine-tuned elsewhere: any architecture, brought to a bundle's labels, or refused in words."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PreTrainedTokenizerFast

from export import hf_classifier
from export.graphs.text import text_graph
from export.graphs.torch_export import write
from tests.export.graphs.test_text import SMALL
from tests.export.tiny import word_tokenizer
from trainer.errors import CheckpointError, ExportError

THEIRS = ["joy", "anger", "neutral", "annoyance"]
RENAMED = {"joy": "happy", "anger": "angry", "annoyance": "angry"}
OURS = ("neutral", "happy", "angry")


def write_classifier(folder: Path, kind: str = "bert", labels: list[str] = THEIRS) -> Path:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind, **SMALL[kind], id2label=dict(enumerate(labels)), label2id={name: i for i, name in enumerate(labels)}
    )
    model = AutoModelForSequenceClassification.from_config(config).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights) * 0.2)
    model.save_pretrained(folder)
    word_tokenizer(folder / "words.json")
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "words.json"), pad_token="[PAD]", unk_token="[UNK]")
    tokenizer.save_pretrained(folder)
    (folder / "words.json").unlink()
    return folder


@torch.no_grad()
@pytest.mark.parametrize("kind", SMALL)
def test_any_architecture_answers_as_transformers_does_with_labels_added_up(tmp_path, run, kind):
    folder = write_classifier(tmp_path / kind, kind)
    found = hf_classifier.load(folder, OURS, RENAMED)
    write(text_graph(found.network), tmp_path / "text.onnx")
    theirs = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    ids = torch.randint(2, 20, (1, 9))
    extra = {"token_type_ids": torch.tensor([[0] * 8 + [2]])} if kind == "xlnet" else {}
    joy, anger, neutral, annoyance = theirs(input_ids=ids, **extra).logits.softmax(1)[0].tolist()
    logits, embedding = run(tmp_path / "text.onnx", ids, torch.ones_like(ids))
    scores = np.exp(logits[0]) / np.exp(logits[0]).sum()
    assert scores == pytest.approx([neutral, joy, anger + annoyance], abs=1e-4)
    assert embedding.ndim == 2
    assert found.labels == OURS


def test_a_label_may_be_left_out(tmp_path):
    folder = write_classifier(tmp_path / "bert")
    found = hf_classifier.load(folder, ("happy", "angry"), RENAMED | {"neutral": ""})
    assert [group.tolist() for group in found.network.groups] == [[0], [1, 3]]
    assert hf_classifier.labels_of(folder, RENAMED) == ("happy", "angry", "neutral")


@pytest.mark.parametrize(
    ("labels", "renamed", "match"),
    [
        (OURS, {}, "anger, annoyance, joy are not the bundle's; happy, angry are missing; rename with --map"),
        (("neutral", "happy", "angry", "sad"), RENAMED, "sad are missing"),
        (("neutral", "happy"), RENAMED, "angry are not the bundle's"),
    ],
)
def test_labels_that_differ_are_named_with_what_to_do(tmp_path, labels, renamed, match):
    with pytest.raises(ExportError, match=match):
        hf_classifier.load(write_classifier(tmp_path / "bert"), labels, renamed)


def test_an_encoder_that_was_never_fine_tuned_is_refused(tmp_path):
    folder = write_classifier(tmp_path / "bert")
    config = AutoConfig.for_model("bert", **SMALL["bert"])
    AutoModel.from_config(config).save_pretrained(folder)
    with pytest.raises(CheckpointError, match="BertModel, whose classifier would be random"):
        hf_classifier.load(folder, None, {})


@pytest.mark.parametrize("gone", [["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]])
def test_a_missing_tokenizer_is_named(tmp_path, gone):
    folder = write_classifier(tmp_path / "bert")
    for name in gone:
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(CheckpointError, match="tokenizer"):
        hf_classifier.load(folder, OURS, RENAMED)


def test_damaged_weights_are_named(tmp_path):
    folder = write_classifier(tmp_path / "bert")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="cannot load a text classifier"):
        hf_classifier.load(folder, OURS, RENAMED)


def test_a_config_that_names_nothing_is_named(tmp_path):
    folder = write_classifier(tmp_path / "bert")
    (folder / "config.json").write_text(json.dumps({"hello": "world"}))
    with pytest.raises(CheckpointError, match="cannot load a text classifier"):
        hf_classifier.load(folder, OURS, RENAMED)
    assert hf_classifier.is_finetuned(folder)
    assert not hf_classifier.is_finetuned(tmp_path)


def test_the_digest_is_of_the_weights(tmp_path):
    one = hf_classifier.load(write_classifier(tmp_path / "a"), None, {})
    same = hf_classifier.load(write_classifier(tmp_path / "b"), None, {})
    other = hf_classifier.load(write_classifier(tmp_path / "c", labels=["x", "y"]), None, {})
    assert one.digest == same.digest != other.digest
