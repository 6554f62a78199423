"""Experiments of the trainer on the corpora at hand, each by one of the configurations in ``trainer/configs``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.common import results_file
from benchmarks.common.clips import audio_files
from benchmarks.common.names import check_known
from benchmarks.common.paths import Data, Weights
from trainer import config as settings
from trainer.audio import load_audio
from trainer.corpora import dataset as corpora
from trainer.corpora.dataset import Dataset
from trainer.corpora.protocols import plan
from trainer.corpora.registry import LoadOptions
from trainer.experiment.cross_validation import run
from trainer.experiment.report import branch_metrics
from trainer.experiment.run_dir import RunPaths
from trainer.modality import Truth
from trainer.speech.is09 import per_file

CORPORA = {"semeval": "semeval2017-4a", "meld": "meld", "ravdess": "ravdess"}

EXPERIMENTS: dict[str, dict[str, Any]] = {
    "semeval-minilm": {},
    "semeval-mpnet": {},
    "semeval-mpnet-warm": {"text": {"warm_start": "words/mpnet-base-short", "frozen_layers": 0}},
    "meld-minilm": {},
    "meld-minilm-simulated": {"transcripts": "simulated"},
    "meld-minilm-warm": {"text": {"warm_start": "semeval-minilm/checkpoints/text"}},
    "meld-mpnet": {},
    "meld-mpnet-simulated": {"transcripts": "simulated"},
    "meld-mpnet-warm": {"text": {"warm_start": "semeval-mpnet/checkpoints/text"}},
    "ravdess-is09-64": {},
    "ravdess-is09-128": {},
    "ravdess-encoder-states": {},
}
"""By name: what is otherwise than in the configuration whose name the name begins with. Text starts from a checkpoint
in the folder of the runs, which another experiment, or ``benchmarks words``, wrote."""

SVM = "ravdess-is09-svm"
"""The classical way: functionals over the whole recording and a support vector machine."""
NAMES = (*EXPERIMENTS, SVM)


def measure(name: str, data: Path, paths: RunPaths) -> dict[str, Any]:
    """Run the experiment ``name``, or go on with it, and return its settings and metrics.

    Args:
        name: a key of ``EXPERIMENTS``, or ``SVM``.
        data: folder of the corpora.
        paths: the run's folder gets one of the experiment's name; warm starts look beside it.
    """
    source = data / CORPORA[name.partition("-")[0]]
    dataset = corpora.load(
        source,
        LoadOptions(),
        speech=name.startswith("ravdess"),
        text=not name.startswith("ravdess"),
        skip_bad=False,
        quiet=paths.quiet,
    )
    if name == SVM:
        return _svm(dataset)
    change = EXPERIMENTS[name]
    config = max((c for c in EXPERIMENTS if not EXPERIMENTS[c] and name.startswith(c)), key=len)
    experiment = settings.read(config)
    if "text" in change and experiment.text is not None:
        start = str(paths.run_dir / change["text"]["warm_start"])
        experiment = replace(experiment, text=replace(experiment.text, **{**change["text"], "warm_start": start}))
    if "transcripts" in change:
        experiment = replace(experiment, transcripts=change["transcripts"])
    # With an official split the networks that were tested are there to keep; folds would need another training.
    exported = not name.startswith("ravdess")
    found = run(experiment, dataset, replace(paths, run_dir=paths.run_dir / name), export=exported).metrics
    return {"experiment": asdict(experiment), **found}


def _svm(dataset: Dataset) -> dict[str, Any]:
    """Return metrics in the same shape as an experiment's, on the same folds."""
    features = np.stack([per_file(torch.from_numpy(load_audio(f))).numpy() for f in audio_files(dataset.utterances)])
    truth = Truth(np.array(dataset.label_ids), dataset.labels, [u.corpus for u in dataset.utterances])
    logits, number = np.zeros((len(truth.labels), len(dataset.labels))), np.zeros(len(truth.labels), np.int64)
    for i, fold in enumerate(plan(dataset.utterances, "speaker", folds=5)):
        model = make_pipeline(StandardScaler(), SVC(C=1.0, class_weight="balanced"))
        guess = model.fit(features[fold.train], truth.labels[fold.train]).predict(features[fold.test])
        logits[fold.test, guess], number[fold.test] = 1.0, i
    return {
        "experiment": {"speech": {"features": "is09 over the whole recording", "classifier": "SVM, RBF, C = 1"}},
        "corpus": dataset.name,
        "protocol": "speaker",
        "labels": list(dataset.labels),
        "branches": {"speech": branch_metrics(truth, [logits], number, [])},
    }


def command(
    names: Annotated[list[str], typer.Argument(help=f"Of: {', '.join(NAMES)}.")],
    data: Data = Path("data"),
    weights: Weights = Path("weights"),
    runs: Annotated[Path, typer.Option(help="Where the runs are kept; an interrupted one goes on.")] = Path("runs"),
    cache: Annotated[Path, typer.Option(help="Folder for features.")] = Path("cache"),
) -> None:
    """Train and test experiments; can be interrupted."""
    paths = RunPaths(runs, weights, cache, resume=True, quiet=True)
    check_known(names, NAMES)
    for name in names:
        found = measure(name, data, paths)
        print(results_file.write(f"accuracy-{name}", found, seed=found["experiment"].get("seed", 0)))
