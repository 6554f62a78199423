"""How far a command is, where somebody sees it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import TypeVar

import typer

Item = TypeVar("Item")


def with_progress(items: Iterable[Item], count: int, *, printed: bool, label: str | None = None) -> Iterator[Item]:
    """Yield ``items`` behind a bar, where somebody sees it and it does not run into the answers.

    Args:
        items: what is waited for.
        count: how many there are.
        printed: whether something is printed to standard output for each.
        label: what stands before the bar.
    """
    seen = sys.stderr.isatty() and count > 1 and not (printed and sys.stdout.isatty())
    bar = typer.progressbar(length=count, label=label, file=sys.stderr, show_pos=True) if seen else nullcontext()
    with bar as shown:
        for item in items:
            yield item
            if shown is not None:
                shown.update(1)
