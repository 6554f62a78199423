"""Run a whole table of the paper, line by line."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from trainer.config import BRANCHES, Experiment, changed
from trainer.corpora.dataset import Dataset
from trainer.corpora.utterance import checksum
from trainer.errors import ConfigError
from trainer.experiment.cross_validation import run
from trainer.experiment.run_dir import RunPaths, differences, write_json
from trainer.paper.tables import Row, Table, beside

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Changes:
    """What is not as in the paper.

    Attributes:
        stand_ins: encoders to use in place of others.
        transcripts: "asr" for real ones in place of simulated ones.
        repeats: trainings of each line.
        folds: parts of the cross-validation.
        epochs: of every branch.
    """

    stand_ins: Mapping[str, str]
    transcripts: str | None = None
    repeats: int | None = None
    folds: int | None = None
    epochs: int | None = None

    def __call__(self, experiment: Experiment) -> Experiment:
        """Return ``experiment`` with the changes made."""
        transcripts = self.transcripts if experiment.transcripts == "simulated" else None
        top = {"transcripts": transcripts, "repeats": self.repeats, "folds": self.folds}
        parts = {name: {"epochs": self.epochs} for name in BRANCHES if getattr(experiment, name) is not None}
        encoder = self.stand_ins.get(experiment.text.encoder) if experiment.text is not None else None
        return changed(experiment, top, parts | ({"text": parts["text"] | {"encoder": encoder}} if encoder else {}))


def reproduce(
    table: Table, dataset: Dataset, source: Path, paths: RunPaths, *, only: Sequence[str], changes: Changes
) -> dict[str, Any]:
    """Run the lines of ``table`` that are the paper's own; return them beside what the paper printed.

    Lines that an earlier call has left in the folder, of the same corpus and with the same changes, stay.

    Args:
        table: which.
        dataset: its corpus.
        source: where that came from.
        paths: the run's folder gets one folder for each line.
        only: names of lines; all that are the paper's own when there are none.
        changes: what is done otherwise than in the paper.

    Raises:
        ConfigError: no such line, or the folder has lines of another corpus or with other changes.
    """
    if dataset.name not in {table.corpus, "synthetic"}:
        raise ConfigError(f"table {table.number} is about {table.corpus}, and {source} is {dataset.name}")
    rows, path = _rows(table, only), paths.run_dir / f"table{table.number}.json"
    origin = {
        "corpus": {
            "name": dataset.name,
            "utterances": len(dataset.utterances),
            "checksum": checksum(dataset.utterances),
        },
        "changes": asdict(changes),
    }
    ours = _earlier(path, origin)
    for row in rows:
        experiment = changes(row.experiment())
        log.info("table %d, %s", table.number, row.name)
        folder = paths.run_dir / row.name.replace("/", "-").replace(" ", "-")
        found = run(experiment, dataset, replace(paths, run_dir=folder), export=False).metrics
        ours[row.name] = found["branches"][row.branch] | {"changed": _changed(row, experiment)}
    result = {
        "table": table.number,
        "title": table.title,
        **origin,
        "path_check": dataset.name == "synthetic" or bool(changes.stand_ins),
        "rows": beside(table, ours),
    }
    write_json(path, result)
    return result


def _earlier(path: Path, wanted: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what was measured for the lines in the file at ``path``; nothing where there is none."""
    if not path.is_file():
        return {}
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        same = all(stored.get(key) == value for key, value in wanted.items())
        ours = {row["name"]: row["ours"] for row in stored["rows"] if row["ours"]}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f"{path}: damaged ({error}); use another --out") from error
    if not same:
        raise ConfigError(f"{path}: has lines of another corpus, or with other changes; use another --out")
    return ours


def _rows(table: Table, only: Sequence[str]) -> list[Row]:
    own = [row for row in table.rows if row.config]
    if not only:
        return own
    missing = set(only) - {row.name for row in own}
    if missing:
        names = ", ".join(row.name for row in own)
        raise ConfigError(f"table {table.number} has no line {sorted(missing)[0]!r} that can be run; it has {names}")
    return [row for row in own if row.name in only]


def _changed(row: Row, experiment: Experiment) -> list[str]:
    """Return the settings that differ from the paper's."""
    return [f"{name} {mine}" for name, mine, _ in differences(asdict(experiment), asdict(row.experiment()))]
