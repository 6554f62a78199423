"""Whole inputs, small, that the fuzzer then damages: a file of every audio format, and a bundle that can be run."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import soundfile
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

LABELS = ("angry", "happy", "neutral", "sad")
WORDS = ("[UNK]", "I", "am", "so", "happy", "you", "hate", "leave")
WIDTH = len(LABELS)
FLOAT, INTEGER = int(TensorProto.FLOAT), int(TensorProto.INT64)
Ends = dict[str, tuple[int, list[int | str]]]


def recordings() -> dict[str, bytes]:
    """Return a tenth of a second in every format and encoding that libsndfile writes here."""
    found = {}
    rng = np.random.default_rng(0)
    for kind in sorted(set(soundfile.available_formats()) - {"RAW", "SD2"}):  # without a header; beside a second file
        for subtype in soundfile.available_subtypes(kind):
            for channels in (1, 2):
                samples = rng.normal(0, 0.1, (1_600, channels))
                file = io.BytesIO()
                try:
                    soundfile.write(file, samples, 16_000, format=kind, subtype=subtype)
                except (soundfile.LibsndfileError, ValueError):  # a pair that libsndfile does not write
                    continue
                found[f"{kind} {subtype} {channels}"] = file.getvalue()
    return found


def bundle(folder: Path) -> dict[str, bytes]:
    """Write a bundle of tiny graphs that fit together into ``folder`` and return its files."""
    folder.mkdir(parents=True, exist_ok=True)
    slots: dict[str, dict[str, Any]] = {}
    files: dict[str, bytes] = {}
    for slot, (nodes, inputs, outputs, weights) in _graphs().items():
        takes, gives = (
            [helper.make_tensor_value_info(n, *end) for n, end in part.items()] for part in (inputs, outputs)
        )
        tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
        graph = helper.make_graph(nodes, slot, takes, gives, tensors)
        model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
        onnx.checker.check_model(model)
        files[f"{slot}.onnx"] = model.SerializeToString()
        slots[slot] = {
            "file": f"{slot}.onnx",
            "precision": "fp32",
            "inputs": [_stated(n, *end) for n, end in inputs.items()],
            "outputs": [_stated(n, *end) for n, end in outputs.items()],
        }
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=WORDS[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizers: dict[str, dict[str, Any]] = {}
    for name in ("transcript", "text"):
        files[f"{name}_tokenizer.json"] = tokenizer.to_str().encode()
        tokenizers[name] = {"file": f"{name}_tokenizer.json"}
    names = ("speech", "text", "fusion", "fusion_speech_only", "fusion_text_only")
    manifest: dict[str, Any] = {
        "schema": 2, "name": "fuzz", "version": "1", "labels": list(LABELS), "sample_rate": 16_000,
        "slots": slots, "tokenizers": tokenizers, "calibration": dict.fromkeys(names, 1.5),
        "decoding": {"prompt": [1], "end": 2, "suppress": [3], "begin_suppress": [], "max_tokens": 9},
    }  # fmt: skip
    for entry in [*slots.values(), *tokenizers.values()]:
        state(entry, files[entry["file"]])
    files["bundle.json"] = json.dumps(manifest).encode()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return files


def state(entry: dict[str, Any], data: bytes) -> None:
    """Make a manifest's ``entry`` fit ``data``."""
    entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def _stated(name: str, kind: int, shape: Sequence[int | str]) -> dict[str, Any]:
    return {"name": name, "dtype": {FLOAT: "tensor(float)", INTEGER: "tensor(int64)"}[kind], "shape": list(shape)}


def _graphs() -> dict[str, tuple[list[Any], Ends, Ends, dict[str, np.ndarray[Any, Any]]]]:
    node = helper.make_node
    square, axes = np.eye(WIDTH, dtype=np.float32), np.array([1], np.int64)
    table = np.random.default_rng(0).normal(size=(len(WORDS), WIDTH)).astype(np.float32)
    past: tuple[int, list[int | str]] = (FLOAT, ["batch", 1, "old", 2])
    states: tuple[int, list[int | str]] = (FLOAT, ["batch", 1, "states", WIDTH])
    answer: Ends = {"logits": (FLOAT, ["batch", WIDTH]), "embedding": (FLOAT, ["batch", WIDTH])}
    embedded: Ends = {"speech_embedding": answer["embedding"], "text_embedding": answer["embedding"]}
    return {
        "vad": (
            [node("ReduceMax", ["input"], ["speech_probs"], axes=[1], keepdims=0), node("Identity", ["h"], ["hn"]),
             node("Identity", ["c"], ["cn"])],
            {"input": (FLOAT, ["n", 576]), "h": (FLOAT, [1, 1, 128]), "c": (FLOAT, [1, 1, 128])},
            {"speech_probs": (FLOAT, ["n"]), "hn": (FLOAT, [1, 1, 128]), "cn": (FLOAT, [1, 1, 128])},
            {},
        ),
        "speech_encoder": (
            [node("Unsqueeze", ["waveform", "axes"], ["channel"]),
             node("AveragePool", ["channel"], ["mean"], kernel_shape=[320], strides=[320], ceil_mode=1),
             node("Unsqueeze", ["mean", "last"], ["column"]),
             node("Concat", ["column"] * WIDTH, ["hidden_states"], axis=3),
             node("Concat", ["column"] * 2, ["cross_key_0"], axis=3)],
            {"waveform": (FLOAT, ["batch", "samples"])},
            {"hidden_states": states, "cross_key_0": (FLOAT, ["batch", 1, "positions", 2])},
            {"axes": axes, "last": np.array([3], np.int64)},
        ),
        "transcript_decoder": (
            [node("Gather", ["table", "tokens"], ["rows"], axis=0),
             node("ReduceMean", ["rows"], ["logits"], axes=[1], keepdims=0),
             node("ReduceMean", ["cross_key_0"], ["heard"], axes=[2]),
             node("Concat", ["past_key_0", "heard"], ["present_key_0"], axis=2)],
            {"tokens": (INTEGER, ["batch", "new"]), "past_key_0": past,
             "cross_key_0": (FLOAT, ["batch", 1, "positions", 2])},
            {"logits": (FLOAT, ["batch", len(WORDS)]), "present_key_0": (FLOAT, ["batch", 1, "total", 2])},
            {"table": np.roll(np.eye(len(WORDS), dtype=np.float32), 1, axis=1)},
        ),
        "speech_emotion": (
            [node("ReduceMean", ["hidden_states"], ["embedding"], axes=[1, 2], keepdims=0),
             node("MatMul", ["embedding", "square"], ["logits"])],
            {"hidden_states": states, "spoken": (FLOAT, ["batch", "states"])}, answer, {"square": square},
        ),
        "text_emotion": (
            [node("Gather", ["table", "input_ids"], ["rows"], axis=0),
             node("ReduceMean", ["rows"], ["embedding"], axes=[1], keepdims=0),
             node("MatMul", ["embedding", "square"], ["logits"])],
            {"input_ids": (INTEGER, ["batch", "tokens"]), "attention_mask": (INTEGER, ["batch", "tokens"])},
            answer, {"table": table, "square": square},
        ),
        "fusion": (
            [node("Add", ["speech_embedding", "text_embedding"], ["sum"]),
             node("MatMul", ["sum", "square"], ["logits"])],
            {**embedded, "present": (FLOAT, ["batch", 2])}, {"logits": answer["logits"]}, {"square": square},
        ),
    }  # fmt: skip
