"""Several utterances in one call give other answers than alone: the reason why the runtime does not do it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.common import results_file
from benchmarks.latency import batching


@pytest.mark.slow
def test_answers_in_a_batch_are_compared_with_those_alone(jfk: Path, positive) -> None:
    assert positive(batching.measure([jfk], repeats=1, seed=0))


def test_the_committed_batch_gave_other_answers() -> None:
    assert results_file.read("batching")["states_differ_by"] > 0
