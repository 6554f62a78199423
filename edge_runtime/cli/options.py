"""The options that several commands share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from edge_runtime.system.processors import MOST_THREADS


def finite(value: float | None) -> float | None:
    """Refuse what is no number, which no limit keeps out.

    Raises:
        BadParameter: it is infinite, or "nan".
    """
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number")
    return value


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
Bundle = Annotated[str | None, typer.Option(help="Folder or name of the bundle to use.", metavar="DIR")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Threads = Annotated[int | None, typer.Option(min=1, max=MOST_THREADS, help="Processor threads to use.")]
BatchMemory = Annotated[
    float,
    typer.Option(
        min=0,
        callback=finite,
        help="Megabytes for utterances that are decoded together, on each thread; 0 decodes each alone.",
        metavar="MB",
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, callback=finite, help='Below this confidence the label is "uncertain".', metavar="SHARE"
    ),
]
Baselines = Annotated[
    list[str] | None,
    typer.Option(
        "--baseline",
        help="Other recordings of the same speaker, to compare with: a file, a folder, a pattern in quotes, or what "
        "--save-baseline wrote. May be repeated.",
        metavar="FILE",
    ),
]
NoBaseline = Annotated[
    bool, typer.Option("--no-baseline", help="Compare no utterance with those before it; each stands alone.")
]
Context = Annotated[
    bool, typer.Option("--context", help="Read words after what was said before them, if the bundle can.")
]
SaveBaseline = Annotated[
    Path | None, typer.Option(help="Write what is compared with to this file, for --baseline.", metavar="FILE")
]


def check_baseline_options(baseline: list[str] | None, *, no_baseline: bool) -> None:
    """Refuse what contradicts itself.

    Raises:
        BadParameter: a baseline is given, and none is wanted.
    """
    if baseline and no_baseline:
        raise typer.BadParameter("--baseline and --no-baseline contradict each other; choose one")
