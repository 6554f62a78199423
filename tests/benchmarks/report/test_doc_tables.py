"""Tables within pages that are written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.report.doc_tables import reward
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
