"""The command for folders, some of whose files are passed over or may not be read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from edge_runtime.cli.app import main; main()"]
IS_ROOT = os.name != "nt" and os.geteuid() == 0
WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if IS_ROOT else []
"""To root no file is closed, unless these rights are taken away."""


@pytest.mark.skipif(os.name == "nt", reason="files are closed in other ways there")
@pytest.mark.skipif(IS_ROOT and not shutil.which("setpriv"), reason="run as root, this needs setpriv (util-linux)")
def test_a_folder_says_what_it_passed_over_and_fails_for_what_it_cannot_search(
    bundle_folder: Path, jfk: Path, tmp_path: Path
) -> None:
    for name in ("calls/a.wave", "calls/b.m4a", "calls/in/c.m4a", "calls/in/d.webm", "closed/e.wav", "calls/f/g.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(jfk.read_bytes()[:64_044])

    environment = {**os.environ, "EDGE_IEMONET_BUNDLE": str(bundle_folder), "COLUMNS": "200"}

    def classified(*names: str) -> subprocess.CompletedProcess[str]:
        command = [*WITHOUT_RIGHTS, *COMMAND, "classify", *names, "--json", "--no-asr"]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=120, check=False
        )

    note = (
        "edge-iemonet: calls: 3 files passed over that cannot be read here (.m4a 2, .webm 1); "
        "convert them: ffmpeg -i IN OUT.wav"
    )
    done = classified("calls")
    assert (done.returncode, done.stderr.splitlines()) == (0, [note])
    assert [json.loads(line)["file"] for line in done.stdout.splitlines()] == ["calls/a.wave", "calls/f/g.wav"]
    for name in ("calls/f", "calls/a.wave", "closed"):
        (tmp_path / name).chmod(0)
    try:
        done = classified("calls", "closed", "closed/e.wav")
    finally:
        for name in ("calls/f", "closed"):
            (tmp_path / name).chmod(0o700)
    assert (done.returncode, done.stdout) == (1, "")
    denied = "cannot be read (permission denied)"
    assert sorted(done.stderr.splitlines()) == sorted(
        [note, *(f"edge-iemonet: {name}: {denied}" for name in ("calls/f", "calls/a.wave", "closed", "closed/e.wav"))]
    )
