"""Checkpoints → a bundle: graphs, tokenizers, manifest and model card, verified; all of it or nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.bundle.bundle import MANIFEST, SCHEMA
from export import components, model_card
from export.assemble import Composition, compose
from export.bundle_writer import Writer
from export.components import Parts
from export.evaluation import data
from export.evaluation.data import Samples
from export.evaluation.limits import STRICT, Limits
from export.graphs import recogniser
from export.graphs.torch_export import Graph
from export.quantization import calibration as feeds
from export.quantization.config import Recipe
from export.quantization.eight_bits import Feed
from trainer import checkpoints
from trainer.errors import ExportError, WeightsError
from trainer.folders import replacing
from trainer.pretrained import download
from trainer.speech.bilstm import AttentionBiLSTM

VERSION = "0.2.0"
WHISPER, VAD = "whisper-tiny.en", "silero-vad"


@dataclass(frozen=True)
class Sources:
    """What a bundle is made of.

    Attributes:
        pretrained: folder that `trainer fetch` wrote.
        checkpoints: folder with ``speech``, ``text`` and ``fusion``, or some of them.
        whisper: name of the speech encoder and recogniser in ``pretrained``, another folder, or a hub id.
        language: of a multilingual Whisper.
        renamed: new names of the labels of a text classifier that was fine-tuned elsewhere.
    """

    pretrained: Path
    checkpoints: Path
    whisper: str = WHISPER
    language: str | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)


def build(
    sources: Sources,
    target: Path,
    *,
    name: str,
    recipe: Recipe,
    stitched: bool = True,
    force: bool = False,
    untrained_fusion: bool = False,
    tried: Samples | None = None,
    limits: Limits = STRICT,
    calibrate: Samples | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Write the bundle ``target`` and return its manifest.

    Args:
        sources: weights and checkpoints.
        target: the folder to write; it appears when everything in it is done.
        name: the bundle's name.
        recipe: the precision of what is converted.
        stitched: False pads to 30 s instead, as Whisper's authors do; slow, for comparison.
        force: replace a bundle that is there.
        untrained_fusion: without a fusion checkpoint, multiply what voice and words say.
        tried: what the bundle is tried on; None takes a few built-in recordings and sentences.
        limits: what it may lose.
        calibrate: for static int8, speech and words that are not among ``tried``.
        say: is told what is being tried, where layers have to be found that must stay exact.

    Raises:
        ExportError: the target exists, checkpoints do not belong together, or the bundle falls short of ``limits``.
        CheckpointError, WeightsError: a part is missing.
    """
    check_target(target, force=force)
    torch.manual_seed(0)  # examples to trace with, so that the same checkpoints give the same bytes
    trained = components.load(sources.checkpoints, sources.renamed)
    _check_fusion(sources.checkpoints, trained, untrained_fusion=untrained_fusion)
    whisper = _folder(sources)
    origins = {}
    heard = None
    if trained.text is not None or not isinstance(trained.speech, AttentionBiLSTM):
        heard = recogniser.load(whisper, language=sources.language)
        origins[Path(whisper).name] = provenance(whisper)
    origins[VAD] = download.provenance(sources.pretrained / VAD)
    vad = sources.pretrained / VAD / "vad.onnx"
    if not vad.is_file():
        raise WeightsError(f"{vad}: missing; delete the folder and run `trainer fetch` again")
    for config in trained.configs.values():
        origins |= config.get("pretrained", {}) if config["kind"] == "text" else {}
    items = tried or data.built_in()
    made = compose(trained, heard, vad, items, stitched=stitched)
    with replacing(target) as scratch, tempfile.TemporaryDirectory() as exact:
        calibration = calibration_feeds(made, calibrate)
        writer = Writer(scratch, Path(exact), recipe, calibration=calibration, say=say)
        writer.write(made, trained.labels, items, limits)
        manifest = {
            "schema": SCHEMA,
            "name": name,
            "version": VERSION,
            "labels": list(trained.labels),
            "sample_rate": SAMPLE_RATE,
            **writer.manifest(),
            **({"decoding": made.decoding} if made.decoding else {}),
            "calibration": made.calibration,
            **_facts(trained, origins),
        }
        writer.verify(manifest, made, items, limits)
        (scratch / model_card.FILE).write_text(model_card.render(manifest), encoding="utf-8")
    return manifest


def check_target(target: Path, *, force: bool) -> None:
    """Refuse to replace what is there, unless it is a bundle and told to.

    Raises:
        ExportError: it exists.
    """
    if target.exists() and not force:
        raise ExportError(f"{target}: exists already; --force replaces it")
    if target.exists() and not (target / MANIFEST).is_file():
        raise ExportError(f"{target}: exists and is not a bundle, so it is not replaced; name another folder")


def provenance(source: str) -> dict[str, str]:
    """Return where pretrained weights came from; of what `trainer fetch` did not get, only the name is known."""
    folder = Path(source)
    if (folder / download.SOURCE_FILE).is_file():
        return download.provenance(folder)
    known = {"name": folder.name, "licence": "unknown", "credit": folder.name}
    return known | ({"origin": "folder"} if folder.is_dir() else {"origin": "hub", "hub": source, "revision": "main"})


def calibration_feeds(made: Composition, calibrate: Samples | None) -> dict[str, list[Feed]]:
    """Return what each slot that can be calibrated is calibrated with."""
    if calibrate is None:
        return {}
    found = {slot: feeds.feeds(slot, calibrate.items, made.tokenizers.get("text")) for slot in made.slots}
    states = made.slots.get("speech_emotion")
    if isinstance(states, Graph) and "hidden_states" in states.inputs:
        del found["speech_emotion"]
    return {slot: given for slot, given in found.items() if given}


def part_facts(config: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """Return what a manifest's ``provenance`` says of a part."""
    return {k: v for k, v in config.items() if k not in {"metrics", "labels"}} | {"weights_sha256": digest}


def _facts(trained: Parts, origins: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    return {
        "provenance": {part: part_facts(config, trained.digests[part]) for part, config in trained.configs.items()},
        "toolchain": checkpoints.versions(),
        "metrics": {part: config["metrics"] for part, config in trained.configs.items()},
        "credits": model_card.credits_of(trained.configs, origins),
    }


def _check_fusion(folder: Path, trained: Parts, *, untrained_fusion: bool) -> None:
    lacking = trained.speech is not None and trained.text is not None and trained.fusion is None
    if lacking and not untrained_fusion:
        raise ExportError(
            f"{folder}: voice and words, but no fusion of them; train it (`trainer fit --resume`, or of the recipe "
            "`trainer fit --only fusion`), or have both answers multiplied by --untrained-fusion"
        )


def _folder(sources: Sources) -> str:
    """Return the Whisper's folder, or its hub id where there is no such folder."""
    fetched = sources.pretrained / sources.whisper
    if sources.whisper == WHISPER:
        download.provenance(fetched)  # says what to fetch
    return str(fetched) if fetched.is_dir() else sources.whisper
