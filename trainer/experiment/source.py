"""What a run was trained on, noted in its folder, so that its export can be measured on the same."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import dacite

from trainer.corpora.registry import LoadOptions
from trainer.experiment.run_dir import CONFIG

KEY = "source"


@dataclass(frozen=True)
class Source:
    """Where a corpus is, and how it was read.

    Attributes:
        path: its folder, or a manifest's file.
        reading: see ``trainer.corpora.registry.LoadOptions``.
        skip_bad: what was missing or damaged was left out.
    """

    path: Path
    reading: LoadOptions
    skip_bad: bool

    def noted(self) -> dict[str, Any]:
        """Return it as it stands in the run's config."""
        return {KEY: {"path": str(self.path), "reading": asdict(self.reading), "skip_bad": self.skip_bad}}


def stored(folder: Path) -> Source | None:
    """Return what the run in ``folder`` was trained on; None where that was not noted, or no run is there."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return dacite.from_dict(Source, config[KEY], dacite.Config(cast=[Path]))
    except (OSError, ValueError, TypeError, KeyError, dacite.DaciteError):
        return None
