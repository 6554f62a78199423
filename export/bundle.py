"""Checkpoints → a bundle: graphs, tokenizers, manifest and model card, all of it or nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort
import torch
from transformers import GenerationConfig, WhisperForConditionalGeneration

from edge_runtime.audio import SAMPLE_RATE
from edge_runtime.bundle import MANIFEST, SCHEMA
from edge_runtime.errors import ExportError
from export import card, emotion, parts, whisper
from export.quantise import int8, share_tables
from trainer import checkpoints, weights
from trainer.folders import replacing

PRECISIONS = ("fp32", "int8")
KEPT_FP32 = ("vad", "speech_emotion", "fusion")
"""Slots that int8 neither shrinks nor speeds up by anything that matters: together under 4 MB."""
VERSION = "0.1.0"
NO_TIMESTAMPS = "no_timestamps_token_id"


@dataclass(frozen=True)
class Sources:
    """What a bundle is made of.

    Attributes:
        pretrained: folder with ``whisper-tiny.en`` and ``silero-vad``.
        checkpoints: folder with ``speech``, ``text`` and ``fusion``.
    """

    pretrained: Path
    checkpoints: Path


def build(
    sources: Sources, target: Path, *, name: str, precision: str, stitched: bool = True, force: bool = False
) -> None:
    """Write the bundle ``target``.

    Args:
        sources: weights and checkpoints.
        target: the folder to write; it appears when everything in it is done.
        name: the bundle's name.
        precision: ``fp32`` or ``int8``.
        stitched: False pads to 30 s instead, as Whisper's authors do; slow, for comparison.
        force: replace a bundle that is there.

    Raises:
        ExportError: the target exists, the runtime cannot run a checkpoint, or they do not belong together.
        CheckpointError, WeightsError: a part is missing.
    """
    if precision not in PRECISIONS:
        raise ExportError(f"precision {precision!r}: use {' or '.join(PRECISIONS)}")
    if target.exists() and not force:
        raise ExportError(f"{target}: exists already; --force replaces it")
    if target.exists() and not (target / MANIFEST).is_file():
        raise ExportError(f"{target}: exists and is not a bundle, so it is not replaced; name another folder")
    with replacing(target) as scratch:
        with torch.no_grad():
            manifest = _write(sources, scratch, name=name, precision=precision, stitched=stitched)
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        (scratch / MANIFEST).write_text(text + "\n", encoding="utf-8")
        (scratch / card.FILE).write_text(card.render(manifest), encoding="utf-8")


def _write(sources: Sources, folder: Path, *, name: str, precision: str, stitched: bool) -> dict[str, Any]:
    trained = parts.load(sources.checkpoints)
    configs = trained.configs
    whisper_folder = sources.pretrained / "whisper-tiny.en"
    origins = {w: weights.provenance(sources.pretrained / w) for w in ("whisper-tiny.en", "silero-vad")}
    origins |= configs["text"]["pretrained"]
    model = WhisperForConditionalGeneration.from_pretrained(whisper_folder).eval()

    writers: dict[str, Callable[[Path], None]] = {
        "speech_encoder": lambda path: whisper.export_encoder(model, path, stitched=stitched),
        "transcript_decoder": lambda path: whisper.export_decoder(model, path),
        "speech_emotion": lambda path: emotion.export_speech(trained.speech, model.config.encoder_layers, path),
        "text_emotion": lambda path: emotion.export_text(trained.text, path),
        "fusion": lambda path: emotion.export_fusion(trained.fusion, path),
        "vad": lambda path: _copy(sources.pretrained / "silero-vad" / "vad.onnx", path),
    }
    slots = {}
    for slot, write in writers.items():
        graph, exact = folder / f"{slot}.onnx", folder / f"{slot}.exact.onnx"
        write(exact)
        this = "fp32" if slot in KEPT_FP32 else precision
        if this == "int8":
            int8(exact, graph)
            exact.unlink()
        else:
            if slot == "transcript_decoder":
                share_tables(exact)
            exact.rename(graph)
        slots[slot] = {**_file(graph), "precision": this, **_signature(graph)}
    _copy(whisper_folder / "tokenizer.json", folder / "transcript_tokenizer.json")
    tokenizer = trained.texts.tokenizer.backend_tokenizer
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(folder / "text_tokenizer.json"), pretty=False)
    return {
        "schema": SCHEMA,
        "name": name,
        "version": VERSION,
        "labels": configs["speech"]["labels"],
        "sample_rate": SAMPLE_RATE,
        "slots": dict(sorted(slots.items())),
        "tokenizers": {
            "transcript": _file(folder / "transcript_tokenizer.json"),
            "text": _file(folder / "text_tokenizer.json"),
        },
        "decoding": _decoding(model.generation_config),
        "calibration": _temperatures(configs),
        "provenance": {
            part: {k: v for k, v in config.items() if k not in {"metrics", "labels", "kind"}}
            | {"weights_sha256": checkpoints.digest(sources.checkpoints / part)}
            for part, config in configs.items()
        },
        "toolchain": checkpoints.versions(),
        "metrics": {part: config["metrics"] for part, config in configs.items()},
        "credits": card.credits_of(configs, origins),
    }


def _temperatures(configs: dict[str, dict[str, Any]]) -> dict[str, float]:
    fused = configs["fusion"]["metrics"]["calibration"]
    found = {
        "speech": configs["speech"]["metrics"]["calibration"],
        "text": configs["text"]["metrics"]["calibration"],
        **{name: fused[name] for name in ("fusion", "fusion_speech_only", "fusion_text_only")},
    }
    # Where nothing was held apart to fit a temperature on, scores stay as they were trained.
    return {name: calibration["temperature"] if calibration else 1.0 for name, calibration in found.items()}


def _decoding(config: GenerationConfig) -> dict[str, Any]:
    return {
        "prompt": [config.decoder_start_token_id, getattr(config, NO_TIMESTAMPS)],
        "end": config.eos_token_id,
        "suppress": config.suppress_tokens,
        "begin_suppress": config.begin_suppress_tokens,
        "max_tokens": config.max_length // 2,
    }


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def _file(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {"file": path.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _signature(graph: Path) -> dict[str, Any]:
    """Return a graph's inputs and outputs as onnxruntime sees them, which is what the runtime compares."""
    session = ort.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    return {
        key: [{"name": v.name, "dtype": v.type, "shape": list(v.shape)} for v in values]
        for key, values in (("inputs", session.get_inputs()), ("outputs", session.get_outputs()))
    }
