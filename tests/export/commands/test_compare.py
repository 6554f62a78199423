"""The command ``export compare``."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from edge_runtime.bundle.bundle import MANIFEST
from edge_runtime.errors import IEmoNetError
from export.cli import app

ONCE = ["--repeats", "1"]


def run(*arguments: object) -> Result:
    return CliRunner(env={**os.environ, "COLUMNS": "160"}).invoke(app, ["compare", *map(str, arguments)])


@pytest.fixture
def colder(bundle_folder: Path, tmp_path: Path) -> Path:
    """The default bundle but for its temperatures: the same labels, other scores."""
    folder = tmp_path / "colder"
    folder.mkdir()
    for file in bundle_folder.iterdir():
        (folder / file.name).symlink_to(file)
    manifest = json.loads((bundle_folder / MANIFEST).read_text(encoding="utf-8"))
    manifest |= {"name": "colder", "calibration": {n: t / 2 for n, t in manifest["calibration"].items()}}
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def test_a_person_sees_both_beside_each_other(bundle_folder: Path, colder: Path, jfk: Path) -> None:
    result = run(bundle_folder, colder, "--audio", jfk, *ONCE)
    assert result.exit_code == 0, result.output
    size = f"{sum(file.stat().st_size for file in bundle_folder.glob('text_emotion.*')) / 1e6:.2f}"
    for said in ("en-tiny-int8 (a)", "colder (b)", size, "same label 100.0% of 1", "the same words 1 of 1", "total"):
        assert said in result.output, said
    assert "scores differ by 0.0000" not in result.output


def test_a_machine_gets_all_figures(bundle_folder: Path, colder: Path, jfk: Path, tmp_path: Path) -> None:
    shutil.copy(jfk, tmp_path / "jfk.wav")
    (tmp_path / "calls.csv").write_text("audio,label\njfk.wav,neutral\n")
    result = run(bundle_folder, colder, "--audio", tmp_path / "calls.csv", "--json", *ONCE)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["names"] == ["en-tiny-int8", "colder"]
    assert found["agreement"]["fused"]["mean_difference"] > 0
    assert found["accuracy"]["n"] == 1
    assert found["accuracy"]["a"] == found["accuracy"]["b"]
    assert len(found["latency_ms"]["vad"]) == 2


def test_a_recording_that_is_none_is_said_and_exits_with_1(bundle_folder: Path, jfk: Path, tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_text("no sound")
    result = run(bundle_folder, bundle_folder, "--audio", tmp_path / "noise.wav", "--audio", jfk, *ONCE)
    assert result.exit_code == 1
    assert "noise.wav: not audio that can be read" in result.output
    assert "same label 100.0% of 1" in result.output


@pytest.mark.parametrize(
    ("a", "audio", "said"),
    [("nowhere", None, "nowhere: no such folder"), (None, "nowhere.wav", r"nowhere\.wav: no such file")],
)
def test_what_is_not_there_is_an_error_of_one_line(
    bundle_folder: Path, a: str | None, audio: str | None, said: str
) -> None:
    result = run(a or bundle_folder, bundle_folder, *(["--audio", audio] if audio else []))
    assert result.exit_code == 1
    assert isinstance(result.exception, IEmoNetError)
    with pytest.raises(IEmoNetError, match=said):
        raise result.exception


def test_a_damaged_bundle_is_an_error_of_one_line(bundle_folder: Path, tiny_bundle: Path) -> None:
    (tiny_bundle / "vad.onnx").write_bytes(b"")
    result = run(bundle_folder, tiny_bundle)
    assert isinstance(result.exception, IEmoNetError)
    assert "0 bytes, and the manifest states" in str(result.exception)


@pytest.mark.parametrize(
    "arguments", [[], ["a"], ["a", "b", "c"], ["a", "b", "--limit", "0"], ["a", "b", "--repeats", "0"]]
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2
