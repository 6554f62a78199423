"""``python -m benchmarks``: measure, and write ``benchmarks/results/*.json``; ``render`` makes pages of those."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

MODULES = (
    "accuracy",
    "doubt",
    "export_table",
    "fuzz",
    "gaps",
    "is09",
    "latency",
    "limit",
    "long",
    "paths",
    "peers",
    "picture",
    "process",
    "quantisation",
    "recognition",
    "recognition_errors",
    "render",
    "reward",
    "robustness",
    "segments",
)
"""Each has a function ``command``, which becomes the command of the module's name."""

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def root() -> None:
    """Measure, and keep what was found as JSON; README and docs are written from there."""


for name in MODULES:
    try:
        module = import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as error:  # of an extra, which the other commands can do without
        print(f"benchmarks: no command {name}: {error}", file=sys.stderr)
        continue
    app.command(name=name.replace("_", "-"))(module.command)
