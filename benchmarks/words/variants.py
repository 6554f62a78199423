"""Text networks that differ from the bundle's in one thing: the seed, the licences of their corpora, or the encoder."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from trainer import config, modality
from trainer.checkpoints import CONFIG
from trainer.config import Experiment
from trainer.corpora import dataset, trainable
from trainer.corpora.dataset import Dataset
from trainer.corpora.registry import LoadOptions
from trainer.experiment import branch_data, cross_validation
from trainer.experiment.run_dir import RunPaths
from trainer.text import checkpoint
from trainer.text.modality import locate
from trainer.text.network import load_tokenizer

SHORTER: Mapping[str, Any] = {"draws": 16_000, "context_tokens": 0}
"""How encoders and licences are compared: MPNet takes five times as long as the default."""


@dataclass(frozen=True)
class Variant:
    """How a network differs from the bundle's.

    Attributes:
        seed: of its training.
        licences: see ``trainer.experiment.branch_data.load``.
        text: settings of ``trainer.config.Text``.
        teacher: the variant whose answers are part of each target.
    """

    seed: int = 0
    licences: str | None = None
    text: Mapping[str, Any] | None = None
    teacher: str | None = None


VARIANTS: Mapping[str, Variant] = {
    "seed-1": Variant(seed=1000),
    "seed-2": Variant(seed=2000),
    "minilm-l6-short": Variant(text=SHORTER),
    "permissive-short": Variant(licences="permissive", text=SHORTER),
    "mpnet-base-short": Variant(text={**SHORTER, "encoder": "mpnet-base", "learning_rate": 5e-5, "frozen_layers": 4}),
    "distilled-short": Variant(text=SHORTER, teacher="mpnet-base-short"),
}


def train(name: str, data: Path, weights: Path, cache: Path, out: Path) -> Path:
    """Return the folder of the checkpoint of a variant: the one that is there, else it is trained.

    Args:
        name: of ``VARIANTS``.
        data: folder of all corpora.
        weights: folder of pretrained weights.
        cache: what was computed once.
        out: gets a folder for each variant.
    """
    folder = out / name
    if (folder / CONFIG).is_file():
        return folder
    variant = VARIANTS[name]
    experiment = bundle_text(variant)
    if variant.teacher is not None:
        assert experiment.text is not None
        teacher = train(variant.teacher, data, weights, cache, out)
        experiment = replace(experiment, text=replace(experiment.text, teacher=str(teacher)))
    found = texts(data, experiment, variant.licences)
    paths = RunPaths(out / f"{name}.run", weights, cache, quiet=True)
    use = experiment.use
    parts = trainable.folds(found.name, found.utterances, use)
    folds = cross_validation.with_unlabelled(parts, found, "corpus")
    rows = np.unique(np.concatenate([fold.train for fold in folds]))
    text = cross_validation.modalities(experiment, found, folds, paths)["text"]
    truth = cross_validation.truth_of(found, experiment)
    with tempfile.TemporaryDirectory() as partial:
        network, _ = modality.train(text, rows, truth, partial=Path(partial), seed=variant.seed, quiet=True)
    assert experiment.text is not None
    written = {
        "kind": checkpoint.KIND,
        "labels": list(found.labels),
        "settings": asdict(experiment.text),
        "seed": variant.seed,
        "corpora": found.provenance(rows.tolist()),
        "priors": modality.priors(text, truth.rows(rows)),
    }
    tokenizer = load_tokenizer(locate(experiment.text.encoder, weights))
    checkpoint.write(folder, network, tokenizer, written)  # type: ignore[arg-type]
    return folder


def bundle_text(variant: Variant = Variant()) -> Experiment:
    """Return the text branch of the bundle's configuration, changed as the variant is, with its corpora."""
    experiment = config.read(config.BUNDLE).only("text")
    assert experiment.text is not None
    text = replace(experiment.text, **(variant.text or {}))
    return replace(replace(experiment, text=text).alone("text"), seed=variant.seed)


def texts(data: Path, experiment: Experiment, licences: str | None = None) -> Dataset:
    """Return the corpora of text of the bundle's configuration, as they are learned from and tested on."""
    settings = config.read(config.BUNDLE).corpora["text"]
    read = functools.partial(dataset.load, reading=LoadOptions(), skip_bad=False, quiet=True)
    unlabelled = experiment.learns_unlabelled("text")
    return branch_data.load(data, "text", settings, unlabelled=unlabelled, licences=licences, load=read)
