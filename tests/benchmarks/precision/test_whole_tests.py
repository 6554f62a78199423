"""A tiny text branch on a whole test part, in torch and in int8."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.common import results_file
from benchmarks.precision import whole_tests
from benchmarks.report import precisions_page
from tests.trainer.encoders import write_bert
from trainer.corpora.utterance import LABELS, Utterance
from trainer.errors import CheckpointError, ConfigError
from trainer.text import checkpoint
from trainer.text.network import TextEmotion, load_encoder, load_tokenizer

WORDS = ["what", "a", "day", "this", "is", "my", "dog"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    write_bert(folder / "bert", WORDS)
    torch.manual_seed(0)
    network = TextEmotion(load_encoder(folder / "bert"), len(LABELS), hidden=8, context_tokens=8).eval()
    settings = {"max_tokens": 16, "hidden_size": 8, "context_tokens": 8}
    config = {"kind": checkpoint.KIND, "labels": list(LABELS), "settings": settings}
    checkpoint.write(folder / "text", network, load_tokenizer(folder / "bert"), config)
    return folder / "text"


@pytest.fixture
def utterances() -> list[Utterance]:
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, random.integers(1, 20))) for _ in range(30)]
    return [Utterance(f"{i}", "meld", LABELS[i % 4], "", transcript=text) for i, text in enumerate(texts)]


def test_each_text_is_asked_of_torch_and_of_both_graphs(
    trained: Path, utterances: list[Utterance], tmp_path: Path, positive: Callable[[Any], bool]
) -> None:
    found = whole_tests.measure(trained, utterances, tmp_path / "kept")
    assert positive(found) and found["n"] == 30
    network, texts, _ = checkpoint.restore(trained)
    alone = [
        int(network(**{k: torch.tensor([v]) for k, v in example.items()})[0].argmax())
        for example in texts.encode([u.transcript or "" for u in utterances])
    ]
    right = np.mean([guess == i % 4 for i, guess in enumerate(alone)])
    assert found["torch"]["wa"] == pytest.approx(right, abs=1e-4)
    for bits in ("8 bits", "7 bits"):
        assert found[bits]["same_label"] > 0.8


def test_another_processor_gets_the_same_graphs_and_torch_is_not_asked_again(
    trained: Path, utterances: list[Utterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = whole_tests.measure(trained, utterances, tmp_path)
    for name in ("predict", "_export"):
        monkeypatch.setattr(whole_tests, name, None)  # calling it fails
    assert whole_tests.measure(trained, utterances, tmp_path) == first
    with pytest.raises(TypeError):  # other texts are other answers
        whole_tests.measure(trained, utterances[:-1], tmp_path)


def test_checkpoints_are_kept_side_by_side_in_the_result(
    trained: Path, utterances: list[Utterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results_file, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(whole_tests, "test_part", lambda *_: (utterances, "tiny"))
    for title in ("one", "other"):
        whole_tests.command([f"{title}={trained}"], kept=tmp_path / "kept")
    found = json.loads((tmp_path / "results" / "whole-tests.json").read_text())
    assert list(found["checkpoints"]) == ["one", "other"]
    page = precisions_page._whole_tests(found)
    assert "| one: tiny, 30 texts | torch |" in page and page.count("| 7 bits |") == 2


@pytest.mark.parametrize(
    ("given", "said"), [(["folder"], "expected NAME=FOLDER"), (["=x"], "NAME=FOLDER"), (["a=x", "a=y"], "twice")]
)
def test_checkpoints_without_a_name_of_their_own_are_refused(given: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        whole_tests.command(given)


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint here"):
        whole_tests.command([f"a={tmp_path}"])
