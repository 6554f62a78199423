"""What is skipped is counted, and CI accepts only some of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SKIPPED = """
import pytest

def test_that_passes(): pass

@pytest.mark.parametrize("number", [1, 2])
def test_one(number): pytest.skip("needs a microphone")

@pytest.mark.skipif(True, reason="needs a CUDA device")
def test_another(): pass
"""
NOT_INSTALLED = """
import pytest

def test_an_import(): pytest.importorskip("no_such_package", reason="needs openSMILE")
"""
WHOLE_FILE = """
import pytest

pytest.skip("needs Ray", allow_module_level=True)
"""
ALLOWED = "2 needs a microphone; 1 needs a CUDA device"
REFUSED = "ERROR: CI skipped a test ({}); have .ci/run install what it needs"


@pytest.mark.parametrize(
    ("code", "ci", "exit_code", "line"),
    [
        ("def test_that_passes(): pass", True, 0, "skipped: 0"),
        (SKIPPED, False, 0, f"skipped: 3 ({ALLOWED})"),
        (SKIPPED, True, 0, f"skipped: 3 ({ALLOWED})"),
        (SKIPPED + NOT_INSTALLED, False, 0, f"skipped: 4 ({ALLOWED}; 1 needs openSMILE)"),
        (SKIPPED + NOT_INSTALLED, True, 1, REFUSED.format("needs openSMILE")),
        (SKIPPED + WHOLE_FILE, True, 1, REFUSED.format("needs Ray")),
    ],
)
def test_a_run_counts_what_it_skipped_and_ci_accepts_only_what_cannot_be_had(
    code: str, ci: bool, exit_code: int, line: str, tmp_path: Path, repository: Path
) -> None:
    (tmp_path / "test_some.py").write_text(code)
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "CI": "true" if ci else ""}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.skips", "--rootdir", tmp_path, "-c", os.devnull]
    done = subprocess.run(
        [*command, tmp_path], cwd=repository, env=environment, capture_output=True, text=True, check=False
    )
    assert line in done.stdout.splitlines(), done.stdout + done.stderr
    assert done.returncode == exit_code
