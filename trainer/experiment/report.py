"""Answers of all units → metrics as the paper counts them, and what was said of each utterance."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.system.writing import write_text
from trainer import calibration
from trainer.corpora.utterance import Utterance
from trainer.experiment.fold import Unit
from trainer.metrics import calibration_error, confusion, intervals, scores, softmax

Int = NDArray[np.integer[Any]]
DECIMALS = 4


def metrics(units: Sequence[Sequence[Unit]], truth: Int, labels: Sequence[str]) -> dict[str, Any]:
    """Return what each branch reached.

    A score's mean is over runs (repeats); its deviation, with several folds, the mean over runs of the deviation
    over folds (the paper's section 5.3), with one fold the deviation over runs (its Table 1).

    Args:
        units: finished ones, [repeat][fold].
        truth: index of each utterance's label.
        labels: their names.
    """
    answers = [[unit.answers() for unit in run] for run in units]
    return {
        name: _branch([[a[name].astype(np.float64) for a in run] for run in answers], units[0], truth, labels)
        for name in answers[0][0]
    }


def _branch(
    logits: list[list[NDArray[np.float64]]], units: Sequence[Unit], truth: Int, labels: Sequence[str]
) -> dict[str, Any]:
    folds = [unit.fold for unit in units]
    tested = np.concatenate([f.test for f in folds])
    number = np.concatenate([np.full(len(f.test), i) for i, f in enumerate(folds)])
    runs = [np.concatenate([x[len(f.held) :] for x, f in zip(run, folds, strict=True)]) for run in logits]
    guesses = np.stack([run.argmax(1) for run in runs])
    correct = truth[tested]
    by_fold = [[scores(correct[number == i], guess[number == i]) for i in range(len(folds))] for guess in guesses]
    result: dict[str, Any] = {"n": len(tested), "runs": len(runs), "folds": len(folds)}
    spans = intervals(correct, guesses)
    for score in ("wa", "ua", "f1"):
        values = np.array([[fold[score] for fold in run] for run in by_fold])
        spread = values.std(1).mean() if len(folds) > 1 else values.mean(1).std()
        result[score] = {
            "mean": round(float(values.mean()), DECIMALS),
            "std": round(float(spread), DECIMALS),
            "interval": [round(edge, DECIMALS) for edge in spans[score]],
            "by_run": [round(float(v), DECIMALS) for v in values.mean(1)],
        }
    result["calibration"] = _calibration(logits, folds, runs, number, truth, tested)
    result["confusion"] = np.sum([confusion(correct, guess, len(labels)) for guess in guesses], axis=0).tolist()
    result["labels"] = list(labels)
    return result


def _calibration(
    logits: Any, folds: Any, runs: list[NDArray[np.float64]], number: Int, truth: Int, tested: Int
) -> dict[str, float] | None:
    """Return temperature and calibration error before and after, averaged over runs; None if nothing was apart.

    Over several folds the temperature is fitted on the other folds' answers; with one, on the rows held apart.
    """
    found = []
    for run, answers in zip(logits, runs, strict=True):
        if len(folds) > 1:
            found.append(calibration.cross_fitted(truth[tested], answers, number))
        elif len(folds[0].held):
            held = folds[0].held
            t = calibration.temperature(truth[held], run[0][: len(held)])
            found.append(
                {
                    "temperature": t,
                    "ece_before": calibration_error(truth[tested], softmax(answers)),
                    "ece_after": calibration_error(truth[tested], softmax(answers / t)),
                }
            )
    if not found:
        return None
    return {key: round(float(np.mean([f[key] for f in found])), DECIMALS) for key in found[0]}


def write_predictions(
    path: Path, units: Sequence[Sequence[Unit]], utterances: Sequence[Utterance], labels: Sequence[str]
) -> None:
    """Write a CSV file with a row for each run, branch and tested utterance: label, guess and probabilities."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["run", "part", "branch", "id", "speaker", "label", "guess", *(f"p({x})" for x in labels)])
    for number, run in enumerate(units, start=1):
        for unit in run:
            rows: Mapping[str, Any] = unit.answers()
            for name, logits in rows.items():
                tested = logits[len(unit.fold.held) :]
                for row, guess, p in zip(unit.fold.test, tested.argmax(1), softmax(tested), strict=True):
                    u = utterances[row]
                    shares = (f"{x:.4f}" for x in p)
                    writer.writerow([number, unit.fold.name, name, u.id, u.speaker, u.label, labels[guess], *shares])
    write_text(path, table.getvalue())
