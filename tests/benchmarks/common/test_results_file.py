"""Files of results: complete, readable, and read as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.common import results_file


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(results_file, "RESULTS", tmp_path / "results")


def test_result_states_machine_versions_date_and_seed() -> None:
    path = results_file.write("speed", {"ms": 3}, seed=7)
    document = results_file.read("speed")
    assert (document["measurement"], document["ms"], document["seed"]) == ("speed", 3, 7)
    assert {"date", "machine", "versions"} <= document.keys()
    assert document["versions"]["onnxruntime"]
    assert [p.name for p in path.parent.iterdir()] == ["speed.json"]


def test_raw_samples_stand_on_one_line_and_are_read_as_written() -> None:
    result = {
        "samples": [1.25, -3, 4e-07],
        "words": ["[\n 1,\n 2]", "a"],
        "nested": {"empty": [], "rows": [[1, 2], [3]]},
    }
    path = results_file.write("raw", result)
    assert '"samples": [1.25, -3, 4e-07]' in path.read_text()
    document = results_file.read("raw")
    assert {key: document[key] for key in result} == result


def test_result_that_was_not_measured_is_empty() -> None:
    assert results_file.read("speed") == {}
