"""The networks to keep: trained on everything, or those that an official split has tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from edge_runtime.errors import WeightsError
from trainer import checkpoints, weights
from trainer.experiment.settings import Experiment, Text
from trainer.experiment.unit import Material, Unit, run
from trainer.fusion.network import FusionEmotion
from trainer.protocols import Fold
from trainer.speech.network import SpeechEmotion
from trainer.text import checkpoint as text_checkpoint
from trainer.text.branch import locate
from trainer.text.network import TextEmotion, load_tokenizer

CHECKPOINTS = "checkpoints"


def done(folder: Path, experiment: Experiment) -> bool:
    """Whether all checkpoints of a run are there."""
    return all(
        (folder / CHECKPOINTS / name / checkpoints.CONFIG).is_file()
        for name in ("speech", "text", "fusion")
        if getattr(experiment, name) is not None
    )


def write(
    folder: Path,
    units: Sequence[Unit],
    material: Material,
    experiment: Experiment,
    labels: Sequence[str],
    pretrained: Path,
    metrics: Mapping[str, Any],
) -> None:
    """Write ``folder/checkpoints/{speech,text,fusion}``.

    Args:
        folder: of the run.
        units: of its first repeat.
        material: branches and labels.
        experiment: its settings.
        labels: in order.
        pretrained: folder of pretrained weights.
        metrics: what the run measured; the temperatures are taken from it.
    """
    if len(units) == 1:
        unit = units[0]
    else:
        everything, nobody = np.arange(len(material.truth)), np.zeros(0, np.intp)
        unit = Unit(folder / "units" / "everything", Fold("everything", everything, nobody, nobody), units[0].seed)
        if not unit.finished:
            material.say("the networks to keep, on everything")
    networks = run(unit, material, keep=True)
    target = folder / CHECKPOINTS
    common = {
        "labels": list(labels),
        "protocol": f"{metrics['protocol']}, {len(units)} parts, {experiment.repeats} runs",
        "corpora": {metrics["corpus"]: dict(zip(*_counts(material, labels), strict=True))},
    }
    for name in ("speech", "text"):
        if name in networks:
            _branch(target / name, name, networks[name], experiment, pretrained, common, metrics)
    if experiment.fusion is not None:
        _fusion(target, networks["fusion"], experiment, common, metrics)
    for kept in unit.folder.glob("*.safetensors"):
        kept.unlink()  # the checkpoints hold them now


def _counts(material: Material, labels: Sequence[str]) -> tuple[list[str], list[int]]:
    return list(labels), np.bincount(material.truth, minlength=len(labels)).tolist()


def _branch(
    out: Path,
    name: str,
    network: nn.Module,
    experiment: Experiment,
    pretrained: Path,
    common: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> None:
    config = {**common, "kind": name, "metrics": metrics["branches"][name]}
    if isinstance(network, TextEmotion):
        assert experiment.text is not None
        source = locate(experiment.text.encoder, pretrained)
        encoder = Path(experiment.text.encoder).name
        config |= {
            "encoder": encoder,
            "settings": asdict(experiment.text),
            "pretrained": {encoder: _provenance(source, experiment.text)},
        }
        text_checkpoint.write(out, network, load_tokenizer(source), config)
        return
    assert experiment.speech is not None
    config["settings"] = asdict(experiment.speech)
    if isinstance(network, SpeechEmotion):
        config |= {
            "width": network.width,
            "pretrained": {n: weights.provenance(pretrained / n) for n in ("whisper-tiny.en", "silero-vad")},
        }
    else:
        config["kind"] = "speech-is09"
    checkpoints.write(out, network, config)


def _provenance(source: str, settings: Text) -> dict[str, str]:
    """Return where an encoder came from; of a folder that `trainer fetch` did not make, only its name is known."""
    try:
        return weights.provenance(Path(source))
    except WeightsError:
        return {"name": settings.encoder, "origin": "folder", "licence": "unknown", "credit": settings.encoder}


def _fusion(
    target: Path, network: nn.Module, experiment: Experiment, common: Mapping[str, Any], metrics: Mapping[str, Any]
) -> None:
    assert experiment.fusion is not None
    kind = "fusion" if isinstance(network, FusionEmotion) else f"fusion-{experiment.fusion.block}"
    config = {
        **common,
        "kind": kind,
        "settings": asdict(experiment.fusion),
        "branches": {name: checkpoints.digest(target / name) for name in ("speech", "text")},
        "metrics": metrics["branches"]["fusion"]
        | {"calibration": {n: b["calibration"] for n, b in metrics["branches"].items() if n.startswith("fusion")}},
    }
    if isinstance(network, FusionEmotion):
        config |= {"speech_width": network.speech.in_features, "text_width": network.text.in_features}
    checkpoints.write(target / "fusion", network, config)
