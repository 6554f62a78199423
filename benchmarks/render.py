"""README's figures and the pages in docs, from the results' JSON and the bundle's manifest alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import (
    benchmarks_page,
    export_page,
    peers_page,
    process_page,
    record,
    recordings_page,
    results_page,
)
from benchmarks.options import BUNDLE, ROOT
from benchmarks.tables import Result, machine
from edge_runtime.writing import write_text

BEGIN, END = "<!-- figures: python -m benchmarks render -->", "<!-- end of figures -->"


def read(results: Path) -> dict[str, Result]:
    """Return every result by its file's name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))}


def render(results: Path, bundle: Path, readme: Path) -> None:
    """Replace what stands between the two marks in ``readme``.

    Raises:
        ValueError: the marks are not there.
    """
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme}: expected the marks {BEGIN} and {END}")
    metrics: dict[str, Any] = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["metrics"]
    found = read(results)
    if "peers" in found:
        parts = [
            "Beside what one would otherwise write: the same clips, one thread, in turn, medians; "
            f"{machine(found['peers'])}.",
            peers_page.front(found["peers"]),
            "![time of a clip against its length, by pipeline](docs/peers.svg)",
        ]
    else:
        parts = [process_page.use(found["process"])]
    parts.append(peers_page.sentence(metrics))
    write_text(readme, before + begin + "\n\n" + "\n\n".join(parts) + "\n\n" + end + after)


def command() -> None:
    """Write the figures into README.md and docs, from the results and the bundle's manifest."""
    benchmarks_page.render(read(record.RESULTS), ROOT / "docs" / "benchmarks.md")
    results_page.render(record.RESULTS, ROOT / "docs" / "results.md", BUNDLE)
    recordings_page.render(record.RESULTS, ROOT / "docs" / "long-recordings.md", recordings_page.LONG_RECORDINGS)
    recordings_page.render(record.RESULTS, ROOT / "docs" / "runtime.md", recordings_page.RUNTIME)
    export_page.render(record.RESULTS, ROOT / "docs" / "precisions.md")
    render(record.RESULTS, BUNDLE, ROOT / "README.md")
