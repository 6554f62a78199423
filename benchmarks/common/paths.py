"""What several commands share: where things are, and the options that mean the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "jfk.wav"
BUNDLE = ROOT / "models" / "en-tiny-int8"

Data = Annotated[Path, typer.Option(help="Folder that holds ravdess/, emodb/ and meld/.")]
Weights = Annotated[Path, typer.Option(help="Folder that `trainer fetch` wrote.")]
Checkpoints = Annotated[Path, typer.Option(help="Folder that `trainer fit` wrote.")]
Cache = Annotated[Path, typer.Option(help="Folder for what is computed once, environments included.")]
Clips = Annotated[int, typer.Option(help="How many recordings.")]
Seed = Annotated[int, typer.Option(help="Of the choice of recordings.")]
