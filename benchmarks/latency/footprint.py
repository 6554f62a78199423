"""What a user of the slim package gets: start-up, memory, speed and size, in an environment of its own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import results_file
from benchmarks.common.paths import EXAMPLE, ROOT, Clips, Data, Seed
from trainer.corpora import ravdess

NOT_OURS = ("pip", "setuptools", "pkg_resources", "wheel", "_distutils_hack", "distutils-precedence.pth")
BUNDLES = "edge_iemonet_bundles"
STARTS = 7
# Runs in the slim environment, which has only what an application would have.
PROBE = """
import json, pathlib, resource, statistics, sys, time
from edge_runtime import IEmoNet
model = IEmoNet.load(device="cpu", threads=1)
files = sys.argv[1:]
model(files[0])
seconds, audio, slots = [], [], {}
for file in files:
    begin = time.perf_counter()
    prediction = model(file)
    seconds.append(time.perf_counter() - begin)
    audio.append(prediction.duration_s)
    for slot, ms in prediction.timings_ms.items():
        slots.setdefault(slot, []).append(ms)
# On Linux ru_maxrss starts from the parent that forked us; VmHWM is our own.
status = pathlib.Path("/proc/self/status")
lines = status.read_text().splitlines() if status.exists() else []
own = [line.split()[1] for line in lines if line.startswith("VmHWM")]
peak_kb = int(own[0]) if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({
    "clips": len(files),
    "median_clip_s": round(statistics.median(audio), 2),
    "median_ms": round(1000 * statistics.median(seconds), 1),
    "rtf": round(sum(seconds) / sum(audio), 4),
    "median_ms_by_slot": {slot: round(statistics.median(ms), 2) for slot, ms in slots.items()},
    "peak_memory_mb": round(peak_kb / 1024, 1),
}))
"""


def measure(clips: Sequence[Path], example: Path) -> dict[str, Any]:
    """Install the wheels into a new environment and measure there; one processor thread.

    Args:
        clips: what to classify, once to warm up and then each once.
        example: the clip of the first result: from the start of the process to its end.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "env"
        venv.create(folder, with_pip=True)
        bin_folder = folder / ("Scripts" if os.name == "nt" else "bin")
        pip = [str(bin_folder / "python"), "-m", "pip", "install", "--quiet"]
        _run([*pip, str(ROOT / "edge_runtime"), str(ROOT / "models")])
        where = "import sysconfig; print(sysconfig.get_path('purelib'))"
        sizes = _sizes(Path(_run([str(bin_folder / "python"), "-Ic", where]).strip()))
        command = [str(bin_folder / "edge-iemonet"), "classify", str(example), "--threads", "1", "--device", "cpu"]
        starts = []
        for _ in range(STARTS + 1):
            begin = time.perf_counter()
            _run(command)
            starts.append(time.perf_counter() - begin)
        probe = _run([str(bin_folder / "python"), "-c", PROBE, *map(str, clips)])
        return {
            "threads": 1,
            "first_result_s": {
                "median": round(statistics.median(starts[1:]), 3),
                "runs": [round(s, 3) for s in starts[1:]],
            },
            "installed_mb": sizes,
            "speed": json.loads(probe),
        }


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tempfile.gettempdir())  # noqa: S603
    if done.returncode:
        sys.exit(f"benchmarks: {' '.join(command[:4])} … failed:\n{done.stderr}")
    return done.stdout


def _sizes(folder: Path) -> dict[str, float]:
    """Return installed megabytes: of everything that the slim package brings, and of its bundle."""
    return {
        "slim_environment": megabytes(packages(folder)),
        "compiled_by_python": megabytes(packages(folder), compiled=True),
        "bundle": megabytes([folder / BUNDLES]),
    }


def packages(folder: Path) -> list[Path]:
    """Return what was installed into a site-packages ``folder``, without pip and its like, and without bundles."""
    return [p for p in folder.iterdir() if not p.name.startswith(NOT_OURS) and p.name != BUNDLES]


def megabytes(paths: Sequence[Path], *, compiled: bool = False) -> float:
    """Return the size of files and folders: without what Python compiles, or of that alone."""
    everything = [f for p in paths for f in ([p] if p.is_file() else p.rglob("*")) if f.is_file()]
    files = [f for f in everything if (f.suffix == ".pyc") == compiled]
    return round(sum(f.stat().st_size for f in files) / 1e6, 1)


def command(data: Data = Path("data"), clips: Clips = 100, seed: Seed = 0) -> None:
    """Start-up, memory, speed and installed size of the slim package, in a fresh environment."""
    recordings = [u.audio.resolve() for u in ravdess.load(data / "ravdess") if u.audio]
    chosen = np.random.default_rng(seed).choice(len(recordings), clips, replace=False)
    result = measure([recordings[i] for i in sorted(chosen)], EXAMPLE)
    print(results_file.write("process", result, seed=seed))
