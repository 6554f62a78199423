"""Pipelines in processes of their own: asked, answered, and ended."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.baselines import compare
from benchmarks.baselines.client import Client
from benchmarks.baselines.environments import PIPELINES


def test_every_baseline_has_its_pipeline_and_its_requirements():
    for name in compare.BASELINES:
        assert (PIPELINES / f"{name}.py").is_file()
        assert (PIPELINES / f"{name}.txt").is_file()


def test_our_pipeline_answers_from_a_process_of_its_own(monkeypatch, bundle_folder, jfk, jfk_words):
    monkeypatch.setenv("EDGE_IEMONET_BUNDLE", str(bundle_folder))
    with Client(compare.OURS, Path(sys.executable), Path(), threads=1) as client:
        answer = client.ask(clip=str(jfk))
        assert set(jfk_words) <= set(answer["transcript"].lower().replace(",", "").replace(".", "").split())
        assert 0 < answer["asr_ms"] < answer["ms"]
        assert client.ask()["peak_memory_mb"] > 50


def test_pipeline_that_fails_says_why(tmp_path):
    client = Client("no_such_pipeline", Path(sys.executable), tmp_path, threads=1)
    with client, pytest.raises(RuntimeError, match="no_such_pipeline"):
        client.ask(clip="x.wav")
