"""The command ``swap``: a bundle from another bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_runtime.cli.interrupts import after_cleaning_up
from export.commands.options import ConversionOptions, show_progress, takes_conversion_options
from export.commands.report import print_report

EPILOG = (
    "Examples:\n\n  python -m export swap models/en-tiny-int8 --text my-fine-tuned-bert --map joy=happy "
    "--map anger=angry --map sadness=sad --out my-bundle\n\n"
    "  python -m export swap models/en-tiny-int8 --speech runs/ravdess/checkpoints/speech --out models/paper-int8\n\n"
    "  python -m export swap models/en-tiny-int8 --whisper openai/whisper-base --language de --out de-base-int8"
)


@takes_conversion_options
def swap(
    options: ConversionOptions,
    bundle: Annotated[Path, typer.Argument(help="The bundle to start from; it stays as it is.", metavar="BUNDLE")],
    out: Annotated[Path, typer.Option(help="The bundle's folder.")],
    speech: Annotated[Path | None, typer.Option(help="Other speech emotion: a checkpoint.", metavar="FOLDER")] = None,
    text: Annotated[
        Path | None,
        typer.Option(help="Other text emotion: a checkpoint, or a fine-tuned text classifier.", metavar="FOLDER"),
    ] = None,
) -> None:
    """Replace speech, text or recogniser of a bundle, check what is new, and say whether fusion needs training."""
    label_map, _ = options.label_map, options.quantization
    from edge_runtime.bundle.bundle import Bundle  # noqa: PLC0415 - torch and onnxruntime are slow to import
    from export.swap import Replacement  # noqa: PLC0415
    from export.swap import swap as write  # noqa: PLC0415

    labels = Bundle.read(bundle).labels
    replacement = Replacement(speech, text, options.whisper, options.language, label_map)
    show_progress()
    with after_cleaning_up():
        manifest = write(bundle, replacement, out, options.resolve(labels))
    print_report(manifest, out)
