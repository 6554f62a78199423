"""A run's folder: what was run, and nothing of another run."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.system.writing import write_text
from trainer.errors import ConfigError

CONFIG = "config.json"


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
    wanted = json.loads(json.dumps(config))
    for key in ("corpus", "experiment", "division"):
        changed = _difference(stored.get(key), wanted[key], key)
        if changed:
            raise ConfigError(f"{folder}: holds another run, which differs in {changed}; use another --out")


def _difference(one: Any, other: Any, name: str) -> str | None:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            found = _difference(one.get(key), other.get(key), f"{name}.{key}")
            if found:
                return found
        return None
    return None if one == other else f"{name} ({one!r} there, {other!r} now)"


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
