"""The comparison with other pipelines, with ours alone: results are there; how fast is not asked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.baselines import compare
from benchmarks.common import clips


@pytest.mark.slow
def test_ours_alone_takes_one_times_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle_folder: Path, jfk: Path, positive
) -> None:
    monkeypatch.setenv("EDGE_IEMONET_BUNDLE", str(bundle_folder))
    installed = compare.Installed({compare.OURS: Path(sys.executable)}, tmp_path)
    monkeypatch.setattr(compare, "_size", lambda *_: {"packages": 1.0, "weights": 2.0})
    paths = clips.write(clips.cut([jfk], 1.0, 1, seed=0), tmp_path, "one")
    result = compare.measure(installed, {"1": paths}, [(jfk, "ask not")], calls=1, starts=1)
    (ours,) = result["baselines"].values()
    assert ours["times_ours"]["1"]["median"] == ours["cold_start_times_ours"]["median"] == 1.0
    assert positive({k: ours[k] for k in ("ms", "cold_start_s", "peak_memory_mb", "wer")})
    assert result["recordings"] == 1
