"""The command ``onnx``: a bundle from checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_runtime.cli.interrupts import after_cleaning_up
from export.commands.options import ConversionOptions, show_progress, takes_conversion_options
from export.commands.report import print_report

CHECKPOINTS = Path("checkpoints")
WEIGHTS = Path("weights")
EPILOG = (
    "Examples:\n\n  python -m export onnx --int8\n\n  python -m export onnx --fp32 --out models/en-tiny-fp32\n\n"
    "  python -m export onnx --checkpoints runs/calls/checkpoints --out my-bundle\n\n"
    "  python -m export onnx --checkpoints runs/calls/checkpoints --evaluate other-calls.csv --out my-bundle\n\n"
    "  python -m export onnx --checkpoints my-fine-tuned-bert --out my-bundle\n\n"
    "Exit codes: 0 written, 1 something is missing or the bundle loses too much, 2 wrong usage."
)


@takes_conversion_options
def onnx(
    options: ConversionOptions,
    checkpoints: Annotated[
        Path, typer.Option(help="Folder that `trainer fit` wrote, or of a fine-tuned text classifier.")
    ] = CHECKPOINTS,
    weights: Annotated[Path, typer.Option(help="Folder that `trainer fetch` wrote.")] = WEIGHTS,
    out: Annotated[
        Path | None,
        typer.Option(help="The bundle's folder; models/en-tiny-int8 or the like for the bundle that is committed."),
    ] = None,
    untrained_fusion: Annotated[
        bool, typer.Option("--untrained-fusion", help="Without a fusion checkpoint, multiply both probabilities.")
    ] = False,
    full_window: Annotated[
        bool, typer.Option("--full-window", help="Encode 30 s always, as Whisper's authors do; for comparison.")
    ] = False,
) -> None:
    """Export a bundle from checkpoints and pretrained weights, and check that it still is what was trained."""
    if out is None and checkpoints != CHECKPOINTS:
        raise typer.BadParameter(
            "name the bundle's folder with --out; models/en-tiny-* are made of --checkpoints checkpoints"
        )
    label_map, precision = options.label_map, options.quantization.precision
    target = out or Path("models") / f"en-tiny-{precision}"
    from export import build, components  # noqa: PLC0415 - torch is slow to import
    from export.bundle_writer import check_target  # noqa: PLC0415

    labels = components.labels_of(checkpoints, label_map)
    check_target(target, force=options.force)
    sources = build.Sources(weights, checkpoints, options.whisper, options.language, label_map)
    show_progress()
    with after_cleaning_up():
        manifest = build.build(
            sources,
            target,
            options.resolve(labels, run=checkpoints.resolve().parent),
            stitched=not full_window,
            untrained_fusion=untrained_fusion,
        )
    print_report(manifest, target)
