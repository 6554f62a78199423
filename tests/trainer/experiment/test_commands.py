"""What `trainer fit` prints: the table of results, and the command for the next step."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from trainer.experiment import commands
from trainer.experiment.report import TITLES


def test_the_table_of_a_run_fits_eighty_columns():
    score = {"mean": 0.70512, "std": 0.0151, "interval": [0.61, 0.8]}
    branch = {"n": 1234, "wa": score, "ua": score, "f1": score, "calibration": {"ece_after": 0.0412}}
    names = dict.fromkeys(TITLES, branch) | {"speech": branch | {"calibration": None}}
    table = commands.metrics_table({"corpus": "manifest", "protocol": "speaker", "branches": names})
    console = Console(width=80)
    with console.capture() as captured:
        console.print(table)
    lines = captured.get().splitlines()
    fused = next(row for row in lines if "fused, speech only" in row)
    assert "…" not in captured.get()
    for number in ("1234", "0.705", "0.015", "0.610", "0.800", "0.041"):
        assert number in fused
    assert "0.041" not in next(row for row in lines if row.strip().startswith("speech "))


@pytest.fixture
def parsed(monkeypatch, tmp_path):
    """Return a function that gives the words of the printed command, as a shell in an empty folder takes them."""
    monkeypatch.chdir(tmp_path)

    def words(*arguments: object, **options: object) -> list[str]:
        return shlex.split(commands.export_command(*arguments, **options))

    return words


def test_the_next_command_names_the_checkpoints_and_nothing_that_is_usual(parsed):
    python, *rest = parsed(Path("runs/calls/checkpoints"), Path("weights"))
    assert " ".join(rest) == "-m export onnx --int8 --checkpoints runs/calls/checkpoints --out my-bundle"
    asked = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert asked.stdout == f"{sys.prefix}\n"


def test_the_next_command_survives_a_shell_and_names_other_weights(parsed):
    words = parsed(Path("runs/my calls; rm 'x'/checkpoints"), Path("/some where/weights"))
    assert words[words.index("--checkpoints") + 1] == "runs/my calls; rm 'x'/checkpoints"
    assert words[words.index("--weights") + 1] == "/some where/weights"


def test_the_next_command_names_a_folder_that_is_not_there_yet(parsed):
    Path("my-bundle").mkdir()
    Path("my-bundle-2").mkdir()
    assert parsed(Path("checkpoints"), Path("weights"))[-1] == "my-bundle-3"


def test_branches_without_fusion_are_exported_as_such(parsed):
    assert "--untrained-fusion" in parsed(Path("checkpoints"), Path("weights"), untrained_fusion=True)
