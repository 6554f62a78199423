"""The command ``python -m export`` (also installed as ``export``, which POSIX shells hide behind a builtin)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from edge_runtime.errors import IEmoNetError
from export.comparison import compare
from export.inspection import inspect

FAILED = 1
CHECKPOINTS = Path("checkpoints")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root() -> None:
    """Turn what was trained into a bundle of ONNX graphs."""


@app.command(
    epilog="Examples:\n\n  python -m export onnx --int8\n\n  python -m export onnx --fp32 --out models/en-tiny-fp32\n\n"
    "  python -m export onnx --checkpoints runs/calls/checkpoints --out my-bundle"
)
def onnx(
    int8: Annotated[
        bool, typer.Option("--int8/--fp32", help="Quantise matrix products and embeddings, or not.")
    ] = True,
    checkpoints: Annotated[Path, typer.Option(help="Folder that `trainer fit` wrote.")] = CHECKPOINTS,
    weights: Annotated[Path, typer.Option(help="Folder that `trainer fetch` wrote.")] = Path("weights"),
    out: Annotated[
        Path | None, typer.Option(help="The bundle's folder [default: of the recipe, models/en-tiny-int8 or -fp32].")
    ] = None,
    full_window: Annotated[
        bool, typer.Option("--full-window", help="Encode 30 s always, as Whisper's authors do; for comparison.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the bundle that is there.")] = False,
) -> None:
    """Export a bundle from checkpoints and pretrained weights."""
    if out is None and checkpoints != CHECKPOINTS:
        raise typer.BadParameter("name the bundle's folder with --out; models/en-tiny-* are the recipe's")
    from export.bundle import Sources, build  # noqa: PLC0415 - torch is slow to import

    precision = "int8" if int8 else "fp32"
    target = out or Path("models") / f"en-tiny-{precision}"
    build(
        Sources(weights, checkpoints),
        target,
        name=target.name,
        precision=precision,
        stitched=not full_window,
        force=force,
    )
    files = sorted(target.iterdir(), key=lambda f: -f.stat().st_size)
    for file in files:
        print(f"{file.stat().st_size / 1e6:8.2f} MB  {file.name}")
    print(f"{sum(f.stat().st_size for f in files) / 1e6:8.2f} MB  {target}")


app.command(
    epilog="Examples:\n\n  python -m export inspect models/en-tiny-int8\n\n"
    "  python -m export inspect my-bundle --json\n\nExit code: 0 if it is whole, 1 if something is wrong with it."
)(inspect)
app.command(
    epilog="Examples:\n\n  python -m export compare models/en-tiny-int8 my-bundle\n\n"
    "  python -m export compare A B --audio clip.wav --audio other.flac\n\n"
    "  python -m export compare A B --audio data/ravdess --limit 100 --json\n\n"
    "Exit code: 0 if they were compared, 1 if a bundle or a recording could not be used."
)(compare)


def main() -> None:
    """Run the command; what goes wrong is said in a line, without a traceback."""
    try:
        app()
    except (IEmoNetError, OSError) as error:
        print(f"export: {error}", file=sys.stderr)
        sys.exit(FAILED)
