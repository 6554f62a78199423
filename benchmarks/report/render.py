"""``python -m benchmarks render``: README's figures and the pages in docs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.common import results_file
from benchmarks.common.paths import BUNDLE, ROOT
from benchmarks.common.results_file import Result
from benchmarks.report import baselines_page, benchmarks_page, plots, precisions_page, results_page, unseen_page
from benchmarks.report.doc_tables import TABLES
from benchmarks.report.markdown import fill
from edge_runtime.system.writing import write_text

PAGES = {"benchmarks.md": benchmarks_page.page, "precisions.md": precisions_page.page, "results.md": results_page.page}
"""Pages in docs that are written whole."""
PLOTS = {
    "baselines": plots.baselines,
    "latency": plots.latency,
    "robustness": plots.robustness,
    "unseen": plots.unseen,
    "languages": plots.languages,
}


def render(results: Mapping[str, Result], bundle: Path, docs: Path, readme: Path) -> None:
    """Write every figure; a result that was not measured has no section, or one that says so.

    Args:
        results: by the name of their files.
        bundle: the bundle whose manifest states the accuracy of its networks.
        docs: folder of the pages and plots; pages that are filled in must be there.
        readme: the README, which is filled in.

    Raises:
        ValueError: a page lacks the marks between which its figures stand.
    """
    manifest: dict[str, Any] = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    for name, page in PAGES.items():
        write_text(docs / name, page(results, manifest) + "\n")
    for name, plot in PLOTS.items():
        if name in results:
            plot(results[name], docs / f"{name}.svg")
    for name, tables in TABLES.items():
        fill(docs / name, {result: _figures(results, result, table) for result, table in tables.items()})
    fill(
        readme,
        {
            "render": baselines_page.readme(results["baselines"], manifest),
            "unseen": _figures(results, "unseen", unseen_page.readme),
        },
    )


def _figures(results: Mapping[str, Result], name: str, table: Callable[[Result], str]) -> str:
    """Return the figures of the result ``name``, or how to get them where there is none."""
    return table(results[name]) if name in results else f"Not measured yet: `python -m benchmarks {name}`."


def command() -> None:
    """Write the figures into README.md and docs."""
    render(results_file.read_all(), BUNDLE, ROOT / "docs", ROOT / "README.md")
