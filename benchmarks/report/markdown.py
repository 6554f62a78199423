"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def machine(result: Result) -> str:
    """Return on what, and when, something was measured."""
    processor = result["machine"]["processor"]
    return f"{processor['name']} ({', '.join(processor['features'])}), {result['date']}"


def megabytes(peer: Result) -> float:
    """Return what a peer takes on disk, packages and weights."""
    return float(sum(peer["installed_mb"].values()))
