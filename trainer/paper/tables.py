"""The paper's Tables 1 to 4, as ``tables.toml`` has them, and the experiments that print them again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from trainer import config as settings
from trainer.config import Experiment
from trainer.toml_file import read_entries

Value = tuple[float, ...]
"""A figure as printed: its mean, and its standard deviation where the paper gives one."""


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        name: as printed.
        wa: accuracy, as printed.
        ua: mean recall, as printed.
        transcripts: "provided" or "simulated" where the table says so.
        config: the example configuration that runs it; None for the work of others, which is only quoted.
        branch: whose answers are counted.
    """

    name: str
    wa: Value | None = None
    ua: Value | None = None
    transcripts: Literal["provided", "simulated"] | None = None
    config: str | None = None
    branch: str = "text"

    def experiment(self) -> Experiment:
        """Return the experiment of this row."""
        assert self.config is not None
        found = settings.read(self.config)
        return replace(found, transcripts=self.transcripts) if self.transcripts else found


@dataclass(frozen=True)
class Table:
    """One of the paper's tables: its number, title, corpus and lines."""

    name: str
    number: int
    title: str
    corpus: str
    rows: tuple[Row, ...]


TABLES = read_entries(Path(__file__).with_name("tables.toml"), Table)


def beside(table: Table, ours: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the table's lines with what was measured here beside them, and lines of ours that it does not have.

    Args:
        table: the paper's.
        ours: by line, the metrics of ``trainer.experiment.report``; a line that was not run stays empty.
    """
    lines = [
        {
            "name": row.name,
            "transcripts": row.transcripts,
            "paper": {"wa": _printed(row.wa), "ua": _printed(row.ua)},
            "ours": ours.get(row.name),
        }
        for row in table.rows
    ]
    names = {row.name for row in table.rows}
    extra = [
        {"name": name, "transcripts": None, "paper": {"wa": None, "ua": None}, "ours": found}
        for name, found in ours.items()
        if name not in names
    ]
    return lines + extra


def _printed(value: Value | None) -> dict[str, float | None] | None:
    return None if value is None else {"mean": value[0], "std": value[1] if len(value) > 1 else None}
