"""Long recordings measured, small; and the bars that an hour keeps to."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.common import results_file
from benchmarks.latency import long_audio


@pytest.mark.slow
@pytest.mark.usefixtures("two_clips")
def test_utterances_of_a_long_recording_give_the_same_alone(bundle_folder: Path, tmp_path: Path) -> None:
    found = long_audio.measure(tmp_path, bundle_folder, minutes=0.75, seed=1)
    for name in ("conversation", "monologue"):
        result = found[name]
        assert result["seconds"] == 45
        assert result["utterances"] >= 5
        assert result["longest_s"] <= 15
        assert result["the_same_alone"] == result["classified_alone"] > 0
        assert result["memory_over_clip_mb"] < 150  # utterances that wait to be decoded together are held
        assert result["rtf_processor"] == pytest.approx(result["processor_s"] / 45, abs=1e-4)
    assert found["monologue"]["share_in_utterances"] > found["conversation"]["share_in_utterances"]
    assert len(found["clip"]["runs"]) == long_audio.CLIP_RUNS


@pytest.mark.parametrize("name", ["conversation", "monologue"])
def test_committed_hour_is_fast_enough_and_needs_little_more_memory_than_a_clip(name: str) -> None:
    result = results_file.read("long-audio")[name]
    assert result["seconds"] >= 3600
    assert result["rtf_processor"] <= 0.05
    assert result["memory_over_clip_mb"] <= 50
    assert result["the_same_alone"] == result["classified_alone"]
