"""The fuzzer finds nothing; and everything that it would find, it counts."""

from __future__ import annotations

import multiprocessing
from random import Random

import pytest

from benchmarks.fuzzing import run
from benchmarks.fuzzing.targets import draw, outcome
from edge_runtime import AudioError


@pytest.mark.slow
def test_some_hundred_inputs_end_well() -> None:
    found = run.measure(400, first=0, seed=1, workers=2)
    assert found["inputs"] == 400
    assert found["failures"] == []
    assert found["outcomes"]["accepted"] > 0
    assert found["peak_mb"] < run.MEGABYTES


@pytest.mark.slow
def test_process_that_died_is_a_crash_and_another_one_goes_on() -> None:
    outcomes = run.outcomes(range(4), 1)
    assert next(outcomes)[1] in run.FINE
    for process in multiprocessing.active_children():
        process.kill()
        process.join()
    assert next(outcomes)[:2] == (1, "crash: exit code -9")
    assert [(number, outcome in run.FINE) for number, outcome, _ in outcomes] == [(2, True), (3, True)]


@pytest.mark.slow
def test_input_that_takes_too_long_is_a_hang_and_another_process_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = run.outcomes(range(2), 1)
    monkeypatch.setattr(run, "SECONDS", -1.0)
    assert next(outcomes)[1].startswith("hang")
    monkeypatch.setattr(run, "SECONDS", 20.0)
    assert next(outcomes)[1] in run.FINE


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, "accepted"),
        (AudioError("bad"), "AudioError"),
        (AudioError("bad_alloc"), "out of memory"),
        (MemoryError(), "out of memory"),
        (IndexError("3"), "crash: IndexError: 3"),
    ],
)
def test_outcomes_are_told_apart(error: BaseException | None, expected: str) -> None:
    def target(_: Random) -> None:
        if error is not None:
            raise error

    assert outcome(target, Random(0)) == expected


def test_outcomes_are_counted_by_target_and_failures_keep_their_number() -> None:
    targets = [draw(0, number)[0] for number in range(2)]
    found = run.summary([(1, "AudioError", 9.5), (0, "crash: IndexError: 3", 20.0)], 0)
    assert found["outcomes"] == {"crash": 1, "AudioError": 1}
    assert found["failures"] == [{"input": 0, "target": targets[0], "outcome": "crash: IndexError: 3"}]
    assert (found["inputs"], found["peak_mb"]) == (2, 20)
