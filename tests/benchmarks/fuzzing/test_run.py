"""The fuzzer finds nothing, and what it would find it counts."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks.fuzzing import run, worker
from edge_runtime import AudioError


@pytest.mark.slow
def test_some_hundred_inputs_end_well() -> None:
    found = run.measure(400, first=0, seed=1, workers=2)
    assert found["inputs"] == 400
    assert found["failures"] == []
    assert found["outcomes"]["accepted"] > 0
    assert found["peak_mb"] < run.MEGABYTES


def test_what_comes_out_is_told_apart() -> None:
    def raising(error: BaseException | None) -> str:
        def target(_: Random) -> None:
            if error is not None:
                raise error

        return worker.outcome(target, Random(0))

    assert raising(None) == "accepted"
    assert raising(AudioError("bad")) == "AudioError"
    assert raising(MemoryError()) == "out of memory"
    assert raising(IndexError("3")) == "crash: IndexError: 3"
    found = run.Found()
    found.add(7, "x", raising(IndexError("3")))
    found.add(8, "x", raising(AudioError("bad")))
    assert found.outcomes["x"] == {"crash": 1, "AudioError": 1}
    assert [failure["input"] for failure in found.failures] == [7]
