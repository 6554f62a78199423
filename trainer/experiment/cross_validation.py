"""Run an experiment on a corpus: every repeat and fold, the report, and networks trained on everything."""

from __future__ import annotations

import datetime
import hashlib
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
from torch import Tensor, nn

from edge_runtime.system.writing import writing
from trainer import checkpoints
from trainer.config import Experiment, Text
from trainer.corpora import registry, trainable
from trainer.corpora.protocols import Fold
from trainer.corpora.utterance import Utterance, checksum, label_ids, summary
from trainer.errors import ConfigError, CorpusError
from trainer.experiment import defaults, plots, refit, report
from trainer.experiment.fold import Material, Say, Unit
from trainer.experiment.fold import run as run_unit
from trainer.experiment.run_dir import check_room, open_run, write_json
from trainer.experiment.source import Source
from trainer.modality import Branch, train
from trainer.speech.modality import speech_branch
from trainer.text import fit as text_fit
from trainer.text import transcripts
from trainer.text.modality import locate, text_branch
from trainer.text.network import TextEmotion, load_encoder

SEEDS_APART = 1000
TRAINING = 7
"""Times its weights that training a network writes: with Adam's two moments a checkpoint is three times the weights,
a new one is written before the old one goes, and the finished weights are kept beside them."""
SPARE_BYTES = 200e6
"""For predictions, pictures and the small networks."""
FEATURE_BYTES = 600e3
"""Of an utterance, at most."""
METRICS, PREDICTIONS = "metrics.json", "predictions.csv"


