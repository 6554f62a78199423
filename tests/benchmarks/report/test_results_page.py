"""docs/results.md is written from the results, and says nothing of what was not measured."""

from __future__ import annotations

import pytest

from benchmarks.report import results_page
from benchmarks.training import accuracy
from trainer import config


def test_page_without_results_has_the_papers_lines_only() -> None:
    text = results_page.page({}, {})
    assert "| XLNet-Base |  | 0.695 |" in text
    assert "## Speech" not in text and "MiniLM" not in text and "## int8" not in text


def test_result_gets_its_line_with_its_spread() -> None:
    score = {"mean": 0.7, "std": 0.02, "interval": [0.6, 0.8]}
    speech = {"n": 9, "runs": 3, "folds": 5, "wa": score, "ua": score, "f1": score, "calibration": {"ece_after": 0.05}}
    text = results_page.page({"accuracy-ravdess-is09-64": {"branches": {"speech": speech}}}, {})
    line = next(x for x in text.split("\n") if "attention 64" in x)
    assert line.count("0.700 ± 0.020") == 3
    assert "0.600 to 0.800" in line and "0.050" in line


@pytest.mark.parametrize("name", accuracy.EXPERIMENTS)
def test_every_experiment_has_its_configuration_and_its_line(name: str) -> None:
    plain = [c for c, change in accuracy.EXPERIMENTS.items() if not change]
    assert config.read(max((c for c in plain if name.startswith(c)), key=len))
    assert name in {*results_page.SPEECH, *results_page.TEXT, *results_page.TWEETS}


def test_bundle_with_metrics_of_its_checkpoints_has_a_line_for_each_measurement() -> None:
    def score(value: float) -> dict[str, object]:
        return {"mean": value, "std": 0.1, "interval": [value - 0.1, value + 0.1]}

    whole = {"n": 90, "wa": score(0.6), "ua": score(0.5)}
    manifest = {
        "name": "a-bundle",
        "version": "9",
        "provenance": {"speech": {"protocol": "corpus"}, "asr": {}},
        "metrics": {
            "speech": {**whole, "by_corpus": {"emodb": {"n": 30, "wa": 0.7, "ua": 0.65}}},
            "fusion": {**whole, "calibration": {"fusion": {"temperature": 1.0}}},
        },
    }
    text = results_page.page({}, manifest)
    assert "## The committed bundle, a-bundle 9" in text and "(speech: corpus)" in text
    assert [line for line in text.splitlines() if "| speech |" in line or "| fusion |" in line] == [
        "| all | speech | 90 | 0.600 | 0.500 |",
        "| emodb | speech | 30 | 0.700 | 0.650 |",
        "| all | fusion | 90 | 0.600 | 0.500 |",
    ]
