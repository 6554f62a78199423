"""An archive is measured before and after, and what is compared are the answers of the same recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.common import results_file
from benchmarks.latency import throughput


@pytest.mark.slow
def test_two_ways_are_compared(repository: Path, bundle_folder: Path, jfk: Path, positive) -> None:
    ways = {
        "one by one": throughput.Way(repository, bundle_folder, {"batch_memory_mb": 0}),
        "together": throughput.Way(repository, bundle_folder),
    }
    found = throughput.measure(ways, [jfk, jfk], jfk, repeats=1, long_repeats=1)
    assert positive({kind: found[kind]["ways"] for kind in ("files", "recording")})
    assert found["files"]["ways"]["one by one"]["same_transcript"] == 1
    assert (found["files"]["utterances"], found["recording"]["utterances"]) == (2, 2)


def test_an_archive_is_of_each_corpus_alike_and_the_same_again(tmp_path: Path) -> None:
    for corpus in throughput.CORPORA:
        (tmp_path / corpus).mkdir(parents=True)
        for number in range(5):
            (tmp_path / corpus / f"{number}.wav").touch()
    found = throughput.archive(tmp_path, 12, seed=1)
    assert found == throughput.archive(tmp_path, 12, seed=1)
    assert len(set(found)) == 12
    assert all(sum(corpus in str(path) for path in found) == 3 for corpus in throughput.CORPORA)


def test_without_corpora_the_example_is_taken(tmp_path: Path) -> None:
    assert throughput.archive(tmp_path, 3, seed=0) == [throughput.EXAMPLE] * 3


def test_the_committed_run_gave_the_same_words() -> None:
    committed = results_file.read("throughput")
    for kind in ("files", "recording"):
        assert committed[kind]["ways"]["one by one"]["same_transcript"] > 0.95
