"""A run's report: metrics as the paper counts them, the answer to each utterance, and plots."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.metrics import ConfusionMatrixDisplay

from edge_runtime.system.writing import write_text, writing
from trainer import calibration
from trainer.corpora.protocols import Fold
from trainer.corpora.utterance import Utterance
from trainer.experiment.fold import UNLABELLED, FoldRun, variant_name
from trainer.metrics import confusion, intervals, scores
from trainer.modality import AUGMENTED, Truth

Int = NDArray[np.integer[Any]]
Logits = NDArray[np.floating[Any]]
DECIMALS = 4
VARIANT = 3
"""Axes that answers to a variant have."""
SCORES = ("wa", "ua", "f1")
TITLES = {
    "speech": "speech",
    "speech_compared": "speech, baseline",
    "text": "text",
    "text_context": "text, context",
    "fusion": "fused",
    "fusion_speech_only": "fused, speech only",
    "fusion_text_only": "fused, text only",
    "fusion_own_sentence": "fused, own sentence",
    "joint": "fine-tuned jointly",
}
"""What tables and plots call each branch."""


def metrics(runs: Sequence[Sequence[FoldRun]], truth: Truth) -> dict[str, Any]:
    """Return what each branch reached.

    Args:
        runs: finished ones, [repeat][fold].
        truth: the label of every utterance.
    """
    folds = [part.fold for part in runs[0]]
    tested = np.concatenate([fold.test for fold in folds])
    number = np.concatenate([np.full(len(fold.test), i) for i, fold in enumerate(folds)])
    answers = [[part.answers() for part in run] for run in runs]
    result = {}
    for name in answers[0][0]:
        if name.endswith((AUGMENTED, UNLABELLED)):
            continue
        logits = [
            np.concatenate([_tested(a[name], f) for a, f in zip(run, folds, strict=True)]).astype(np.float64)
            for run in answers
        ]
        if answers[0][0][name].ndim == VARIANT and len(folds) == 1:  # of validation rows a variant has no answers
            calibrated: Sequence[Mapping[str, float]] = []
        elif len(folds) > 1:
            calibrated = [_cross_fitted(truth, [a[name] for a in run], folds) for run in answers]
        else:
            validation = folds[0].validation
            calibrated = [
                calibration.held_out(
                    truth.labels[validation], run[0][name][: len(validation)], truth.labels[tested], answered
                )
                for run, answered in zip(answers, logits, strict=True)
                if len(validation)
            ]
        result[name] = branch_metrics(truth.rows(tested), logits, number, calibrated)
        if (augmented := variant_name(name, AUGMENTED)) in answers[0][0]:
            copies = [np.concatenate([a[augmented] for a in run]) for run in answers]
            result[name]["augmented"] = _augmented(truth.labels[tested], copies)
    return result


def _cross_fitted(truth: Truth, answers: Sequence[Logits], folds: Sequence[Fold]) -> dict[str, float]:
    """Return the temperature of several folds: of each the validation rows, where it has some, else the test rows."""
    asked, logits = [], []
    for fold, found in zip(folds, answers, strict=True):
        validated = len(fold.validation) and found.ndim < VARIANT
        asked.append(fold.validation if validated else fold.test)
        logits.append(found[: len(fold.validation)] if validated else _tested(found, fold))
    number = np.repeat(np.arange(len(folds)), [len(rows) for rows in asked])
    return calibration.cross_fitted(
        truth.labels[np.concatenate(asked)], np.concatenate(logits).astype(np.float64), number
    )


def _tested(logits: Logits, fold: Fold) -> Logits:
    """Return the logits of the tested utterances alone (n, classes): of answers to validation and test rows, or of
    answers (n, 1, classes) to one variant of each tested one."""
    return logits[:, 0] if logits.ndim == VARIANT else logits[len(fold.validation) :]


def branch_metrics(
    truth: Truth, logits: Sequence[Logits], number: Int, calibrated: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    """Return the metrics of one branch.

    A score's mean is over runs (repeats); its deviation, with several folds, the mean over runs of the deviation
    over folds (the paper's section 5.3), with one fold the deviation over runs (its Table 1).

    Args:
        truth: of the tested utterances (n,).
        logits: of each run (n, classes).
        number: the fold of each utterance (n,).
        calibrated: temperature, and calibration error before and after it, of each run; empty where none was fitted.
    """
    guesses = np.stack([run.argmax(1) for run in logits])
    folds = np.unique(number)
    by_fold = [[scores(truth.labels[number == i], guess[number == i]) for i in folds] for guess in guesses]
    result: dict[str, Any] = {"n": len(number), "runs": len(logits), "folds": len(folds)}
    spans = intervals(truth.labels, guesses)
    for score in SCORES:
        values = np.array([[fold[score] for fold in run] for run in by_fold])
        spread = values.std(1).mean() if len(folds) > 1 else values.mean(1).std()
        result[score] = {
            "mean": _rounded(values.mean()),
            "std": _rounded(spread),
            "interval": [_rounded(edge) for edge in spans[score]],
            "by_run": [_rounded(value) for value in values.mean(1)],
        }
    result["calibration"] = _mean(calibrated) if calibrated else None
    result["confusion"] = np.sum([confusion(truth.labels, g, len(truth.names)) for g in guesses], axis=0).tolist()
    result["labels"] = list(truth.names)
    corpora = np.array(truth.corpora)
    if len(names := np.unique(corpora)) > 1:
        result["by_corpus"] = {
            str(name): {"n": int((corpora == name).sum())}
            | _mean([scores(truth.labels[corpora == name], guess[corpora == name]) for guess in guesses])
            for name in names
        }
    return result


def _augmented(labels: Int, copies: Sequence[Logits]) -> dict[str, float]:
    """Return the scores on augmented copies (n, copies, classes) of the tested utterances, over all runs."""
    repeated = np.repeat(labels, copies[0].shape[1])
    return _mean([scores(repeated, run.argmax(2).ravel()) for run in copies])


def _mean(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: _rounded(np.mean([value[key] for value in values])) for key in values[0]}


def _rounded(value: Any) -> float:
    return round(float(value), DECIMALS)


def write_predictions(
    path: Path, runs: Sequence[Sequence[FoldRun]], utterances: Sequence[Utterance], labels: Sequence[str]
) -> None:
    """Write a CSV file with a row for each run, branch and tested utterance: label, guess and probabilities."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["run", "part", "branch", "id", "speaker", "label", "guess", *(f"p({x})" for x in labels)])
    for number, run in enumerate(runs, start=1):
        for part in run:
            for name, logits in part.answers().items():
                if name.endswith((AUGMENTED, UNLABELLED)):
                    continue
                tested = _tested(logits, part.fold)
                for row, guess, p in zip(part.fold.test, tested.argmax(1), softmax(tested, axis=1), strict=True):
                    u = utterances[row]
                    shares = (f"{x:.4f}" for x in p)
                    writer.writerow([number, part.fold.name, name, u.id, u.speaker, u.label, labels[guess], *shares])
    write_text(path, table.getvalue())


def draw(folder: Path, branches: Mapping[str, Any], curves: Sequence[Mapping[str, Any]]) -> None:
    """Write ``confusion-<branch>.png`` for each branch, and ``curves.png``, into ``folder``."""
    for name, found in branches.items():
        _save(_confusion_plot(np.array(found["confusion"]), found, name), folder / f"confusion-{name}.png")
    _save(_curves_plot(curves), folder / "curves.png")


def _save(figure: Figure, path: Path) -> None:
    with writing(path) as file:
        figure.savefig(file, format="png", dpi=120)


def _confusion_plot(counts: Any, found: Mapping[str, Any], name: str) -> Figure:
    shares = counts / counts.sum(1, keepdims=True).clip(1)
    labels = found["labels"]
    side = 2.5 + 0.7 * len(labels)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.subplots()
    plot = ConfusionMatrixDisplay(shares, display_labels=labels)
    plot.plot(ax=axes, cmap="Blues", im_kw={"vmin": 0, "vmax": 1}, text_kw={"fontsize": 8}, colorbar=False)
    for text, share, count in zip(plot.text_.flat, shares.flat, counts.flat, strict=True):
        text.set_text(f"{share:.0%}\n{count}")
    axes.tick_params("x", rotation=30)
    axes.set(xlabel="predicted", ylabel="label")
    axes.set_title(f"{TITLES.get(name, name)}: WA {found['wa']['mean']:.3f}, UA {found['ua']['mean']:.3f}", fontsize=10)
    return figure


def _curves_plot(curves: Sequence[Mapping[str, Any]]) -> Figure:
    """Training loss against epochs: a line for each training, one panel for each branch."""
    names = list(dict.fromkeys(name for part in curves for name in part))
    figure = Figure(figsize=(1 + 3.5 * max(1, len(names)), 3.2), layout="constrained")
    for axes, name in zip(np.atleast_1d(figure.subplots(1, max(1, len(names)))), names, strict=False):
        for part in curves:
            points = part.get(name, [])
            axes.plot([p["epoch"] for p in points], [p["loss"] for p in points], color="C0", alpha=0.5, lw=1)
        axes.set_title(TITLES.get(name, name), fontsize=10)
        axes.set_xlabel("epochs")
        axes.set_ylabel("training loss")
        axes.grid(alpha=0.3)
    return figure
