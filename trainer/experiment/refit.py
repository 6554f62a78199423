"""The networks to keep: trained on everything, or those that an official split has tested."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from trainer import checkpoints
from trainer.config import Experiment
from trainer.corpora import registry
from trainer.corpora.protocols import Fold
from trainer.errors import WeightsError
from trainer.experiment.fold import Material, Unit, run
from trainer.experiment.run_dir import CONFIG as RUN_CONFIG
from trainer.fusion.network import FusionEmotion
from trainer.pretrained import download
from trainer.speech import bilstm
from trainer.speech.network import SpeechEmotion
from trainer.text import checkpoint as text_checkpoint
from trainer.text.modality import locate
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
        folder: of the run, with its config.
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
    counts = np.bincount(material.truth[unit.fold.train], minlength=len(labels))
    read = json.loads((folder / RUN_CONFIG).read_text(encoding="utf-8"))["corpus"]
    common = {
        "labels": list(labels),
        "protocol": metrics["protocol"],
        "seed": experiment.seed,
        "transcripts": experiment.transcripts,
        "corpora": {
            metrics["corpus"]: {
                "labels": dict(zip(labels, counts.tolist(), strict=True)),
                "checksum": read["checksum"],
            }
        },
    }
    for name in ("speech", "text"):
        if name in networks:
            _branch(target / name, name, networks[name], experiment, pretrained, common, metrics)
    if experiment.fusion is not None:
        _fusion(target, networks["fusion"], experiment, common, metrics)
    for kept in unit.folder.glob("*.safetensors"):
        kept.unlink()  # the checkpoints hold them now


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
            "pretrained": {encoder: _provenance(source)},
        }
        if experiment.text.warm_start is not None:
            config["warmed_on"] = _warmed_on(experiment.text.warm_start)
        text_checkpoint.write(out, network, load_tokenizer(source), config)
        return
    assert experiment.speech is not None
    config["settings"] = asdict(experiment.speech)
    if isinstance(network, SpeechEmotion):
        config |= {
            "width": network.width,
            "pretrained": {n: download.provenance(pretrained / n) for n in ("whisper-tiny.en", "silero-vad")},
        }
    else:
        config["kind"] = bilstm.KIND
    checkpoints.write(out, network, config)


def _provenance(source: str) -> dict[str, str]:
    """Return where an encoder came from; of one that `trainer fetch` did not get, only its name is known."""
    folder = Path(source)
    try:
        return download.provenance(folder)
    except WeightsError:
        known = {"name": folder.name, "licence": "unknown", "credit": folder.name}
    if folder.is_dir():
        return known | {"origin": "folder"}
    return known | {"origin": "hub", "hub": source, "revision": "not recorded"}


def _warmed_on(source: str) -> list[str]:
    """Return the names of the corpora that the text branch learned from before: their terms bind it too."""
    if (Path(source) / checkpoints.CONFIG).is_file():
        config = checkpoints.read(Path(source), "text")
        return [*config["corpora"], *config.get("warmed_on", ())]
    return [registry.detect(Path(source)).name]


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
