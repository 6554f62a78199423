"""Tables within pages that are written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.report.doc_tables import reward, serve
from benchmarks.report.markdown import END, begin, fill


def test_new_figures_replace_the_text_between_their_marks_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"above\n\n{begin('one')}\nold\n{END}\n\nbetween {begin('two')}{END}\n\nbelow\n")
    for _ in range(2):  # a second time nothing changes
        fill(page, {"two": "second", "one": "first"})
        assert page.read_text() == (
            f"above\n\n{begin('one')}\n\nfirst\n\n{END}\n\nbetween {begin('two')}\n\nsecond\n\n{END}\n\nbelow\n"
        )


@pytest.mark.parametrize("text", ["no marks", begin("one"), END, f"{END} {begin('one')}"])
def test_page_without_marks_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(ValueError, match="expected the marks"):
        fill(page, {"one": "first"})
    assert page.read_text() == text


def test_reward_table_counts_seeds_where_delta_wins_ties_and_loses() -> None:
    each = {"posterior": [0.1, 0.2, 0.0], "delta": [0.1, 0.1, 0.1], "unexpected": [0.0, 0.0, 0.0]}
    forms = {f: {"regret": {"mean": 0.1234, "std": 0.0456}, "of_each_seed": found} for f, found in each.items()}
    row = {"lingering": 0.5, "explores": "at random", "forms": forms}
    text = reward({"settings": {"dialogues": 9, "seeds": 3}, "rows": [row]})
    assert "| 0.5 | at random | 0.123 ± 0.046 | 0.123 ± 0.046 | 0.123 ± 0.046 | 1, 1, 1 |" in text


def test_service_table_has_what_was_answered_refused_and_lost() -> None:
    text = serve(
        {
            "clients": 5,
            "seconds": 2.0,
            "clip_s": 11.0,
            "date": "2026-01-02",
            "machine": {"processor": {"name": "P", "features": ["avx2"]}},
            "answered": 40,
            "refused": 7,
            "other": {"500": 1},
            "lost": {"ReadError": 2},
            "audio_s_per_s": 9.5,
            "answer_ms": {"p50": 1500.0, "p95": 2500.0},
            "stream_latency_s": {"p50": 0.61, "p95": 0.92},
            "memory_mb": {"first": 300.0, "last": 301.0, "most": 310.0, "samples": []},
            "at_sigterm": {"200": 4, "lost": 0, "exit_code": 143},
        }
    )
    assert text.startswith("5 clients for 2 s with a clip of 11 s, P (avx2), 2026-01-02.")
    for row in (
        "answered | 40",
        "asked again | 7",
        "lost | 3",
        "1.5 s, 2.5 s",
        "0.6 s, 0.9 s",
        "answered, lost | 4, 0",
    ):
        assert row in text
    assert "300 MB, 301 MB, 310 MB" in text
