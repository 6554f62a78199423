"""The options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
Bundle = Annotated[str | None, typer.Option(help="Folder or name of the bundle to use.", metavar="DIR")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Processor threads to use.")]
Threshold = Annotated[
    float, typer.Option(min=0, max=1, help='Below this confidence the label is "uncertain".', metavar="SHARE")
]
