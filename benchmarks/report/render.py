"""README's figures and the pages in docs, from the results' JSON and the bundle's manifest alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.common import results_file
from benchmarks.common.paths import BUNDLE, ROOT
from benchmarks.report import (
    baselines_page,
    benchmarks_page,
    long_recordings_page,
    precisions_page,
    process_page,
    results_page,
)
from benchmarks.report.markdown import Result, machine
from edge_runtime.system.writing import write_text

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
            baselines_page.front(found["peers"]),
            "![time of a clip against its length, by pipeline](docs/peers.svg)",
        ]
    else:
        parts = [process_page.use(found["process"])]
    parts.append(baselines_page.sentence(metrics))
    write_text(readme, before + begin + "\n\n" + "\n\n".join(parts) + "\n\n" + end + after)


def command() -> None:
    """Write the figures into README.md and docs, from the results and the bundle's manifest."""
    benchmarks_page.render(read(results_file.RESULTS), ROOT / "docs" / "benchmarks.md")
    results_page.render(results_file.RESULTS, ROOT / "docs" / "results.md", BUNDLE)
    long_recordings_page.render(
        results_file.RESULTS, ROOT / "docs" / "long-recordings.md", long_recordings_page.LONG_RECORDINGS
    )
    long_recordings_page.render(results_file.RESULTS, ROOT / "docs" / "runtime.md", long_recordings_page.RUNTIME)
    precisions_page.render(results_file.RESULTS, ROOT / "docs" / "precisions.md")
    render(results_file.RESULTS, BUNDLE, ROOT / "README.md")
