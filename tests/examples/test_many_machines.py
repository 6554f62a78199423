"""The recipe for many machines, on one: every file has a row, a bad one its error."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_every_file_has_a_row(tmp_path: Path, repository: Path, jfk: Path, bundle_folder: Path) -> None:
    pytest.importorskip("ray.data", reason="needs Ray")
    shutil.copy(jfk, tmp_path / "good.wav")
    (tmp_path / "bad.wav").write_text("junk")
    script = repository / "examples" / "many_machines.py"
    environment = {**os.environ, "EDGE_IEMONET_BUNDLE": str(bundle_folder), "PYTHONPATH": str(repository)}
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "*.wav"), str(tmp_path / "out")],
        capture_output=True, text=True, check=False, env=environment, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line for file in (tmp_path / "out").glob("*.json") for line in file.read_text().splitlines()]
    rows = {Path(row["file"]).name: row for row in map(json.loads, lines)}
    assert set(rows) == {"good.wav", "bad.wav"}
    assert "not audio" in rows["bad.wav"]["error"]
    assert json.loads(rows["good.wav"]["answer"])["label"] == rows["good.wav"]["label"]
