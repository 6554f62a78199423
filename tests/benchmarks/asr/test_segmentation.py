"""Speech found in a stream and in each clip alone, small."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.asr import segmentation


@pytest.mark.slow
@pytest.mark.usefixtures("two_clips")
def test_clips_as_recorded_are_found_alone_and_in_the_stream(tmp_path: Path) -> None:
    found = segmentation.measure(tmp_path, clips=2, seed=0)
    assert set(found["conditions"]) == set(segmentation.CONDITIONS)
    usual = found["conditions"]["as recorded"]
    assert usual["found_alone"] == usual["found_in_the_stream"] == 2
    assert usual["share_of_spoken_time"] > 0.9
    assert usual["seconds_heard_in_pauses"] < usual["seconds_of_pauses"]
