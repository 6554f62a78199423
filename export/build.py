"""Checkpoints and pretrained weights → a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.bundle.bundle import SCHEMA
from export import components, model_card
from export.assemble import assemble, operating_point, text_facts
from export.bundle_writer import Options, check_target, write_bundle
from export.components import TrainedComponents
from export.graphs import whisper
from trainer.config import ENCODER
from trainer.errors import ExportError, WeightsError
from trainer.pretrained import download
from trainer.speech.bilstm import AttentionBiLSTM

VERSION = "0.5.1"
VAD = "silero-vad"


@dataclass(frozen=True)
class Sources:
    """What a bundle is made of.

    Attributes:
        pretrained: folder that `trainer fetch` wrote.
        checkpoints: folder with ``speech``, ``text`` and ``fusion``, or some of them.
        whisper: name of the speech encoder and recogniser in ``pretrained``, another folder, or a hub id; None takes
            the encoder that the speech checkpoint was trained on.
        language: the only one of a multilingual Whisper.
        renamed: new names of the labels of a text classifier that was fine-tuned elsewhere.
    """

    pretrained: Path
    checkpoints: Path
    whisper: str | None = None
    language: str | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)


def build(
    sources: Sources,
    target: Path,
    options: Options,
    *,
    stitched: bool = True,
    untrained_fusion: bool = False,
) -> dict[str, Any]:
    """Write the bundle ``target``, whose name is the folder's, and return its manifest.

    Args:
        sources: weights and checkpoints.
        target: the folder to write; it appears when everything in it is done.
        options: how the bundle is quantized and evaluated.
        stitched: False pads to 30 s instead, as Whisper's authors do; slow, for comparison.
        untrained_fusion: without a fusion checkpoint, multiply the probabilities of speech and text.

    Raises:
        ExportError: the target exists, checkpoints do not belong together, or the bundle loses more than it may.
        CheckpointError, WeightsError: a component is missing.
    """
    check_target(target, force=options.force)
    torch.manual_seed(0)  # examples to trace with, so that the same checkpoints give the same bytes
    trained = components.load(sources.checkpoints, sources.renamed)
    _check_fusion(sources.checkpoints, trained, untrained_fusion=untrained_fusion)
    source = _whisper_source(sources, trained)
    origins = {}
    asr = None
    if trained.text is not None or not isinstance(trained.speech, AttentionBiLSTM):
        asr = whisper.load(source, language=sources.language)
        origins[Path(source).name] = provenance(source)
    origins[VAD] = download.provenance(sources.pretrained / VAD)
    vad = sources.pretrained / VAD / "vad.onnx"
    if not vad.is_file():
        raise WeightsError(f"{vad}: missing; delete the folder and run `trainer fetch` again")
    for config in trained.configs.values():
        origins |= config.get("pretrained", {}) if config["kind"] == "text" else {}
    evaluation = options.samples
    graphs = assemble(trained, asr, vad, evaluation, stitched=stitched)
    facts = {
        "schema": SCHEMA,
        "name": target.name,
        "version": VERSION,
        "labels": list(trained.labels),
        "sample_rate": SAMPLE_RATE,
        "slots": {},
        "tokenizers": {},
        **({"decoding": graphs.decoding} if graphs.decoding else {}),
        "calibration": graphs.temperatures,
        **({"evidence": graphs.evidence} if graphs.evidence else {}),
        **operating_point(trained.configs),
        **text_facts(graphs, trained.configs),
        **component_facts(trained.configs, trained.digests, origins),
    }
    return write_bundle(target, graphs, facts, evaluation, options)


def provenance(source: str) -> dict[str, str]:
    """Return where pretrained weights came from; of what `trainer fetch` did not get, only the name is known."""
    folder = Path(source)
    if (folder / download.SOURCE_FILE).is_file():
        return download.provenance(folder)
    known = {"name": folder.name, "licence": "unknown", "credit": folder.name}
    return known | ({"origin": "folder"} if folder.is_dir() else {"origin": "hub", "hub": source, "revision": "main"})


def component_facts(
    configs: Mapping[str, Mapping[str, Any]], digests: Mapping[str, str], origins: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Return what the manifest says of trained components: provenance, metrics and credits."""
    return {
        "provenance": {
            part: {k: v for k, v in config.items() if k not in {"metrics", "labels"}}
            | {"weights_sha256": digests[part]}
            for part, config in configs.items()
        },
        "metrics": {part: config["metrics"] for part, config in configs.items()},
        "credits": model_card.credits_of(configs, origins),
    }


def _check_fusion(folder: Path, trained: TrainedComponents, *, untrained_fusion: bool) -> None:
    lacking = trained.speech is not None and trained.text is not None and trained.fusion is None
    if lacking and not untrained_fusion:
        raise ExportError(
            f"{folder}: speech and text, but no fusion of them; train it (`trainer fit` with a section "
            "[fusion]), or have both answers multiplied by --untrained-fusion"
        )


def _whisper_source(sources: Sources, trained: TrainedComponents) -> str:
    """Return the Whisper's folder, or its hub id where there is no such folder."""
    settings = trained.configs.get("speech", {}).get("settings", {})
    name = sources.whisper or settings.get("encoder", ENCODER)
    fetched = sources.pretrained / name
    if name in download.SOURCES:
        download.provenance(fetched)  # says what to fetch
    return str(fetched) if fetched.is_dir() else name
