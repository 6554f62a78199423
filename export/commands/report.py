"""What a command that wrote a bundle prints: its files, and what was lost on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge_runtime.formats.printable import visible


def print_report(manifest: Mapping[str, Any], folder: Path) -> None:
    """Print the report on the bundle in ``folder``."""
    for line in lines(manifest, folder):
        print(visible(line))


def lines(manifest: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Yield the report on the bundle in ``folder``."""
    files = sorted(folder.iterdir(), key=lambda f: -f.stat().st_size)
    for file in files:
        yield f"{file.stat().st_size / 1e6:8.2f} MB  {file.name}"
    yield f"{sum(f.stat().st_size for f in files) / 1e6:8.2f} MB  {folder}"
    found = manifest["verification"]
    exact = found["exact_graphs_differ_from_torch_by"]
    if exact:
        yield f"exact graphs differ from torch by {max(exact.values()):.0e} at most, relative to their size"
    converted = found["converted"]
    yield f"converted against exact, on {converted['samples']}:"
    for output, figures in converted.items():
        if isinstance(figures, Mapping) and "same_label" in figures:
            points = [
                f"{name.upper()} {-figures[name]['points_lost']:+.2f} points"
                for name in ("wa", "ua")
                if name in figures
            ]
            yield f"  {output:<6} {figures['same_label']:.1%} the same label of {figures['n']}; " + (
                ", ".join(points) or "too few labels to measure accuracy (--evaluate names a corpus)"
            )
    if "transcripts" in converted:
        yield f"  {converted['transcripts']['word_error_rate_against_exact']:.1%} of the words are written otherwise"
    if "fusion" in manifest["slots"] and "fusion" not in manifest["provenance"]:
        yield (
            "fusion was not trained on these branches: it multiplies the probabilities of both. Train one on speech "
            "that has transcripts (`trainer fit`) to do better"
        )
    for slot, kept in found["kept_exact"].items():
        yield (
            f"{slot}: {', '.join(kept['layers'])} stayed exact; {kept['points_lost_before']:.2f} points were lost "
            f"before, {kept['points_lost']:.2f} now"
        )
    for text in found["shortfall"]:
        yield f"falls short: {text}"
