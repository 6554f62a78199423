"""Times slot by slot are there for every setting and length; how fast is not asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.common.paths import BUNDLE
from benchmarks.latency import by_slot
from edge_runtime.bundle.bundle import Bundle


@pytest.mark.slow
def test_every_setting_has_every_slot_at_every_length(jfk: Path, positive) -> None:
    result = by_slot.measure([jfk], calls=2, seconds=(1.0, 4.0), files=2, seed=0)
    assert result["ways"].keys() >= {"cpu, 1 thread", "cpu, 2 threads"}
    for lengths in result["ways"].values():
        assert list(lengths) == ["1", "4"]
        assert lengths["4"].keys() >= {*Bundle.read(BUNDLE).slots, "total"} - {"transcript_memory", "batch_decoder"}
        assert all(len(slot["samples"]) == slot["n"] == 2 for slot in lengths["4"].values())
    assert result["throughput"]["ways"].keys() > result["ways"].keys()
    assert positive(result["throughput"])
