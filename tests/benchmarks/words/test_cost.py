"""Size and time of the words' graph."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from benchmarks.common import results_file
from benchmarks.words import cost
from edge_runtime.errors import BundleNotFoundError
from tests.trainer.encoders import write_bert
from trainer.text import checkpoint
from trainer.text.network import TextEmotion, load_encoder, load_tokenizer


def test_the_bundles_words_are_measured_without_variants_that_are_not_there(
    context_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, positive: Callable[[Any], bool]
) -> None:
    monkeypatch.setattr(results_file, "RESULTS", tmp_path)
    cost.command(context_bundle, tmp_path / "none", rounds=2)
    found = json.loads((tmp_path / "words-cost.json").read_text())
    assert list(found["networks"]) == ["bundle"] and positive(found["networks"])
    assert (found["tokens"], found["bundle_version"]) == (12, "0.0.1")


def test_a_size_is_that_of_the_graph_and_its_weights(context_bundle: Path, bundle_folder: Path) -> None:
    assert cost.of_bundle(context_bundle)[1] == (context_bundle / "text_emotion.onnx").stat().st_size
    whole = sum((bundle_folder / f"text_emotion.{end}").stat().st_size for end in ("onnx", "weights"))
    assert cost.of_bundle(bundle_folder)[1] == whole


def test_a_checkpoint_is_measured_in_int8(tmp_path: Path) -> None:
    write_bert(tmp_path / "bert", ["what", "a", "day"])
    torch.manual_seed(0)
    network = TextEmotion(load_encoder(tmp_path / "bert"), 4, hidden=8).eval()
    settings = {"max_tokens": 16, "hidden_size": 8}
    config = {"kind": checkpoint.KIND, "labels": list("abcd"), "settings": settings}
    checkpoint.write(tmp_path / "text", network, load_tokenizer(tmp_path / "bert"), config)
    session, size = cost.of_checkpoint(tmp_path / "text", tmp_path)
    assert size == (tmp_path / "text.onnx").stat().st_size
    assert "MatMulInteger" in {node.op_type for node in onnx.load(tmp_path / "text.onnx").graph.node}
    ids = np.ones((1, 3), np.int64)
    assert session(input_ids=ids, attention_mask=ids)["logits"].shape == (1, 4)


def test_no_bundle_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(BundleNotFoundError):
        cost.command(tmp_path / "none")
