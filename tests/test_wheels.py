"""Both wheels in an empty environment: they work, they are slim, and nothing of the toolchain comes along.

They also work with the lowest versions that they allow, on the oldest Python at hand: ``OLDEST_PYTHON`` names it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BUNDLE, BUNDLES = "en-tiny-int8", "edge_iemonet_bundles"
LARGEST_MB = 170
"""As downloaded, without what Python compiles; numpy and onnxruntime are nine tenths of it."""
FORBIDDEN = [
    "torch",
    "transformers",
    "librosa",
    "pandas",
    "opensmile",
    "scipy",
    "numba",
    "gymnasium",
    "tokenizers",
    "huggingface_hub",
    "pydantic",
    "trainer",
    "export",
]
JUNK = shutil.ignore_patterns("*.egg-info", "build", "__pycache__", "dist")


@dataclass(frozen=True)
class Installed:
    """An environment with nothing but the two wheels and what they need."""

    scripts: Path
    site: Path
    runtime: Path
    bundle: Path


def call(*command: object, **settings: object) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **settings)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def installed(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    root = tmp_path_factory.mktemp("wheels")
    wheels = []
    for name in ("edge_runtime", "models"):
        shutil.copytree(repository / name, root / name, ignore=JUNK)
        call(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", root / f"{name}-wheel", root / name)
        (wheel,) = (root / f"{name}-wheel").glob("*.whl")
        wheels.append(wheel)
    call(sys.executable, "-m", "venv", root / "venv")
    scripts = root / "venv" / ("Scripts" if os.name == "nt" else "bin")
    call(scripts / "python", "-m", "pip", "install", *wheels)
    site = call(scripts / "python", "-Ic", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    return Installed(scripts, Path(site), *wheels)


@pytest.fixture(scope="module")
def lowest(installed: Installed, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, installed with the lowest versions of what the runtime needs."""
    venv = tmp_path_factory.mktemp("lowest") / "venv"
    uv = [sys.executable, "-m", "uv"]
    call(*uv, "venv", "--quiet", "--python", os.environ.get("OLDEST_PYTHON", sys.executable), venv)
    # Without --only-binary a Python for which a lowest version has no wheel would compile it.
    options = ["--quiet", "--resolution", "lowest-direct", "--only-binary", ":all:", "--python", venv]
    # What a wheel needs is not direct, what a pyproject.toml needs is.
    needed = repository / "edge_runtime" / "pyproject.toml"
    call(*uv, "pip", "install", *options, "-r", needed, installed.runtime, installed.bundle)
    return venv / ("Scripts" if os.name == "nt" else "bin") / "edge-iemonet"


def test_nothing_of_the_toolchain_can_be_imported(installed: Installed, tmp_path: Path) -> None:
    code = f"from importlib.util import find_spec; print([n for n in {FORBIDDEN} if find_spec(n)])"
    assert call(installed.scripts / "python", "-Ic", code, cwd=tmp_path).strip() == "[]"


def test_the_environment_is_slim(installed: Installed) -> None:
    sizes: dict[str, float] = {}
    for file in installed.site.rglob("*"):
        top = file.relative_to(installed.site).parts[0]
        if file.is_file() and file.suffix != ".pyc" and not re.match(rf"pip|setuptools|pkg_res|{BUNDLES}", top):
            sizes[top] = sizes.get(top, 0) + file.stat().st_size / 1e6
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:8]
    assert sum(sizes.values()) <= LARGEST_MB, largest


def test_wheels_hold_their_package_and_nothing_else(installed: Installed) -> None:
    runtime = [name for name in zipfile.ZipFile(installed.runtime).namelist() if ".dist-info/" not in name]
    assert {name.split("/")[0] for name in runtime} == {"edge_runtime"}
    assert {"edge_runtime/cli/app.py", "edge_runtime/py.typed", "edge_runtime/formats/report.js"} <= set(runtime)
    assert {Path(name).suffix for name in runtime} == {".py", ".typed", ".css", ".js", ".html", ".svg"}
    bundle = [name for name in zipfile.ZipFile(installed.bundle).namelist() if ".dist-info/" not in name]
    assert all(name.startswith(f"{BUNDLES}/{BUNDLE}/") for name in bundle)
    assert not [name for name in bundle if name.endswith(".py")]


def test_the_example_is_classified_from_anywhere_without_settings(
    installed: Installed, jfk: Path, jfk_words: list[str], tmp_path: Path
) -> None:
    clean = {k: v for k, v in os.environ.items() if k == "SYSTEMROOT"}
    line = call(installed.scripts / "edge-iemonet", "classify", jfk, "--json", cwd=tmp_path, env=clean)
    answer = json.loads(line)
    assert answer["label"] in answer["scores"]
    assert re.findall(r"[a-z]+", answer["transcript"].lower()) == jfk_words


def test_the_bundle_package_is_of_the_bundle_s_version(installed: Installed, tmp_path: Path) -> None:
    code = f"from importlib.metadata import version; print(version('edge-iemonet-{BUNDLE}'))"
    stated = json.loads((installed.site / BUNDLES / BUNDLE / "bundle.json").read_text(encoding="utf-8"))
    assert call(installed.scripts / "python", "-Ic", code, cwd=tmp_path).strip() == stated["version"]


@pytest.mark.parametrize("command", ["classify", "classify-text", "timeline", "listen", "serve"])
def test_with_the_lowest_versions_every_command_shows_its_help(lowest: Path, command: str) -> None:
    assert command in call(lowest, "--help")
    assert "Usage" in call(lowest, command, "--help")


def test_with_the_lowest_versions_the_example_is_classified(lowest: Path, jfk: Path, jfk_words: list[str]) -> None:
    answer = json.loads(call(lowest, "classify", jfk, "--json"))
    assert answer["label"] in answer["scores"]
    assert re.findall(r"[a-z]+", answer["transcript"].lower()) == jfk_words


def test_with_the_lowest_versions_a_timeline_is_written(lowest: Path, jfk: Path, tmp_path: Path) -> None:
    call(lowest, "timeline", jfk, "--csv", tmp_path / "jfk.csv", "--html", tmp_path / "jfk.html")
    assert len((tmp_path / "jfk.csv").read_text(encoding="utf-8").splitlines()) == 3
    assert (tmp_path / "jfk.html").is_file()