@dataclass(frozen=True)
class Dataset:
    """What is learned from: utterances, their corpus' name, and their labels in order."""

    name: str
    utterances: Sequence[Utterance]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where an experiment reads and writes.

    Attributes:
        folder: the run's own.
        weights: pretrained weights.
        cache: features and transcripts, shared between runs.
        resume: go on with the run in ``folder``.
        quiet: no progress bars.
        say: told what begins, and how long the rest may take.
    """

    folder: Path
    weights: Path
    cache: Path
    resume: bool = False
    quiet: bool = False
    say: Say = print


def run(
    experiment: Experiment, corpus: Dataset, place: Place, *, export: bool = True, source: Source | None = None
) -> dict[str, Any]:
    """Run ``experiment`` on ``corpus`` and return its metrics, which are also in ``place.folder``.

    Args:
        experiment: what to train and how to test it.
        corpus: checked utterances: see ``trainer.corpora.check``.
        place: where to read and write.
        export: train on everything in the end, and write checkpoints.
        source: where the corpus was read from, which is noted for the export.

    Raises:
        ConfigError: the folder holds another run.
        CorpusError: the corpus does not have what the experiment needs.
        OSError: the folder cannot be written, or the disk is too full.
    """
    use = defaults.use(experiment)
    if found := trainable.problems(corpus.name, corpus.utterances, corpus.labels, use):
        raise CorpusError(f"{corpus.name}: {'; '.join(found)}")
    protocol, _ = trainable.division(corpus.name, corpus.utterances, use.protocol, use.folds)
    folds = trainable.folds(corpus.name, corpus.utterances, use)
    check_room(place.folder, TRAINING * _weight_bytes(experiment, place) + SPARE_BYTES)
    check_room(place.cache, FEATURE_BYTES * len(corpus.utterances) if experiment.speech is not None else 0)
    noted = source.noted() if source is not None else {}
    open_run(place.folder, _config(experiment, corpus, folds) | noted, resume=place.resume)
    truth = np.array(label_ids(corpus.utterances, corpus.labels))
    branches = _branches(experiment, corpus, place)

    runs: list[list[Unit]] = []
    clock = _Clock(experiment.repeats * len(folds), place.say)
    for repeat in range(experiment.repeats):
        seed = experiment.seed + SEEDS_APART * repeat
        units = [
            Unit(place.folder / "units" / f"run-{repeat + 1}-part-{number + 1}", fold, seed)
            for number, fold in enumerate(folds)
        ]
        material = None
        for number, unit in enumerate(units):
            if not unit.finished:
                material = material or _material(experiment, corpus, branches, truth, place, seed)
                clock.begin(f"run {repeat + 1} of {experiment.repeats}, part {number + 1} of {len(folds)}")
                # With an official split the network that was tested is the one to ship.
                run_unit(unit, material, keep=export and len(folds) == 1 and repeat == 0)
            clock.done(unit)
        runs.append(units)
    measured = {
        "corpus": corpus.name,
        "protocol": protocol,
        "labels": list(corpus.labels),
        "branches": report.metrics(runs, truth, corpus.labels),
    }
    write_json(place.folder / METRICS, measured)
    report.write_predictions(place.folder / PREDICTIONS, runs, corpus.utterances, corpus.labels)
    plots.draw(place.folder, measured, [unit.curves() for run_ in runs for unit in run_])
    if export and not refit.done(place.folder, experiment):
        material = _material(experiment, corpus, branches, truth, place, experiment.seed)
        refit.write(place.folder, runs[0], material, experiment, corpus.labels, place.weights, measured)
    for warm in place.folder.glob("warm-*.safetensors"):
        warm.unlink()
    return measured


def _config(experiment: Experiment, corpus: Dataset, folds: Sequence[Fold]) -> dict[str, Any]:
    return {
        "experiment": asdict(experiment),
        "corpus": {
            "name": corpus.name,
            "utterances": len(corpus.utterances),
            "labels": summary(corpus.utterances),
            "checksum": checksum(corpus.utterances),
        },
        "division": _division(folds, corpus),
        "begun": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "versions": checkpoints.versions(),
    }


def _division(folds: Sequence[Fold], corpus: Dataset) -> str:
    """Return a sha256 over who is trained on and who is tested on: finished parts are kept by row."""
    digest = hashlib.sha256()
    for fold in folds:
        for rows in (fold.train, fold.held, fold.test):
            digest.update("\t".join([*(corpus.utterances[i].id for i in rows), "\n"]).encode())
    return digest.hexdigest()


def _branches(experiment: Experiment, corpus: Dataset, place: Place) -> dict[str, Branch]:
    branches = {}
    if experiment.speech is not None:
        branches["speech"] = speech_branch(
            corpus.utterances,
            corpus.labels,
            experiment.speech,
            weights=place.weights,
            cache=place.cache,
            seed=experiment.seed,
            quiet=place.quiet,
        )
    if experiment.text is not None:
        sentences = transcripts.transcripts(
            corpus.utterances,
            experiment.transcripts,
            rate=experiment.error_rate,
            seed=experiment.seed,
            weights=place.weights,
            cache=place.cache,
            quiet=place.quiet,
        )
        heard = None
        if experiment.text.misheard:
            heard = transcripts.simulated(
                sentences, rate=experiment.text.misheard, seed=experiment.seed + 1, weights=place.weights
            )
        branches["text"] = text_branch(sentences, corpus.labels, experiment.text, weights=place.weights, heard=heard)
    return branches


def _weight_bytes(experiment: Experiment, place: Place) -> int:
    """Return how large the weights of the text encoder are; all else is small."""
    if experiment.text is None:
        return 0
    encoder = load_encoder(locate(experiment.text.encoder, place.weights))
    return sum(p.numel() * p.element_size() for p in encoder.parameters())


def _material(
    experiment: Experiment,
    corpus: Dataset,
    branches: Mapping[str, Branch],
    truth: report.Int,
    place: Place,
    seed: int,
) -> Material:
    mine = dict(branches)
    if experiment.text is not None and experiment.text.warm_start is not None:
        warm = _warm(experiment.text, experiment.text.warm_start, place, seed)
        mine["text"] = _rewarmed(mine["text"], warm)
    return Material(mine, truth, corpus.labels, experiment.fusion, place.quiet, place.say)


def _rewarmed(branch: Branch, warm: Mapping[str, Tensor]) -> Branch:
    """Return ``branch`` whose fresh networks start from the encoder weights ``warm``."""

    def fresh(rows: Any, seed: int) -> nn.Module:
        network = branch.fresh(rows, seed)
        assert isinstance(network, TextEmotion)
        try:
            network.encoder.load_state_dict(dict(warm))
        except RuntimeError as error:
            raise ConfigError("warm_start: its encoder is another than the one to train") from error
        return network

    fields = {name: getattr(branch, name) for name in branch.__dataclass_fields__}
    return Branch(**{**fields, "fresh": fresh})


def _warm(settings: Text, source: str, place: Place, seed: int) -> dict[str, Tensor]:
    """Return the encoder's weights after training on another corpus, which is done once for each seed.

    ``source`` is that corpus, or a checkpoint of text emotion that was trained on it.
    """
    if (Path(source) / checkpoints.CONFIG).is_file():
        return {k: v.detach() for k, v in text_fit.restore(Path(source))[0].encoder.state_dict().items()}
    path = place.folder / f"warm-{seed}.safetensors"
    if not path.is_file():
        corpus = registry.detect(Path(source))
        utterances = [u for u in registry.read(Path(source)) if u.split in {"", "train"} and u.transcript]
        labels = registry.labels_of(utterances)
        if not utterances:
            raise ConfigError(f"{source}: nothing to warm up on; a corpus with words is needed")
        place.say(f"warm start on {corpus.name}, {len(utterances)} utterances")
        words = [u.transcript or "" for u in utterances]
        first = Text(**{**asdict(settings), "epochs": settings.warm_epochs, "warm_start": None})
        branch = text_branch(words, labels, first, weights=place.weights)
        network, _ = train(
            branch,
            np.arange(len(utterances)),
            np.array(label_ids(utterances, labels)),
            len(labels),
            partial=place.folder / f"warm-{seed}.partial",
            seed=seed,
            resume=True,
            quiet=place.quiet,
        )
        assert isinstance(network, TextEmotion)
        state = {k: v.detach().contiguous() for k, v in network.encoder.state_dict().items()}
        with writing(path) as file:
            file.write(safetensors.torch.save(state))
        shutil.rmtree(place.folder / f"warm-{seed}.partial", ignore_errors=True)
    return safetensors.torch.load_file(path)


class _Clock:
    """Says what begins, and from what was done so far how long the rest may take."""

    def __init__(self, total: int, say: Say) -> None:
        self.total, self.say = total, say
        self.finished, self.timed, self.spent, self.started = 0, 0, 0.0, 0.0

    def begin(self, what: str) -> None:
        left = ""
        if self.timed:
            minutes = self.spent / self.timed * (self.total - self.finished) / 60
            left = f"; about {minutes:.0f} min left" if minutes >= 1 else "; less than a minute left"
        self.say(f"{what}{left}")
        self.started = time.monotonic()

    def done(self, unit: Unit) -> None:
        self.finished += 1
        if self.started:
            self.spent += time.monotonic() - self.started
            self.timed += 1
            self.started = 0.0
