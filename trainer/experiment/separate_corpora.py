"""Speech, text and their fusion where speech and text have corpora of their own: the committed bundle's way.

Each branch is a run of its own. Fusion learns from pairs of utterances, out of the logits that either branch gave to
utterances that it had not learned from (stacking): speech to the speakers of the fold that was tested, text to its
validation dialogues. So fusion sees the branches err as often as they do in use. The words of the recordings are those
that the recogniser writes, nonsense among them, or the corpora's where the block takes no evidence.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from trainer.config import Data, Experiment, Fusion
from trainer.corpora.dataset import Dataset
from trainer.errors import ConfigError
from trainer.experiment import refit, stacking
from trainer.experiment.cross_validation import METRICS, Outcome, run
from trainer.experiment.fold import classifier
from trainer.experiment.run_dir import RunPaths, write_json
from trainer.experiment.stacking import Material
from trainer.fusion.modality import takes_evidence
from trainer.fusion.pairs import CERTAIN, SHARES
from trainer.speech import checkpoint as speech_checkpoint
from trainer.text import checkpoint as text_checkpoint
from trainer.text import transcripts
from trainer.text.transcripts import Recognised

PAIRS = "pairs"
"""The protocol of fusion: pairs by label, of speakers and dialogues that fusion did not learn from."""

log = logging.getLogger(__name__)


def run_all(experiment: Experiment, load: Callable[[str, Data], Dataset], paths: RunPaths) -> dict[str, Any]:
    """Train what ``experiment`` names, write the checkpoints, and return the metrics, which are also in a file.

    Args:
        experiment: whose branches name corpora.
        load: returns the corpora of "speech" or "text" as one.
        paths: the run's folder gets a folder for each branch.

    Raises:
        ConfigError: the branches' labels differ, or the runs leave nothing for fusion to learn from.
    """
    datasets, outcomes = branches_of(experiment, load, paths)
    branches = {key: found for outcome in outcomes.values() for key, found in outcome.metrics["branches"].items()}
    if experiment.fusion is not None:
        log.info("fusion, %d pairs", experiment.fusion.pairs)
        branches |= _fuse(datasets, outcomes, experiment, experiment.fusion, paths)
    metrics = {
        "corpus": "; ".join(d.name for d in datasets.values()),
        "protocol": "; ".join(outcome.metrics["protocol"] for outcome in outcomes.values()),
        "labels": list(next(iter(datasets.values())).labels),
        "branches": branches,
    }
    write_json(paths.run_dir / METRICS, metrics)
    return metrics


def branches_of(
    experiment: Experiment, load: Callable[[str, Data], Dataset], paths: RunPaths
) -> tuple[dict[str, Dataset], dict[str, Outcome]]:
    """Return the corpora of each branch and what its run gave; the arguments are of ``run_all``."""
    datasets = {name: load(name, data) for name, data in experiment.corpora.items()}
    if len({d.labels for d in datasets.values()}) > 1:
        said = "; ".join(f"{name}: {', '.join(d.labels)}" for name, d in datasets.items())
        raise ConfigError(f"speech and text have other labels ({said}); --map makes them alike")
    outcomes = {}
    for name, dataset in datasets.items():
        log.info("%s, of %s", name, dataset.name)
        folder = replace(paths, run_dir=paths.run_dir / name, checkpoint_dir=paths.checkpoints)
        outcomes[name] = run(experiment.alone(name), dataset, folder)
    return datasets, outcomes


def material(
    datasets: Mapping[str, Dataset], outcomes: Mapping[str, Outcome], fusion: Fusion, paths: RunPaths
) -> Material:
    """Return what fusion learns from; transcripts that it needs are recognised once, and kept in the cache."""
    text_network, texts, _ = text_checkpoint.restore(paths.checkpoints / "text")
    speech = stacking.of_speech(
        datasets["speech"], outcomes["speech"], refit.temperatures(outcomes["speech"].metrics["branches"])
    )
    validation, test = stacking.of_text(datasets["text"], outcomes["text"], len(outcomes["speech"].folds))
    everything = datasets["speech"].everything
    utterances = [everything[row] for row in speech.rows_of]
    if takes_evidence(fusion):
        said = transcripts.recognised(utterances, paths.cache, quiet=paths.quiet)
    else:
        said = [Recognised(u.transcript or "", tuple(CERTAIN.tolist())) for u in utterances]
    return Material(speech, validation, test, stacking.words_of(said, text_network, texts))


def _fuse(
    datasets: Mapping[str, Dataset],
    outcomes: Mapping[str, Outcome],
    experiment: Experiment,
    fusion: Fusion,
    paths: RunPaths,
) -> dict[str, Any]:
    """Train and measure fusion, write its checkpoint, and return its metrics."""
    names, seed = datasets["speech"].labels, experiment.seed
    learned = material(datasets, outcomes, fusion, paths)
    branches = stacking.measure(learned, names, fusion, seed)
    network = stacking.train_fusion(learned.speech, learned.validation, learned.words, names, fusion, seed)
    speech_network, _ = speech_checkpoint.restore(paths.checkpoints / "speech")
    text_network, _, _ = text_checkpoint.restore(paths.checkpoints / "text")
    network.adopt(classifier(speech_network), classifier(text_network))
    common = {
        "labels": list(names),
        "protocol": PAIRS,
        "seed": seed,
        "pair_shares": dict(SHARES),
        "corpora": {},
    }
    refit.write_fusion(paths.checkpoints, network, experiment, common, branches)
    return branches
