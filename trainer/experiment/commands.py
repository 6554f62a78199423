"""``trainer fit`` and ``trainer reproduce`` on a corpus."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable

from trainer.config import Experiment, build
from trainer.corpora import check, registry, trainable
from trainer.corpora.registry import LoadOptions
from trainer.corpora.trainable import Use
from trainer.corpora.utterance import Utterance, places
from trainer.errors import ConfigError, CorpusError
from trainer.experiment import defaults
from trainer.experiment.cross_validation import Dataset
from trainer.experiment.fold import Say

WEIGHTS = Path("weights")
"""Where every command looks for pretrained weights unless it is told otherwise."""
NAMES = {
    "speech": "voice",
    "text": "words",
    "fusion": "fused",
    "fusion_speech_only": "fused, no words",
    "fusion_text_only": "fused, no voice",
    "joint": "fine-tuned jointly",
}


def dataset(
    path: Path,
    reading: LoadOptions,
    *,
    voice: bool,
    words: bool,
    skip_bad: bool,
    quiet: bool,
    say: Say,
    protocol: str | None = None,
) -> Dataset:
    """Return the checked corpus at ``path``.

    Args:
        path: a corpus' folder, or a manifest's file.
        reading: see ``trainer.corpora.registry.LoadOptions``.
        voice: recordings are needed, so damaged ones matter; without, they are not looked at.
        words: transcripts are needed, so missing ones matter.
        skip_bad: leave out what is missing or damaged instead of refusing.
        quiet: no progress bar.
        say: told what was found.
        protocol: that was asked for, if one was.

    Raises:
        CorpusError: not a corpus, or something in it is missing or damaged.
    """
    corpus = registry.detect(path)
    refused: list[str] | None = [] if skip_bad else None
    utterances = registry.read(path, corpus=corpus, options=reading, faults=refused)
    for fault in refused or ():
        say(f"note: {fault}; left out")
    voice = voice and any(u.audio is not None for u in utterances)
    use = Use(voice, words and any(u.transcript for u in utterances), protocol)
    utterances = _complete(corpus.name, utterances, use, skip=skip_bad, say=say)
    if not voice:
        utterances = [replace(u, audio=None) for u in utterances]
    else:
        found = check.examine(utterances, expected=registry.expected(corpus, reading), quiet=quiet)
        for difference in (*found.differences, *found.notes):
            say(f"note: {difference}")
        utterances = check.usable(utterances, found, skip=skip_bad)
    for note in trainable.notes(corpus.name, utterances):
        say(f"note: {note}")
    labels = defaults.labels(corpus.name, utterances)
    say(f"{corpus.title}: {len(utterances)} utterances; {', '.join(labels)}")
    return Dataset(corpus.name, utterances, labels)


def _complete(corpus: str, utterances: list[Utterance], use: Use, *, skip: bool, say: Say) -> list[Utterance]:
    """Return the utterances that have all that is needed; others are refused unless they are to be skipped."""
    lacking = trainable.gaps(corpus, utterances, use)
    kept = trainable.complete(corpus, utterances, use)
    if lacking and not (skip and kept):
        said = (trainable.told(column, rows, len(utterances)) for column, rows in lacking.items())
        raise CorpusError("; ".join(said))
    for column, rows in lacking.items():
        say(f"note: {len(rows):,} utterances without {column} are left out ({places(rows)})")
    return kept


def changed(experiment: Experiment, top: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> Experiment:
    """Return ``experiment`` with settings from the command line; those that are None are left as they are.

    Args:
        experiment: the defaults, or a file's.
        top: settings of the experiment.
        parts: settings of "speech", "text" and "fusion".

    Raises:
        ConfigError: a setting does not exist, has a wrong value, or is of a branch that is not trained.
    """
    table = {k: v for k, v in asdict(experiment).items() if v is not None}
    table |= {k: v for k, v in top.items() if v is not None}
    for name, settings in parts.items():
        wanted = {k: v for k, v in settings.items() if v is not None}
        if wanted and name not in table:
            raise ConfigError(f"{', '.join(wanted)}: of {name}, which is not trained here")
        if wanted:
            table[name] = {**table.get(name, {}), **wanted}
    return build(_without_none(table), "the command line")


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    return {
        k: _without_none(v) if isinstance(v, dict) else v for k, v in table.items() if v is not None
    }  # fmt: skip


def only(experiment: Experiment, part: str | None) -> Experiment:
    """Return ``experiment`` with nothing but the voice ("speech") or the words ("text")."""
    if part is None:
        return experiment
    if part == "speech":
        return replace(experiment, text=None, fusion=None)
    return replace(experiment, speech=None, fusion=None)


def metrics_table(metrics: Mapping[str, Any]) -> RichTable:
    """Return what a run measured, for people."""
    # Without frames all of it fits into eighty columns.
    table = RichTable(
        title=f"{metrics['corpus']}, {metrics['protocol']}", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    for column in ("", "n", "WA", "UA", "UA 95 %", "F1", "ECE"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for name, found in metrics["branches"].items():
        low, high = found["ua"]["interval"]
        calibrated = found["calibration"]
        table.add_row(
            NAMES[name],
            str(found["n"]),
            *(f"{found[k]['mean']:.3f}±{found[k]['std']:.3f}" for k in ("wa", "ua")),
            f"{low:.3f}-{high:.3f}",
            f"{found['f1']['mean']:.3f}",
            f"{calibrated['ece_after']:.3f}" if calibrated else "",
        )
    return table


def paper_table(result: Mapping[str, Any]) -> RichTable:
    """Return a table of the paper with our numbers beside it; what was not run stays empty."""
    title = f"Table {result['table']}: {result['title']}"
    if result["path_check"]:
        title += "\nPATH CHECK: synthetic speech or stand-in encoders; ours are no results"
    table = RichTable(title=title)
    for column in ("model", "T", "WA, paper", "UA, paper", "WA, ours", "UA, ours"):
        table.add_column(column, no_wrap=True)
    for row in result["rows"]:
        ours = row["ours"] or {}
        table.add_row(
            row["name"],
            {"provided": "P", "simulated": "A"}.get(row["transcripts"] or "", ""),
            _value(row["paper"]["wa"]),
            _value(row["paper"]["ua"]),
            _value(ours.get("wa")),
            _value(ours.get("ua")),
        )
    changes = {f"{row['name']}: {', '.join(row['ours']['changed'])}" for row in result["rows"] if row["ours"]}
    table.caption = "otherwise than in the paper:\n" + "\n".join(sorted(changes))
    return table


def _value(value: Mapping[str, float | None] | None) -> str:
    if value is None:
        return ""
    return f"{value['mean']:.3f}" + ("" if value["std"] is None else f" ± {value['std']:.3f}")


def export_command(checkpoints: Path, weights: Path, *, untrained_fusion: bool = False) -> str:
    """Return the command that turns checkpoints into a bundle, as a shell here takes it.

    Args:
        checkpoints: their folder.
        weights: folder of pretrained weights.
        untrained_fusion: there are voice and words, but no fusion of them.
    """
    parts = [_python(), "-m", "export", "onnx", "--int8", "--checkpoints", str(checkpoints)]
    if weights != WEIGHTS:
        parts += ["--weights", str(weights)]
    if untrained_fusion:
        parts.append("--untrained-fusion")
    names = chain(["my-bundle"], (f"my-bundle-{number}" for number in count(2)))
    return shlex.join([*parts, "--out", next(name for name in names if not Path(name).exists())])


def _python() -> str:
    """Return what starts this very Python: ``python`` where a shell finds it by that name."""
    found = shutil.which("python")
    return "python" if found is not None and Path(found).parent == Path(sys.executable).parent else sys.executable
