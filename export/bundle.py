"""Checkpoints → a bundle: graphs, tokenizers, manifest and model card, verified; all of it or nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_runtime.audio import SAMPLE_RATE
from edge_runtime.bundle import MANIFEST, SCHEMA
from edge_runtime.errors import ExportError
from export import card, parts, recogniser, samples
from export.composition import compose
from export.limits import STRICT, Limits
from export.parts import Parts
from export.samples import Samples
from export.writer import Writer
from trainer import checkpoints, weights
from trainer.folders import replacing
from trainer.speech.bilstm import AttentionBiLSTM

PRECISIONS = ("fp32", "int8")
VERSION = "0.1.0"
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
    precision: str,
    stitched: bool = True,
    force: bool = False,
    untrained_fusion: bool = False,
    tried: Samples | None = None,
    limits: Limits = STRICT,
) -> dict[str, Any]:
    """Write the bundle ``target`` and return its manifest.

    Args:
        sources: weights and checkpoints.
        target: the folder to write; it appears when everything in it is done.
        name: the bundle's name.
        precision: one of ``PRECISIONS``.
        stitched: False pads to 30 s instead, as Whisper's authors do; slow, for comparison.
        force: replace a bundle that is there.
        untrained_fusion: without a fusion checkpoint, multiply what voice and words say.
        tried: what the bundle is tried on; None takes a few built-in recordings and sentences.
        limits: what it may lose.

    Raises:
        ExportError: the target exists, checkpoints do not belong together, or the bundle falls short of ``limits``.
        CheckpointError, WeightsError: a part is missing.
    """
    if precision not in PRECISIONS:
        raise ExportError(f"precision {precision!r}: use {' or '.join(PRECISIONS)}")
    check_target(target, force=force)
    trained = parts.load(sources.checkpoints, sources.renamed)
    _check_fusion(sources.checkpoints, trained, untrained_fusion=untrained_fusion)
    whisper = _folder(sources)
    origins = {name: weights.provenance(sources.pretrained / name) for name in (VAD,)}
    heard = None
    if trained.text is not None or not isinstance(trained.speech, AttentionBiLSTM):
        heard = recogniser.load(whisper, language=sources.language)
        origins[Path(whisper).name] = provenance(whisper)
    for config in trained.configs.values():
        origins |= config.get("pretrained", {}) if config["kind"] == "text" else {}
    items = tried or samples.built_in()
    made = compose(trained, heard, sources.pretrained / VAD / "vad.onnx", items, stitched=stitched)
    with replacing(target) as scratch, tempfile.TemporaryDirectory() as exact:
        writer = Writer(scratch, Path(exact), precision)
        writer.write(made)
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
        writer.verify(manifest, items, limits)
        (scratch / card.FILE).write_text(card.render(manifest), encoding="utf-8")
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
    if (folder / weights.SOURCE_FILE).is_file():
        return weights.provenance(folder)
    known = {"name": folder.name, "licence": "unknown", "credit": folder.name}
    return known | ({"origin": "folder"} if folder.is_dir() else {"origin": "hub", "hub": source, "revision": "main"})


def part_facts(config: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """Return what a manifest's ``provenance`` says of a part."""
    return {k: v for k, v in config.items() if k not in {"metrics", "labels"}} | {"weights_sha256": digest}


def _facts(trained: Parts, origins: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    return {
        "provenance": {part: part_facts(config, trained.digests[part]) for part, config in trained.configs.items()},
        "toolchain": checkpoints.versions(),
        "metrics": {part: config["metrics"] for part, config in trained.configs.items()},
        "credits": card.credits_of(trained.configs, origins),
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
        weights.provenance(fetched)  # says what to fetch
    return str(fetched) if fetched.is_dir() else sources.whisper
