"""A run's folder: what was run, and nothing of another run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import dacite

from edge_runtime.system.writing import write_text
from trainer.config import Fusion, Speech, Text
from trainer.corpora.registry import LoadOptions
from trainer.errors import ConfigError

CONFIG = "config.json"
COMPARED = ("corpus", "experiment", "division")
"""The parts of a run's config that make it the same run."""


@dataclass(frozen=True)
class Source:
    """Where the corpus of a run is, and how it was read: noted, so that the export can be measured on the same.

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
        return {"source": {"path": str(self.path), "reading": asdict(self.reading), "skip_bad": self.skip_bad}}


@dataclass(frozen=True)
class RunPaths:
    """Where a training reads and writes, and how.

    Attributes:
        run_dir: the run's own folder.
        weights: pretrained weights.
        cache: features and transcripts, shared between runs.
        resume: go on with the run in ``run_dir``.
        quiet: no progress bars.
        checkpoint_dir: where checkpoints go, if not into ``run_dir``.
    """

    run_dir: Path
    weights: Path
    cache: Path
    resume: bool = False
    quiet: bool = False
    checkpoint_dir: Path | None = None

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints "speech", "text" and "fusion"."""
        return self.checkpoint_dir or self.run_dir / "checkpoints"


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON, all of it or nothing."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def open_run(folder: Path, config: dict[str, Any], *, resume: bool) -> None:
    """Make ``folder`` the place of the run that ``config`` describes, or go on with it.

    Args:
        folder: the run's folder.
        config: everything that its results depend on.
        resume: go on with the run that is there.

    Raises:
        ConfigError: a run is there and ``resume`` was not said, or it is another run.
    """
    path = folder / CONFIG
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, config)
        return
    if not resume:
        raise ConfigError(f"{folder}: holds a run already; --resume goes on with it, --out names another folder")
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path}: damaged ({error}); use another --out") from error
    if "held_percent" in stored.get("experiment", {}):
        raise ConfigError(f"{folder}: holds a run of version 0.1, which cannot go on; use another --out")
    runs = ({key: run.get(key) for key in COMPARED} for run in (stored, json.loads(json.dumps(config))))
    earlier, asked = ({**run, "experiment": _with_defaults(run["experiment"])} for run in runs)
    for name, there, now in differences(earlier, asked):
        raise ConfigError(
            f"{folder}: holds another run, which differs in {name} ({there!r} there, {now!r} now); use another --out"
        )


def _with_defaults(experiment: Any) -> Any:
    """Return the settings of a run, with the defaults of those that there were not yet when it began."""
    if not isinstance(experiment, dict):
        return experiment
    known: dict[str, Any] = {"speech": Speech(), "text": Text(), "fusion": Fusion()}
    defaults = {name: json.loads(json.dumps(asdict(settings))) for name, settings in known.items()}
    parts = {name: defaults[name] | experiment[name] for name in known if isinstance(experiment.get(name), dict)}
    return experiment | parts


def differences(one: Any, other: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield each setting that differs between two nested tables: its name with those of its tables, and both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys((*one, *other)):
            yield from differences(one.get(key), other.get(key), f"{name}.{key}" if name else key)
    elif one != other:
        yield name, one, other


def check_room(folder: Path, needed: float) -> None:
    """Fail before hours are spent: ``folder`` must be writable and its disk have ``needed`` bytes free.

    Raises:
        OSError: not writable, or too full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".writable"
    probe.write_bytes(b"")
    probe.unlink()
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"{folder}: {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB needed; use another disk")


def stored(folder: Path) -> Source | None:
    """Return what the run in ``folder`` was trained on; None where that was not noted, or no run is there."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return dacite.from_dict(Source, config["source"], dacite.Config(cast=[Path]))
    except (OSError, ValueError, TypeError, KeyError, dacite.DaciteError):
        return None
