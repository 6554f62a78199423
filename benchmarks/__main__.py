"""``python -m benchmarks``: measure, and write ``benchmarks/results/*.json``; ``render`` makes pages of those."""

from __future__ import annotations

from importlib import import_module

import typer

MODULES = (
    "accuracy",
    "gaps",
    "is09",
    "latency",
    "limit",
    "paths",
    "peers",
    "picture",
    "process",
    "quantisation",
    "recognition",
    "recognition_errors",
    "render",
    "robustness",
)
"""Each has a function ``command``, which becomes the command of the module's name."""

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def root() -> None:
    """Measure, and keep what was found as JSON; README and docs are written from there."""


for name in MODULES:
    app.command(name=name.replace("_", "-"))(import_module(f"benchmarks.{name}").command)


if __name__ == "__main__":
    app()
