"""README and the pages in docs say what was measured, and nothing of what was not."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchmarks.common import results_file
from benchmarks.common.paths import BUNDLE, ROOT
from benchmarks.report import baselines_page, benchmarks_page, plots
from benchmarks.report.doc_tables import TABLES
from benchmarks.report.render import PAGES, PLOTS, render

MACHINE = {"machine": {"processor": {"name": "a processor", "features": ["avx2"]}}, "date": "today"}


def test_committed_pages_say_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in TABLES:
        shutil.copyfile(ROOT / "docs" / name, docs / name)
    shutil.copyfile(ROOT / "README.md", tmp_path / "README.md")
    for name in PLOTS:
        monkeypatch.setitem(PLOTS, name, lambda result, target: target.write_text("drawn"))
    render(results_file.read_all(), BUNDLE, docs, tmp_path / "README.md")
    for name in [*PAGES, *TABLES]:
        assert (docs / name).read_text(encoding="utf-8") == (ROOT / "docs" / name).read_text(encoding="utf-8"), name
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == (ROOT / "README.md").read_text(encoding="utf-8")
    drawn = {plot.name for plot in docs.glob("*.svg")}
    measured = {f"{name}.svg" for name in PLOTS if results_file.read(name)}
    assert drawn == measured <= {plot.name for plot in (ROOT / "docs").glob("*.svg")}


def test_page_filled_in_without_its_result_says_how_to_get_it_and_then_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unseen: dict[str, Any]
) -> None:
    for name in TABLES:
        shutil.copyfile(ROOT / "docs" / name, tmp_path / name)
    shutil.copyfile(ROOT / "README.md", tmp_path / "README.md")
    monkeypatch.setattr("benchmarks.report.render.PLOTS", {"unseen": PLOTS["unseen"]})
    pages = [tmp_path / name for name in ("own-recordings.md", "embedding.md", "README.md")]
    results = {name: found for name, found in results_file.read_all().items() if name != "unseen"}
    missing = "python -m benchmarks unseen -->\n\nNot measured yet: `python -m benchmarks unseen`.\n\n<!-- end"

    render(results, BUNDLE, tmp_path, tmp_path / "README.md")
    assert [page.name for page in pages if missing not in page.read_text(encoding="utf-8")] == []
    assert [page.name for page in pages if "unseen.svg" in page.read_text(encoding="utf-8")] == []
    assert not (tmp_path / "unseen.svg").exists()

    render({**results, "unseen": unseen}, BUNDLE, tmp_path, tmp_path / "README.md")
    assert [page.name for page in pages if "Not measured yet" in page.read_text(encoding="utf-8")] == []
    assert "(unseen.svg)" in pages[0].read_text(encoding="utf-8") and (tmp_path / "unseen.svg").is_file()


def test_plot_of_unseen_corpora_has_every_corpus_and_length_and_no_mood(tmp_path: Path, unseen: dict[str, Any]) -> None:
    for name in ("one.svg", "other.svg"):
        plots.unseen(unseen, tmp_path / name)
    drawn = (tmp_path / "one.svg").read_text(encoding="utf-8")
    assert drawn == (tmp_path / "other.svg").read_text(encoding="utf-8")
    assert [text for text in ("EmoDB", "emotional speech of India", ">none<", ">60 s<") if text not in drawn] == []
    assert "angry" not in drawn and "#ffffff" not in drawn


def test_page_without_results_says_how_to_get_them_and_no_figure() -> None:
    assert benchmarks_page.page({}, {}) == benchmarks_page.HEAD


def test_plots_are_the_same_each_time_and_have_no_background(tmp_path: Path) -> None:
    times = {"4": {"p50": 80.0}, "8": {"p50": 120.0}}
    result = {"baselines": {n: {"whole": n != "c", "title": f"pipeline {n}", "ms": times} for n in "abc"}}
    for name in ("one.svg", "other.svg"):
        plots.baselines(result, tmp_path / name)
    drawn = (tmp_path / "one.svg").read_text()
    assert drawn == (tmp_path / "other.svg").read_text()
    assert "#ffffff" not in drawn
    assert "pipeline a" in drawn and "pipeline b" in drawn and "pipeline c" not in drawn


@pytest.mark.slow
@pytest.mark.parametrize("name", ["latency", "robustness"])
def test_committed_plots_show_what_was_measured(tmp_path: Path, name: str) -> None:
    PLOTS[name](results_file.read(name), tmp_path / "plot.svg")
    drawn = (tmp_path / "plot.svg").read_text()
    assert {"latency": "transcript decoder", "robustness": "telephone"}[name] in drawn


def pipeline(name: str, ms: float, cold: float, memory: float, size: float) -> dict[str, object]:
    return {
        "title": name,
        "ms": {"4": {"p50": 80.0}},
        "times_ours": {"4": {"median": ms}},
        "cold_start_s": {"median": 1.0},
        "cold_start_times_ours": {"median": cold},
        "peak_memory_mb": memory,
        "installed_mb": {"packages": size, "weights": 0.0},
        "same_words_as_torch": None,
        "wer": 0.03,
    }


def run(torch_speed: float) -> dict[str, object]:
    rows = {
        "edge_iemonet": (1, 1, 200, 250),
        "transformers_torch": (torch_speed, 6.0, 300, 1250),
        "faster_whisper_torch": (4.0, 9.0, 700, 1500),
    }
    pipelines = {name: pipeline(name, *row) for name, row in rows.items()}
    return {"baselines": pipelines, "recordings": 9, "threads": 1, "calls": 3, **MACHINE}


def test_each_table_of_the_benchmarks_names_its_processor_in_the_lines_before_it(repository: Path) -> None:
    text = (repository / "docs/benchmarks.md").read_text(encoding="utf-8")
    blocks = [block for block in text.split("\n\n") if block]
    before = [lines for lines, block in pairwise(blocks) if block.startswith("|")]
    assert len(before) > 15
    assert [lines for lines in before if "avx2" not in lines] == []


def test_each_processor_has_its_own_verdict_on_an_aim() -> None:
    text = "\n".join(baselines_page.section([run(9.0), run(7.0)]))
    assert "| speed, 4 s clip, against transformers on torch | 8 | 9.0 (met) | 7.0 (missed) |" in text
    assert "| installed size against transformers on torch | 4 | 5.0 (met) | 5.0 (met) |" in text
    alone = "\n".join(baselines_page.section([run(9.0)]))
    assert "| peak memory against transformers on torch | 2 | 1.5 (missed) |" in alone


def test_readme_has_one_table_of_all_pipelines_and_one_plot() -> None:
    manifest = json.loads((BUNDLE / "bundle.json").read_text(encoding="utf-8"))
    text = baselines_page.readme(run(9.0), manifest)
    assert "| transformers_torch | 80 ms | 9.0 | 1.0 s | 300 MB | 1250 MB | 3.0% |" in text
    assert text.count("![") == 1 and "a processor (avx2), today" in text


def test_cold_start_and_peak_memory_are_stated_once() -> None:
    texts = [(ROOT / "README.md"), *(ROOT / "docs" / name for name in PAGES)]
    found = {path.name: path.read_text(encoding="utf-8").count("| cold start | peak memory |") for path in texts}
    assert {name: count for name, count in found.items() if count} == {"README.md": 1}


def test_readme_reads_the_accuracy_of_a_bundle_with_the_metrics_of_its_checkpoints() -> None:
    means = {"speech": 0.5, "text": 0.57, "fusion": 0.81}
    metrics: dict[str, Any] = {part: {"ua": {"mean": ua}} for part, ua in means.items()}
    metrics["fusion"]["by_corpus"] = {"savee": {}, "emogator": {}}
    text = baselines_page.readme(run(9.0), {"metrics": metrics})
    assert "not trained on: 0.57 from text alone; 0.81 from speech, fused with sentences" in text
    assert "the mean of 2 corpora" in text
