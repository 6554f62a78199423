"""Names that a command is given, of experiments or variants."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import typer


def check_known(names: Sequence[str], known: Collection[str]) -> None:
    """Refuse a name that is not ``known``, before hours of work on the others.

    Raises:
        typer.BadParameter: names those, and what there is.
    """
    if unknown := sorted(set(names) - set(known)):
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
