"""README's figures come from the results' files, and stand between the marks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import record
from benchmarks.render import BEGIN, END, render

BUNDLE = Path(__file__).parents[2] / "models" / "en-tiny-int8"


def test_figures_replace_what_stood_between_the_marks_and_nothing_else(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    render(record.RESULTS, BUNDLE, readme)
    text = readme.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert "| torch fp32, 30 s |" in text
    render(record.RESULTS, BUNDLE, readme)
    assert readme.read_text() == text


def test_the_committed_readme_says_what_was_measured(tmp_path):
    committed = Path(__file__).parents[2] / "README.md"
    again = tmp_path / "README.md"
    again.write_text(committed.read_text(encoding="utf-8"), encoding="utf-8")
    render(record.RESULTS, BUNDLE, again)
    assert again.read_text(encoding="utf-8") == committed.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["no marks", BEGIN, END, f"{END} {BEGIN}"])
def test_a_readme_without_marks_is_left_alone(tmp_path, text):
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(ValueError, match="expected the marks"):
        render(record.RESULTS, BUNDLE, readme)
    assert readme.read_text() == text


def test_a_result_says_where_and_when_it_was_made(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    path = record.write("speed", {"ms": 3}, seed=7)
    document = json.loads(path.read_text())
    assert document["ms"] == 3
    assert document["seed"] == 7
    assert {"date", "machine", "versions"} <= document.keys()
    assert document["versions"]["onnxruntime"]
    assert [p.name for p in path.parent.iterdir()] == ["speed.json"]
