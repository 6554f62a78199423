"""What ``trainer fit`` and ``trainer reproduce`` print: tables of results, and the command for the next step."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable

from trainer.experiment.report import TITLES

WEIGHTS = Path("weights")
"""Where every command looks for pretrained weights unless it is told otherwise."""


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
            TITLES[name],
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
        untrained_fusion: there are speech and text, but no fusion of them.
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
