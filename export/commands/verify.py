"""The command ``verify``: whether a bundle still is what was exported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_runtime.cli.command import FAILED
from edge_runtime.cli.json_output import print_json
from edge_runtime.formats.printable import visible

EPILOG = (
    "Examples:\n\n  python -m export verify models/en-tiny-int8\n\n"
    "Exit codes: 0 it is what was exported, 1 it is not, 2 wrong usage."
)


def verify(
    bundle: Annotated[Path, typer.Argument(help="The bundle to check.", metavar="BUNDLE")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a bundle again: every checksum, every graph, and whether it answers here as it did when it was made."""
    from export.evaluation import regression  # noqa: PLC0415 - onnxruntime is slow to import

    found = regression.verify(bundle)
    if as_json:
        print_json(found, indent=1)
    else:
        for key, value in found.items():
            if key != "wrong":
                print(visible(f"{key.replace('_', ' ')}: {value}"))
        print("\n".join(f"wrong: {visible(text)}" for text in found["wrong"]) or "nothing is wrong")
    if found["wrong"]:
        raise typer.Exit(FAILED)
