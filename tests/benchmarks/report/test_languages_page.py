"""The tables of transcripts in several languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.report import plots
from benchmarks.report.languages_page import mean_cer, page


def bundle(cer: float, told: float | None, ua: float | None) -> dict[str, Any]:
    rates = {"n": 20, "wer": 2 * cer, "cer": cer, "language_told": told, "words_used": 0.5}
    corpora = {"nemo": {"language": "pl", **rates}, "emotiontts_kr": {"language": "ko", **rates, "cer": cer + 0.2}}
    return {"version": "1", "mb": 73.2, "ms_a_clip": 61.4, "ua": ua, "corpora": corpora}


RESULT: dict[str, Any] = {
    "date": "2026-11-26",
    "machine": {"processor": {"name": "a processor", "features": ["avx2"]}},
    "clips_of_each": 20,
    "median_s": 2.71,
    "bundles": {"small": bundle(0.7, None, 0.565), "large": bundle(0.1, 0.95, None)},
}


def test_each_bundle_has_its_size_and_each_corpus_a_line_of_each() -> None:
    text = page(RESULT)
    assert "20 recordings of each corpus" in text and "2.7 s" in text
    assert "| small | 73 MB | 61 ms | 80% | 0.56 |" in text
    assert "| large | 73 MB | 61 ms | 20% |  |" in text  # nothing is made up where no corpus was left out
    assert "(Polish) | small | 140% | 70% |  | 50% |" in text
    assert "(Korean) | large | 20% | 30% | 95% | 50% |" in text


def test_the_mean_is_over_corpora() -> None:
    assert round(mean_cer(RESULT["bundles"]["large"]), 4) == 0.2


def test_the_figure_is_drawn(tmp_path: Path) -> None:
    plots.languages(RESULT, tmp_path / "languages.svg")
    drawn = (tmp_path / "languages.svg").read_text()
    assert "small, 73 MB" in drawn and "large, 73 MB" in drawn
    assert drawn.count("PathCollection") >= 3
