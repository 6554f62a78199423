"""The page of the words branch, rendered from a small result."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.report import words_page
from benchmarks.words.variants import VARIANTS

SCORE = {"wa": 0.5, "ua": 0.4, "f1": 0.3}
FORMS = {"written": SCORE, "spoken": {**SCORE, "ua": 0.35}}


@pytest.fixture
def result(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    cost = {
        "machine": {"processor": {"name": "another one", "features": ["avx512_vnni"]}},
        "date": "2026-01-03",
        "bundle_version": "0.4",
        "rounds": 200,
        "networks": {"bundle": {"mb": 25.1, "ms": 1.94}},
    }
    monkeypatch.setattr(words_page.results_file, "read", {"words-cost": cost}.__getitem__)
    corpus = {"n": 1234, "before": SCORE, "left_out": {**SCORE, "ua": 0.6}, "left_out_context": SCORE}
    return {
        "machine": {"processor": {"name": "a processor", "features": ["avx2"]}},
        "date": "2026-01-02",
        "before": "some-bundle 0.3.0a1",
        "draws": 96_000,
        "left_out_draws": 16_000,
        "error_rate": 0.06,
        "left_out": {
            "corpora": {"meld": corpus, "xed_en": corpus},
            "mean_of_five": {"before": {"ua": 0.4}, "left_out": {"ua": 0.61}},
        },
        "meld": {
            "n": 897,
            "wer": 0.123,
            "before": {"written": SCORE},
            "seed 0": FORMS,
            "seed 1": {**FORMS, "written": {**SCORE, "ua": 0.6}},
        },
        "context": {"meld": {"n": 897, "without": SCORE, "with": {**SCORE, "ua": 0.45}}},
        "compared": {
            "bundle": {"meld": FORMS, "tested": {"meld": SCORE, "goemotions": {**SCORE, "ua": 0.6}}},
            "mpnet-base-short": {"meld": FORMS, "tested": {"meld": SCORE}},
        },
        "plain_sentences": {"n": 20, "right": 19, "wrong": [{"text": "I | am", "label": "sad", "guess": "happy"}]},
        "fragments": {"n": 134, "uncertain": 130},
        "calibration": {"operating_point": 0.61},
    }


def test_the_page_has_a_table_for_each_question(result: dict[str, Any]) -> None:
    text = words_page.page(result)
    assert "| MELD | 1,234 | 0.400 | 0.600 | 0.400 | 0.500 |" in text
    assert "| mean of MELD, DailyDialog, XED, EmoryNLP and GoEmotions |  | 0.400 | 0.610 |" in text
    assert "| as written | 0.400, 0.500 | 0.500 (0.400 to 0.600), 0.500 |" in text
    assert "recognised (12% of the words wrong) |  | 0.350 (0.350 to 0.350), 0.500 |" in text
    assert "| MELD | 897 | 0.400, 0.500 | 0.450, 0.500 |" in text
    assert "| MiniLM-L6, all corpora: the bundle | 0.400, 0.500 | 0.350 | 0.500 | 25 MB | 1.9 ms |" in text
    assert "of int8: bundle 0.4 and the variants, medians" in text and "one thread of another one (avx512_vnni)" in text
    assert "19 are right" in text and "| I \\| am | sad | happy |" in text
    assert "130 are answered for as uncertain: below a confidence of 0.61" in text


def test_a_size_that_was_not_measured_is_left_empty(result: dict[str, Any]) -> None:
    assert "| MPNet-base, short training | 0.400, 0.500 | 0.350 | 0.400 |  |  |" in words_page.page(result)


def test_without_any_size_none_is_stated(result: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words_page.results_file, "read", lambda _name: {})
    text = words_page.page(result)
    assert "Sizes and times" not in text
    assert "| MiniLM-L6, all corpora: the bundle | 0.400, 0.500 | 0.350 | 0.500 |  |  |" in text


def test_without_wrong_sentences_there_is_no_table_of_them(result: dict[str, Any]) -> None:
    result["plain_sentences"] = {"n": 20, "right": 20, "wrong": []}
    assert "| wrong |" not in words_page.page(result)


def test_the_page_has_a_name_for_every_variant_that_is_compared() -> None:
    assert words_page.NAMES.keys() - {"bundle"} == {name for name, variant in VARIANTS.items() if not variant.seed}
