"""Peers in processes of their own: asked, answered, and ended."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.baselines import compare
from benchmarks.baselines.client import Worker
from benchmarks.baselines.environments import WORKERS


def test_every_peer_has_its_pipeline_and_its_requirements():
    for name in compare.PEERS:
        assert (WORKERS / f"{name}.py").is_file()
        assert (WORKERS / f"{name}.txt").is_file()


def test_ours_answers_from_its_process(monkeypatch, bundle_folder, jfk, jfk_words):
    monkeypatch.setenv("EDGE_IEMONET_BUNDLE", str(bundle_folder))
    with Worker(compare.OURS, Path(sys.executable), Path(), threads=1) as worker:
        answer = worker.ask(clip=str(jfk))
        assert set(jfk_words) <= set(answer["transcript"].lower().replace(",", "").replace(".", "").split())
        assert 0 < answer["asr_ms"] < answer["ms"]
        assert worker.ask()["peak_memory_mb"] > 50


def test_a_peer_that_fails_says_why(tmp_path):
    worker = Worker("no_such_peer", Path(sys.executable), tmp_path, threads=1)
    with worker, pytest.raises(RuntimeError, match="no_such_peer"):
        worker.ask(clip="x.wav")
