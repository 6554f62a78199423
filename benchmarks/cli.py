"""``python -m benchmarks``: measure, and write ``benchmarks/results/*.json``; ``render`` makes pages of those."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

COMMANDS = {
    "Speed and memory": {
        "baselines": "benchmarks.baselines.compare",
        "latency": "benchmarks.latency.by_slot",
        "footprint": "benchmarks.latency.footprint",
        "throughput": "benchmarks.latency.throughput",
        "packages": "benchmarks.baselines.packages",
        "long-audio": "benchmarks.latency.long_audio",
        "roofline": "benchmarks.latency.roofline",
        "ablation": "benchmarks.latency.ablation",
        "serve": "benchmarks.serving.load",
    },
    "Accuracy": {
        "accuracy": "benchmarks.training.accuracy",
        "robustness": "benchmarks.robustness.measure",
        "unseen": "benchmarks.unseen.measure",
        "words": "benchmarks.words.measure",
        "words-cost": "benchmarks.words.cost",
        "fused": "benchmarks.fused.measure",
        "precision": "benchmarks.precision.measure",
        "int8-accuracy": "benchmarks.precision.int8_accuracy",
        "whole-tests": "benchmarks.precision.whole_tests",
        "processors": "benchmarks.precision.processors",
        "opensmile-parity": "benchmarks.training.opensmile_parity",
        "smoke-tables": "benchmarks.training.smoke_tables",
        "reward": "benchmarks.training.reward",
    },
    "Speech recognition": {
        "wer": "benchmarks.asr.wer",
        "error-statistics": "benchmarks.asr.error_statistics",
        "asr-confidence": "benchmarks.asr.confidence",
        "languages": "benchmarks.asr.languages",
        "segmentation": "benchmarks.asr.segmentation",
    },
    "Safety": {"fuzz": "benchmarks.fuzzing.run"},
    "Documentation": {
        "render": "benchmarks.report.render",
        "terminal-screenshot": "benchmarks.report.terminal_screenshot",
    },
}
"""Each group of commands: by name, the module whose function ``command`` is the command."""

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def root() -> None:
    """Measure, and keep the results as JSON; README and docs are written from there."""


for group, modules in COMMANDS.items():
    for name, place in modules.items():
        try:
            module = import_module(place)
        except ModuleNotFoundError as error:  # of an extra, which the other commands can do without
            print(f"benchmarks: no command {name}: {error}", file=sys.stderr)
            continue
        app.command(name=name, rich_help_panel=group)(module.command)
