"""The networks to keep: trained on everything, or those that an official split has tested."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from trainer import checkpoints
from trainer.config import BRANCHES, Experiment
from trainer.corpora.dataset import Dataset
from trainer.corpora.protocols import Fold
from trainer.errors import WeightsError
from trainer.experiment import warm_start
from trainer.experiment.fold import FoldRun, RunContext, run, variant_name
from trainer.experiment.run_dir import RunPaths
from trainer.fusion import checkpoint as fusion_checkpoint
from trainer.modality import COMPARED, CONTEXT, priors
from trainer.pretrained import download
from trainer.speech import checkpoint as speech_checkpoint
from trainer.speech.bilstm import AttentionBiLSTM
from trainer.speech.features import DETECTOR
from trainer.speech.network import SpeechEmotion
from trainer.text import checkpoint as text_checkpoint
from trainer.text.modality import locate
from trainer.text.network import TextEmotion, load_tokenizer

SPEECH_COMPARED = variant_name("speech", COMPARED)

log = logging.getLogger(__name__)


def done(folder: Path, experiment: Experiment) -> bool:
    """Whether all checkpoints of a run are in ``folder``."""
    return all(
        (folder / name / checkpoints.CONFIG).is_file() for name in BRANCHES if getattr(experiment, name) is not None
    )


def write(
    paths: RunPaths,
    parts: Sequence[FoldRun],
    context: RunContext,
    experiment: Experiment,
    dataset: Dataset,
    metrics: Mapping[str, Any],
) -> None:
    """Write the checkpoints of speech, text and fusion.

    Args:
        paths: see ``RunPaths``.
        parts: the folds of the run's first repeat.
        context: modalities and labels.
        experiment: its settings.
        dataset: what was learned from.
        metrics: what the run measured; the temperatures are taken from it.
    """
    if len(parts) == 1:
        part = parts[0]
    else:
        # Not all rows: what an official split tests is learned from in no fold.
        everything, nobody = np.unique(np.concatenate([part.fold.train for part in parts])), np.zeros(0, np.intp)
        part = FoldRun(
            paths.run_dir / "units" / "everything", Fold("everything", everything, nobody, nobody), parts[0].seed
        )
        if not part.finished:
            log.info("the networks to keep, on everything")
    networks = run(part, context, keep=True)
    branches = _with_variants(metrics["branches"])
    # Fusion of the same run learned from embeddings as they were before.
    if isinstance(speech := networks.get("speech"), SpeechEmotion) and "fusion" not in networks:
        branches["speech"] = _calibrated(speech, branches)
    common = {
        "labels": list(dataset.labels),
        "protocol": metrics["protocol"],
        "seed": experiment.seed,
        "transcripts": experiment.transcripts,
        "corpora": dataset.provenance(part.fold.train),
    }
    for name in ("speech", "text"):
        if name in networks:
            learned = context.truth.rows(part.fold.train)
            config = {**common, "metrics": branches[name], "priors": priors(context.modalities[name], learned)}
            _write_branch(paths.checkpoints / name, networks[name], experiment, paths.weights, config)
    if "fusion" in networks:
        write_fusion(paths.checkpoints, networks["fusion"], experiment, common, branches)
    for kept in part.folder.glob("*.safetensors"):
        kept.unlink()  # the checkpoints hold them now


def temperatures(branches: Mapping[str, Mapping[str, Any]]) -> tuple[float, float]:
    """Return the temperatures of speech that a run's metrics state: without a baseline, and with one."""
    alone, compared = (branches.get(name, {}).get("calibration") for name in ("speech", SPEECH_COMPARED))
    first = alone["temperature"] if alone else 1.0
    return first, compared["temperature"] if compared else first


def _with_variants(branches: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the metrics, with those of speech beside a baseline, and of text after a context, among their branch's."""
    result = dict(branches)
    for branch, variant in (("speech", COMPARED), ("text", CONTEXT)):
        if (name := variant_name(branch, variant)) in branches:
            result[branch] = {**branches[branch], variant: branches[name]}
    return result


def _calibrated(network: SpeechEmotion, branches: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Put the temperatures into ``network``, and return its metrics, in which they have become 1.

    How sure an answer may be depends on the baseline, which the network alone knows.
    """
    fitted = temperatures(branches)
    network.temperatures.copy_(torch.tensor(fitted))
    found = dict(branches["speech"])
    if found["calibration"]:
        found["calibration"] = {**found["calibration"], "temperature": 1.0, "inside": list(fitted)}
    return found


def _write_branch(
    out: Path, network: nn.Module, experiment: Experiment, pretrained: Path, config: dict[str, Any]
) -> None:
    if isinstance(network, TextEmotion):
        assert experiment.text is not None
        source = locate(experiment.text.encoder, pretrained)
        encoder = Path(experiment.text.encoder).name
        config |= {
            "kind": text_checkpoint.KIND,
            "encoder": encoder,
            "settings": asdict(experiment.text),
            "pretrained": {encoder: _provenance(source)},
        }
        if experiment.text.warm_start is not None:
            config["warmed_on"] = warm_start.corpora(experiment.text.warm_start)
        if experiment.text.teacher is not None:
            # The terms of what the teacher learned from, and of its weights, bind what it teaches too.
            known = checkpoints.read(Path(experiment.text.teacher), text_checkpoint.KIND)
            config["warmed_on"] = [*config.get("warmed_on", ()), *warm_start.corpora(experiment.text.teacher)]
            config["pretrained"] |= known["pretrained"]
        text_checkpoint.write(out, network, load_tokenizer(source), config)
        return
    assert isinstance(network, SpeechEmotion | AttentionBiLSTM)
    assert experiment.speech is not None
    config["settings"] = asdict(experiment.speech)
    if isinstance(network, SpeechEmotion):
        used = (experiment.speech.encoder, DETECTOR)
        config["pretrained"] = {name: download.provenance(pretrained / name) for name in used}
    speech_checkpoint.write(out, network, config)


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


def write_fusion(
    folder: Path,
    network: nn.Module,
    experiment: Experiment,
    common: Mapping[str, Any],
    branches: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write the checkpoint of fusion beside those of its branches.

    Args:
        folder: of all checkpoints.
        network: the block.
        experiment: its settings.
        common: what all checkpoints of the run state.
        branches: the metrics of every branch.
    """
    assert experiment.fusion is not None
    calibration = {name: found["calibration"] for name, found in branches.items() if name.startswith("fusion")}
    config = {
        **common,
        "settings": asdict(experiment.fusion),
        "metrics": {**branches["fusion"], "calibration": calibration},
    }
    fusion_checkpoint.write(folder / "fusion", network, {n: folder / n for n in ("speech", "text")}, config)
