from __future__ import annotations

import json

import pytest

from benchmarks.training import reward


def test_every_condition_is_measured_and_the_plot_s_are_among_them():
    result, curves = reward.measure(seeds=2, dialogues=25)
    assert len(result["rows"]) == len(reward.LINGERING) * len(reward.EXPLORING)
    assert len(curves) == 4
    last = result["rows"][-1]
    assert (last["lingering"], last["explores"]) == (0.95, "by habit")
    found = curves["lingering mood, explores by habit"]["delta"]
    assert found.shape == (2, 25)
    assert last["forms"]["delta"]["regret"]["mean"] == pytest.approx(found[:, -1].mean())
    json.dumps(result)


def test_the_table_stands_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"above\n\n{reward.BEGIN}\n\nold\n\n{reward.END}\n\nbelow\n")
    each = {"posterior": [0.1, 0.2, 0.0], "delta": [0.1, 0.1, 0.1], "unexpected": [0.0, 0.0, 0.0]}
    forms = {f: {"regret": {"mean": 0.1234, "std": 0.0456}, "of_each_seed": each[f]} for f in reward.FORMS}
    row = {"lingering": 0.5, "explores": "at random", "forms": forms}
    reward.write_table({"settings": {"dialogues": 9, "seeds": 3}, "rows": [row]}, page)
    text = page.read_text()
    assert text.startswith("above\n") and text.endswith("\nbelow\n") and "old" not in text
    assert "| 0.5 | at random | 0.123 ± 0.046 | 0.123 ± 0.046 | 0.123 ± 0.046 | 1, 1, 1 |" in text
    page.write_text("no marks")
    with pytest.raises(ValueError, match="expected the marks"):
        reward.write_table({"settings": {"dialogues": 9, "seeds": 3}, "rows": [row]}, page)


def test_the_page_has_the_kept_result_s_table(repository):
    kept = json.loads((repository / "benchmarks" / "results" / "reward.json").read_text(encoding="utf-8"))
    assert reward.table(kept) in (repository / "docs" / "rewards.md").read_text(encoding="utf-8")
