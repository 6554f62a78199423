"""``python -m benchmarks``: measure, and write ``benchmarks/results/*.json``; ``render`` makes pages of those."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

MODULES = {
    "accuracy": "benchmarks.training.accuracy",
    "doubt": "benchmarks.asr.doubt",
    "export-table": "benchmarks.precision.measure",
    "fuzz": "benchmarks.fuzzing.run",
    "gaps": "benchmarks.latency.ablation",
    "is09": "benchmarks.training.opensmile_parity",
    "latency": "benchmarks.latency.by_slot",
    "limit": "benchmarks.latency.roofline",
    "long": "benchmarks.latency.long_audio",
    "paths": "benchmarks.training.smoke_tables",
    "peers": "benchmarks.baselines.compare",
    "picture": "benchmarks.report.terminal_screenshot",
    "process": "benchmarks.latency.footprint",
    "quantisation": "benchmarks.precision.weights",
    "recognition": "benchmarks.asr.wer",
    "recognition-errors": "benchmarks.asr.error_statistics",
    "render": "benchmarks.report.render",
    "reward": "benchmarks.training.reward",
    "robustness": "benchmarks.robustness.measure",
    "segments": "benchmarks.asr.segmentation",
}
"""Each command and the module whose function ``command`` it is."""

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def root() -> None:
    """Measure, and keep what was found as JSON; README and docs are written from there."""


for name, place in MODULES.items():
    try:
        module = import_module(place)
    except ModuleNotFoundError as error:  # of an extra, which the other commands can do without
        print(f"benchmarks: no command {name}: {error}", file=sys.stderr)
        continue
    app.command(name=name)(module.command)
