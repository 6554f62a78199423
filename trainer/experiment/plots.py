"""Pictures of a run: what was taken for what, and how training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from edge_runtime.system.writing import writing

NAMES = {"speech": "voice", "text": "words", "fusion": "fused", "joint": "fine-tuned jointly"}


def draw(folder: Path, metrics: Mapping[str, Any], curves: Sequence[Mapping[str, Any]]) -> None:
    """Write ``confusion-<branch>.png`` for each branch, and ``curves.png``, into ``folder``."""
    for name, found in metrics["branches"].items():
        _save(_confusion(np.array(found["confusion"]), found, name), folder / f"confusion-{name}.png")
    _save(_curves(curves), folder / "curves.png")


def _save(figure: Figure, path: Path) -> None:
    with writing(path) as file:
        figure.savefig(file, format="png", dpi=120)


def _confusion(counts: Any, found: Mapping[str, Any], name: str) -> Figure:
    shares = counts / counts.sum(1, keepdims=True).clip(1)
    labels = found["labels"]
    side = 2.5 + 0.7 * len(labels)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    for row, column in np.ndindex(*counts.shape):
        dark = shares[row, column] > 0.5
        text = f"{shares[row, column]:.0%}\n{counts[row, column]}"
        axes.text(column, row, text, ha="center", va="center", color="white" if dark else "black", fontsize=8)
    axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("was called")
    axes.set_ylabel("is")
    axes.set_title(f"{NAMES.get(name, name)}: WA {found['wa']['mean']:.3f}, UA {found['ua']['mean']:.3f}", fontsize=10)
    return figure


def _curves(curves: Sequence[Mapping[str, Any]]) -> Figure:
    """Training loss against epochs: a line for each training, one panel for each branch."""
    names = list(dict.fromkeys(name for unit in curves for name in unit))
    figure = Figure(figsize=(1 + 3.5 * max(1, len(names)), 3.2), layout="constrained")
    for axes, name in zip(np.atleast_1d(figure.subplots(1, max(1, len(names)))), names, strict=False):
        for unit in curves:
            points = unit.get(name, [])
            axes.plot([p["epoch"] for p in points], [p["loss"] for p in points], color="C0", alpha=0.5, lw=1)
        axes.set_title(NAMES.get(name, name), fontsize=10)
        axes.set_xlabel("epochs")
        axes.set_ylabel("training loss")
        axes.grid(alpha=0.3)
    return figure
