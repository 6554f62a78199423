"""Train on a corpus and test: every repeat and fold, the report, and the networks to keep."""

from __future__ import annotations

import datetime
import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from trainer import checkpoints
from trainer.config import Experiment
from trainer.corpora import trainable
from trainer.corpora.dataset import Dataset
from trainer.corpora.protocols import Fold
from trainer.corpora.utterance import checksum, summary
from trainer.errors import ConfigError, CorpusError
from trainer.experiment import refit, report, teacher, warm_start
from trainer.experiment.fold import FoldRun, RunContext
from trainer.experiment.fold import run as run_fold
from trainer.experiment.run_dir import RunPaths, Source, check_room, open_run, write_json
from trainer.modality import Modality, Truth, soft_label
from trainer.speech.modality import speech_modality
from trainer.text import spoken, transcripts
from trainer.text.modality import locate, text_modality
from trainer.text.network import load_encoder
from trainer.text.recognition_errors import strip_exclamations

SEEDS_APART = 1000
TRAINING = 7
"""Times its weights that training a network writes: with Adam's two moments a checkpoint is three times the weights,
a new one is written before the old one goes, and the finished weights are kept beside them."""
SPARE_BYTES = 200e6
"""For predictions, plots and the small networks."""
FEATURE_BYTES = 600e3
"""Of an utterance, at most."""
METRICS, PREDICTIONS = "metrics.json", "predictions.csv"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What a run gave: its metrics, and the finished folds of its first repeat."""

    metrics: dict[str, Any]
    folds: Sequence[FoldRun]


def run(
    experiment: Experiment, dataset: Dataset, paths: RunPaths, *, export: bool = True, source: Source | None = None
) -> Outcome:
    """Run ``experiment`` on ``dataset``; its metrics are also in ``paths.run_dir``.

    Args:
        experiment: what to train and how to test it.
        dataset: checked utterances: see ``trainer.corpora.dataset``.
        paths: where to read and write.
        export: train on everything in the end, and write checkpoints.
        source: where the corpus was read from, which is noted for the export.

    Raises:
        ConfigError: the folder holds another run.
        CorpusError: the corpus does not have what the experiment needs.
        OSError: the folder cannot be written, or the disk is too full.
    """
    use = experiment.use
    if found := trainable.problems(dataset.name, dataset.utterances, dataset.labels, use):
        raise CorpusError(f"{dataset.name}: {'; '.join(found)}")
    protocol, _ = trainable.division(dataset.name, dataset.utterances, use.protocol, use.folds)
    folds = with_unlabelled(trainable.folds(dataset.name, dataset.utterances, use), dataset, protocol)
    if len(folds) > 1 and experiment.text is not None and experiment.text.teacher is not None:
        raise ConfigError(
            f"text.teacher = {experiment.text.teacher}: it may have learned what the {len(folds)} folds of protocol "
            f"{protocol} are tested on; use a corpus with an official split, and the protocol official"
        )
    check_room(paths.run_dir, TRAINING * _weight_bytes(experiment, paths.weights) + SPARE_BYTES)
    check_room(paths.cache, FEATURE_BYTES * len(dataset.everything) if experiment.speech is not None else 0)
    noted = source.noted() if source is not None else {}
    open_run(paths.run_dir, _config(experiment, dataset, folds) | noted, resume=paths.resume)
    truth = truth_of(dataset, experiment)
    context = RunContext(modalities(experiment, dataset, folds, paths), truth, experiment.fusion, paths.quiet)

    runs: list[list[FoldRun]] = []
    clock = _Clock(experiment.repeats * len(folds))
    for repeat in range(experiment.repeats):
        seed = experiment.seed + SEEDS_APART * repeat
        parts = [
            FoldRun(paths.run_dir / "units" / f"run-{repeat + 1}-part-{number + 1}", fold, seed)
            for number, fold in enumerate(folds)
        ]
        mine = None
        for number, part in enumerate(parts):
            if not part.finished:
                mine = mine or _warmed(context, experiment, paths, seed)
                part_context = mine if len(folds) == 1 else _shorter(mine, experiment)
                clock.begin(f"run {repeat + 1} of {experiment.repeats}, part {number + 1} of {len(folds)}")
                # With an official split the network that was tested is the one to ship.
                run_fold(part, part_context, keep=export and len(folds) == 1 and repeat == 0)
            clock.done()
        runs.append(parts)
    branches = report.metrics(runs, truth)
    metrics = {
        "corpus": dataset.name,
        "protocol": protocol,
        "labels": list(dataset.labels),
        "branches": branches,
    }
    write_json(paths.run_dir / METRICS, metrics)
    report.write_predictions(paths.run_dir / PREDICTIONS, runs, dataset.utterances, dataset.labels)
    report.draw(paths.run_dir, branches, [part.curves() for run_ in runs for part in run_])
    if export and not refit.done(paths.checkpoints, experiment):
        refit.write(paths, runs[0], _warmed(context, experiment, paths, experiment.seed), experiment, dataset, metrics)
    warm_start.forget(paths.run_dir)
    return Outcome(metrics, runs[0])


def truth_of(dataset: Dataset, experiment: Experiment) -> Truth:
    """Return the labels of all utterances, those without a class last."""
    corpora = [u.corpus for u in dataset.everything]
    part = experiment.speech or experiment.text
    weight = part.unlabelled_weight if part is not None else 1.0
    return Truth(np.array([*dataset.label_ids, *soft_labels(dataset)]), dataset.labels, corpora, weight)


def soft_labels(dataset: Dataset) -> list[int]:
    """Return the indices that the utterances without a class have beyond the classes."""
    return [soft_label(len(dataset.labels), u.label) for u in dataset.unlabelled]


def with_unlabelled(folds: Sequence[Fold], dataset: Dataset, protocol: str) -> list[Fold]:
    """Return the folds with the utterances without a class among their training rows, but for those of who is tested.

    Each corpus of plain speech is kept out of the training of one fold as well, if there are several, so that there
    are honest answers to it.

    Args:
        folds: of the utterances of a class.
        dataset: all utterances.
        protocol: that of "corpus" leaves out all of a tested corpus, others those of the tested speakers.
    """
    rows = len(dataset.utterances) + np.arange(len(dataset.unlabelled))
    with_classes = {u.corpus for u in dataset.utterances}
    speech = dict.fromkeys(u.corpus for u in dataset.unlabelled if u.label == "unlabelled")  # not fragments
    plain = [corpus for corpus in speech if corpus not in with_classes]
    result = []
    for number, fold in enumerate(folds):
        tested = [dataset.utterances[row] for row in (*fold.validation, *fold.test)]
        corpora = {u.corpus for u in tested} if protocol == "corpus" else set()
        corpora |= set(plain[number :: len(folds)]) if len(folds) > 1 else set()
        speakers = {(u.corpus, u.speaker) for u in tested if u.speaker}
        out = np.array(
            [u.corpus in corpora or (u.corpus, u.speaker) in speakers for u in dataset.unlabelled], dtype=np.bool_
        )
        result.append(replace(fold, train=np.concatenate([fold.train, rows[~out]]), unlabelled=rows[out]))
    return result


def _config(experiment: Experiment, dataset: Dataset, folds: Sequence[Fold]) -> dict[str, Any]:
    return {
        "experiment": asdict(experiment),
        "corpus": {
            "name": dataset.name,
            "utterances": len(dataset.everything),
            "labels": summary(dataset.everything),
            "checksum": checksum(dataset.everything),
        },
        "division": division(folds, dataset),
        "begun": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "versions": checkpoints.versions(),
    }


def division(folds: Sequence[Fold], dataset: Dataset) -> str:
    """Return a sha256 over who is trained on and who is tested on: finished parts are kept by row."""
    digest, everything = hashlib.sha256(), dataset.everything
    for fold in folds:
        for rows in (fold.train, fold.validation, fold.test, fold.unlabelled):
            digest.update("\t".join([*(everything[i].id for i in rows), "\n"]).encode())
    return digest.hexdigest()


def modalities(experiment: Experiment, dataset: Dataset, folds: Sequence[Fold], paths: RunPaths) -> dict[str, Modality]:
    """Return the branches of ``experiment`` on ``dataset``; nothing is learned yet."""
    found = {}
    if experiment.speech is not None:
        found["speech"] = speech_modality(
            dataset.everything,
            dataset.labels,
            experiment.speech,
            weights=paths.weights,
            cache=paths.cache,
            seed=experiment.seed,
            quiet=paths.quiet,
        )
    if experiment.text is not None:
        sentences = transcripts.transcripts(
            dataset.everything,
            experiment.transcripts,
            rate=experiment.asr_error_rate,
            seed=experiment.seed,
            weights=paths.weights,
            cache=paths.cache,
            quiet=paths.quiet,
        )
        misrecognized = None
        if experiment.text.asr_error_rate:
            misrecognized = transcripts.simulated(
                sentences, rate=experiment.text.asr_error_rate, seed=experiment.seed + 1, weights=paths.weights
            )
            # A recogniser writes no exclamation marks, and a network must not rest on them.
            misrecognized = [strip_exclamations(sentence) for sentence in misrecognized]
            if experiment.text.spoken_texts:
                tested = {row for fold in folds for row in fold.test}
                chosen = spoken.choose(sentences, experiment.text.spoken_texts, tested)
                heard = spoken.recognised([sentences[row] for row in chosen], paths.cache, quiet=paths.quiet)
                for row, text in zip(chosen, heard, strict=True):
                    misrecognized[row] = text
        found["text"] = text_modality(
            sentences,
            dataset.labels,
            experiment.text,
            weights=paths.weights,
            misrecognized=misrecognized,
            contexts=[u.context for u in dataset.everything],
        )
        if experiment.text.teacher is not None:
            found["text"] = teacher.taught(
                found["text"],
                sentences,
                dataset.labels,
                Path(experiment.text.teacher),
                experiment.text.teacher_share,
            )
    return found


def _weight_bytes(experiment: Experiment, weights: Path) -> int:
    """Return how large the weights of the text encoder are; all else is small."""
    if experiment.text is None:
        return 0
    encoder = load_encoder(locate(experiment.text.encoder, weights))
    return sum(p.numel() * p.element_size() for p in encoder.parameters())


def _warmed(context: RunContext, experiment: Experiment, paths: RunPaths, seed: int) -> RunContext:
    """Return the context of one repeat, whose text encoder may have been trained on another corpus first."""
    if experiment.text is None or experiment.text.warm_start is None:
        return context
    text = warm_start.warmed(
        context.modalities["text"], experiment.text, paths.run_dir, paths.weights, seed=seed, quiet=paths.quiet
    )
    return replace(context, modalities={**context.modalities, "text": text})


def _shorter(context: RunContext, experiment: Experiment) -> RunContext:
    """Return the context of a network that is tested and not kept, whose text may be trained for a shorter time."""
    if experiment.text is None or experiment.text.left_out_draws is None:
        return context
    text = replace(context.modalities["text"], draws=experiment.text.left_out_draws)
    return replace(context, modalities={**context.modalities, "text": text})


@dataclass
class _Clock:
    """Logs what begins, and from what was done so far how long the rest may take."""

    total: int
    finished: int = 0
    durations: list[float] = field(default_factory=list)
    started: float | None = None

    def begin(self, what: str) -> None:
        left = ""
        if self.durations:
            minutes = np.mean(self.durations) * (self.total - self.finished) / 60
            left = f"; about {minutes:.0f} min left" if minutes >= 1 else "; less than a minute left"
        log.info("%s%s", what, left)
        self.started = time.monotonic()

    def done(self) -> None:
        self.finished += 1
        if self.started is not None:
            self.durations.append(time.monotonic() - self.started)
            self.started = None
