"""The command ``export inspect``."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner, Result

from edge_runtime.bundle.bundle import MANIFEST
from export.cli import app
from export.commands.inspect import show
from export.inspect_bundle import BundleReport

Change = Callable[[Callable[[dict[str, Any]], Any]], Path]


def run(*arguments: object) -> Result:
    return CliRunner(env={**os.environ, "COLUMNS": "160"}).invoke(app, ["inspect", *map(str, arguments)])


def shown(found: BundleReport) -> str:
    console = Console(file=io.StringIO(), width=200)
    show(found, console)
    return console.file.getvalue()


def test_a_person_is_told_everything_of_the_default_bundle(bundle_folder: Path) -> None:
    result = run(bundle_folder)
    assert result.exit_code == 0
    metrics = json.loads((bundle_folder / "bundle.json").read_text(encoding="utf-8"))["metrics"]
    measured = metrics["speech"]["by_corpus"]["ravdess"]
    for said in (
        "neutral, happy, sad, angry",
        f"in {len(list(bundle_folder.iterdir()))} files",
        f"{sum(file.stat().st_size for file in bundle_folder.glob('text_emotion.*')) / 1e6:.2f}",
        "int8",
        "LogSoftmax",
        "hidden_states float [batch, 4, states, 384]",
        "50,363 tokens",
        "evidence float [batch, 4]",
        "speech, ravdess",
        "takes a baseline",
        "uncertain below",
        f"WA {measured['wa']:.4f}",
        "ravdess (560 utterances)",
        "CC-BY-NC-SA-4.0",
        "the bundle is whole",
    ):
        assert said in result.output, said


def test_what_is_stated_of_words_alone_is_told(tmp_path: Path, context_bundle: Path) -> None:
    folder = Path(shutil.copytree(context_bundle, tmp_path / "bundle"))
    manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    priors = {"angry": 0.2, "happy": 0.25, "neutral": 0.5, "sad": 0.05}
    manifest["text_emotion"] |= {"operating_point": {"confidence": 0.42}, "priors": priors}
    (folder / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    said = " ".join(run(folder).output.split())
    for words in ("yes, 5 tokens", "words uncertain below", "0.42", "angry 0.2, happy 0.25, neutral 0.5, sad 0.05"):
        assert words in said


def test_a_machine_is_told_the_same(bundle_folder: Path) -> None:
    result = run(bundle_folder, "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert found["problems"] == []
    assert found["manifest"]["credits"][0]["licence"] == "MIT"
    assert found["slots"]["vad"]["graph"]["operators"]["LSTM"] == 1
    assert found["bytes"] == sum(found["files"].values())


def test_of_a_damaged_one_what_is_there_and_what_is_wrong(tiny_bundle: Path) -> None:
    (tiny_bundle / "vad.onnx").unlink()
    result = run(tiny_bundle)
    assert result.exit_code == 1
    assert "angry, happy, neutral, sad" in result.output
    assert "problem: vad.onnx: missing" in result.output
    assert "Traceback" not in result.output
    assert json.loads(run(tiny_bundle, "--json").stdout)["whole"] is False


def test_brackets_are_no_markup(change: Change) -> None:
    assert "[red]loud[/]" in run(change(lambda m: m.update(name="[red]loud[/]"))).output


def test_a_manifest_that_is_no_json_is_said(tiny_bundle: Path) -> None:
    (tiny_bundle / MANIFEST).write_text("{")
    result = run(tiny_bundle)
    assert result.exit_code == 1
    assert "problem: bundle.json: not JSON" in result.output


def test_figures_of_several_runs_and_of_the_conversion_are_shown() -> None:
    manifest = {
        "metrics": {"speech": {"n": 40, "wa": {"mean": 0.61}, "ua": {"mean": 0.52}}},
        "verification": {"converted": {"voice": {"n": 40, "same_label": 0.975}}, "shortfall": ["voice: WA falls"]},
    }
    text = shown(BundleReport(Path("x"), manifest=manifest, problems=["x"]))
    for said in ("n 40, WA 0.61, UA 0.52", "same label 0.975 of 40", "voice: WA falls", "there are problems"):
        assert said in text


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
NAMES = ("name", "labels", "calibration", "metrics", "provenance", "toolchain", "verification", "credits")
NESTED = st.sampled_from(
    ["wa", "n", "corpora", "converted", "shortfall", "settings", "pretrained", "labels", "licence"]
)


@settings(max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from(NAMES),
        VALUES
        | st.dictionaries(NESTED, VALUES)
        | st.dictionaries(st.sampled_from(["speech", "text"]), st.dictionaries(NESTED, VALUES)),
    )
)
def test_whatever_the_manifest_holds_it_is_shown(manifest: dict[str, Any]) -> None:
    assert "there are problems" in shown(BundleReport(Path("x"), manifest=manifest, problems=["something"]))


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["a", "--yaml"]])
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2
