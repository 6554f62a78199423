"""README's figures come from the results' files, and stand between the marks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.common import results_file
from benchmarks.report import baselines_page, benchmarks_page, plots
from benchmarks.report.render import BEGIN, END, read, render

BUNDLE = Path(__file__).parents[3] / "models" / "en-tiny-int8"


def test_figures_replace_what_stood_between_the_marks_and_nothing_else(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    render(results_file.RESULTS, BUNDLE, readme)
    text = readme.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert "peak memory" in text
    assert text.count("![") <= 1
    render(results_file.RESULTS, BUNDLE, readme)
    assert readme.read_text() == text


def test_the_committed_readme_says_what_was_measured(tmp_path):
    committed = Path(__file__).parents[3] / "README.md"
    again = tmp_path / "README.md"
    again.write_text(committed.read_text(encoding="utf-8"), encoding="utf-8")
    render(results_file.RESULTS, BUNDLE, again)
    assert again.read_text(encoding="utf-8") == committed.read_text(encoding="utf-8")


def test_the_committed_page_says_what_was_measured(tmp_path):
    again = tmp_path / "benchmarks.md"
    benchmarks_page.render(read(results_file.RESULTS), again)
    committed = Path(__file__).parents[3] / "docs" / "benchmarks.md"
    assert again.read_text(encoding="utf-8") == committed.read_text(encoding="utf-8")
    plots_drawn = {plot.name for plot in tmp_path.glob("*.svg")}
    assert plots_drawn == {"peers.svg", "latency.svg", "robustness.svg"}
    assert plots_drawn <= {plot.name for plot in committed.parent.glob("*.svg")}


def test_without_results_the_page_says_how_to_get_them_and_no_figure(tmp_path):
    page = tmp_path / "benchmarks.md"
    benchmarks_page.render({}, page)
    assert page.read_text() == benchmarks_page.HEAD + "\n"
    assert list(tmp_path.iterdir()) == [page]


def test_plots_are_the_same_each_time_and_have_no_background(tmp_path):
    times = {"4": {"p50": 80.0}, "8": {"p50": 120.0}}
    result = {"peers": {n: {"whole": n != "c", "title": f"peer {n}", "ms": times} for n in "abc"}}
    for name in ("one.svg", "other.svg"):
        plots.peers(result, tmp_path / name)
    drawn = (tmp_path / "one.svg").read_text()
    assert drawn == (tmp_path / "other.svg").read_text()
    assert "#ffffff" not in drawn
    assert "peer a" in drawn and "peer b" in drawn and "peer c" not in drawn


def peer(ms, cold, memory, size):
    return {
        "times_ours": {"4": {"median": ms}},
        "cold_start_times_ours": {"median": cold},
        "peak_memory_mb": memory,
        "installed_mb": {"packages": size, "weights": 0.0},
    }


def run(torch_speed):
    return {
        "peers": {
            "edge_iemonet": peer(1, 1, 200, 250),
            "transformers_torch": peer(torch_speed, 6.0, 300, 1250),
            "faster_whisper_torch": peer(4.0, 9.0, 700, 1500),
        }
    }


def test_an_aim_is_met_only_where_both_runs_meet_it():
    found = dict(zip(*[[row[i] for row in baselines_page.aims(run(9.0))] for i in (0, 2)], strict=True))
    assert found["installed size against transformers on torch"] == 5.0
    assert found["peak memory against transformers on torch"] == 1.5
    table = baselines_page._aims(run(9.0), run(7.0))
    rows = [line for line in table.split("\n") if line.startswith("| ")]
    assert rows[2] == "| speed, 4 s clip, against transformers on torch | 8 | 9.0, 7.0 | met once |"
    assert rows[3].endswith("| met |") and rows[6].endswith("| missed |")


def test_with_peers_the_readme_has_their_table_and_one_plot(tmp_path):
    result = run(9.0)
    for name, entry in result["peers"].items():
        extra = {"title": name, "ms": {"4": {"p50": 80.0}}, "cold_start_s": {"median": 1.0}, "wer": 0.03}
        result["peers"][name] = entry | extra
    processor = {"name": "a processor", "features": ["avx2"]}
    (tmp_path / "peers.json").write_text(json.dumps(result | {"machine": {"processor": processor}, "date": "today"}))
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}{END}")
    render(tmp_path, BUNDLE, readme)
    text = readme.read_text()
    assert "| transformers_torch | 80 ms | 9.0 | 1.0 s | 300 MB | 1250 MB | 3.0% |" in text
    assert text.count("![") == 1 and "a processor (avx2), today" in text


@pytest.mark.parametrize("text", ["no marks", BEGIN, END, f"{END} {BEGIN}"])
def test_a_readme_without_marks_is_left_alone(tmp_path, text):
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(ValueError, match="expected the marks"):
        render(results_file.RESULTS, BUNDLE, readme)
    assert readme.read_text() == text


def test_a_result_says_where_and_when_it_was_made(tmp_path, monkeypatch):
    monkeypatch.setattr(results_file, "RESULTS", tmp_path / "results")
    path = results_file.write("speed", {"ms": 3}, seed=7)
    document = json.loads(path.read_text())
    assert document["ms"] == 3
    assert document["seed"] == 7
    assert {"date", "machine", "versions"} <= document.keys()
    assert document["versions"]["onnxruntime"]
    assert [p.name for p in path.parent.iterdir()] == ["speed.json"]


def test_raw_samples_stand_on_one_line_and_are_what_they_were(tmp_path, monkeypatch):
    monkeypatch.setattr(results_file, "RESULTS", tmp_path)
    result = {
        "samples": [1.25, -3, 4e-07],
        "words": ["[\n 1,\n 2]", "a"],
        "nested": {"empty": [], "rows": [[1, 2], [3]]},
    }
    path = results_file.write("raw", result)
    assert '"samples": [1.25, -3, 4e-07]' in path.read_text()
    assert {key: json.loads(path.read_text())[key] for key in result} == result
