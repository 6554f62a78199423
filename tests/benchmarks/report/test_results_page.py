"""docs/results.md is written from the results' files, and says nothing of what was not measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.common import results_file
from benchmarks.common.paths import BUNDLE
from benchmarks.report import results_page
from benchmarks.training import accuracy
from trainer import config

PAGE = Path(__file__).parents[3] / "docs" / "results.md"


def test_the_committed_page_says_what_was_measured(tmp_path):
    again = tmp_path / "results.md"
    results_page.render(results_file.RESULTS, again, BUNDLE)
    assert again.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_without_results_only_the_papers_lines_stand(tmp_path):
    page = tmp_path / "results.md"
    results_page.render(tmp_path, page)
    text = page.read_text()
    assert "| XLNet-Base |  | 0.695 |" in text
    assert "## Voice" not in text and "MiniLM" not in text and "## int8" not in text


def test_a_result_gets_its_line_with_its_spread(tmp_path):
    score = {"mean": 0.7, "std": 0.02, "interval": [0.6, 0.8]}
    speech = {"n": 9, "runs": 3, "folds": 5, "wa": score, "ua": score, "f1": score, "calibration": {"ece_after": 0.05}}
    (tmp_path / "accuracy-ravdess-is09-64.json").write_text(json.dumps({"branches": {"speech": speech}}))
    page = tmp_path / "results.md"
    results_page.render(tmp_path, page)
    line = next(x for x in page.read_text().split("\n") if "attention 64" in x)
    assert line.count("0.700 ± 0.020") == 3
    assert "0.600 to 0.800" in line and "0.050" in line


@pytest.mark.parametrize("name", accuracy.EXPERIMENTS)
def test_every_experiment_has_its_configuration_and_its_place_on_the_page(name):
    plain = [c for c, change in accuracy.EXPERIMENTS.items() if not change]
    assert config.read(max((c for c in plain if name.startswith(c)), key=len))
    assert name in {*results_page.VOICES, *results_page.WORDS, *results_page.TWEETS}
