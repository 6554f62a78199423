"""Start, memory and the voice alone: measured small, and what the committed results reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.common import results_file
from benchmarks.common.paths import BUNDLE, ROOT
from benchmarks.latency import footprint

COMMITTED = [name for name in results_file.read_all() if name.startswith("footprint")]


@pytest.mark.slow
def test_two_versions_that_are_the_same_say_the_same(jfk: Path) -> None:
    versions = {"before": (ROOT, BUNDLE), "after": (ROOT, BUNDLE)}
    found = footprint.measure(versions, [jfk], processes=1, seed=0)
    assert found["clips_with_the_same_answer"] == found["clips"] == 3 + 2 * len(footprint.SECONDS)
    for version in found["versions"].values():
        assert version["start_processor_s"]["median"] > 0
        assert version["start_wall_s"]["median"] > 0
        assert 50 < version["peak_memory_mb"]["median"] < 1_000
        assert version["ms"].keys() == {"1", "4", "10"}
        assert all(length["voice"] > 0 and length["whole"] > 0 for length in version["ms"].values())


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_versions_reach_their_aims(name: str) -> None:
    result = results_file.read(name)
    before, after = (result["versions"][name] for name in ("before", "after"))
    assert after["peak_memory_mb"]["median"] <= 220
    # With AVX2 alone the aim of 3 is missed: the encoder is slower there, and the voice alone is mostly the encoder.
    assert after["ms"]["4"]["times_faster"] >= (3 if name == "footprint" else 2.5)
    # A ratio of one run: seconds differ by half from one machine to the next.
    assert after["start_processor_s"]["median"] <= 0.75 * before["start_processor_s"]["median"]
    networks = {bundle.split(",")[0] for bundle in result["bundles"].values()}
    assert len(networks) > 1 or result["clips_with_the_same_answer"] == result["clips"]
