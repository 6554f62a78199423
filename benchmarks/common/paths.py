"""Places and options that mean the same in every command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "jfk.wav"
ANGRY_EXAMPLE = ROOT / "examples" / "angry-german.flac"
BUNDLE = ROOT / "models" / "en-tiny-int8"

Data = Annotated[Path, typer.Option(help="Folder of the corpora: ravdess/, emodb/, meld/ and others.")]
Weights = Annotated[Path, typer.Option(help="Folder that `trainer fetch` wrote.")]
Checkpoints = Annotated[Path, typer.Option(help="Folder that `trainer fit` wrote.")]
Cache = Annotated[Path, typer.Option(help="Folder for everything that is computed once, environments included.")]
Clips = Annotated[int, typer.Option(help="Number of recordings.")]
Seed = Annotated[int, typer.Option(help="Of every random choice.")]
Repeats = Annotated[int, typer.Option(help="Runs of everything that is timed.")]
