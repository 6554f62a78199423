"""An hour of speech: time, memory beside a short clip, and whether its utterances give the same results alone."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray

from benchmarks.common import clips, results_file
from benchmarks.common.paths import BUNDLE, EXAMPLE, ROOT, Data, Seed
from edge_runtime.audio.recording import SAMPLE_RATE
from trainer.audio import load_audio
from trainer.corpora import ravdess

CLIP_S = 10.0
CLIP_RUNS = 5
ALONE = 40
"""So many utterances of the hour are classified again, alone."""
PROBE = "benchmarks.latency.long_audio_probe"
PAUSES_S = (0.2, 3.0)
NOISE = 1e-4

Float = NDArray[np.float32]


def measure(data: Path, bundle: Path, *, minutes: float, seed: int) -> dict[str, Any]:
    """Classify long recordings and a short clip, each in a process of its own, on one thread.

    Args:
        data: folder that holds ``ravdess/``.
        bundle: to classify with.
        minutes: length of the long recordings.
        seed: of the order of clips and the length of pauses.

    Returns:
        For "conversation", RAVDESS clips with pauses between, and "monologue", the example clip without any: what the
        process found and used; for "clip", 10 s of the conversation, the median of five processes; real-time factors,
        by processor time and by the clock; and megabytes over the clip's.
    """
    random = np.random.default_rng(seed)
    files = clips.audio_files(ravdess.load(data / "ravdess"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        conversation, monologue, clip = (folder / f"{name}.wav" for name in ("conversation", "monologue", "clip"))
        write_recording(conversation, _conversation(files, random), minutes * 60)
        write_recording(monologue, cycle([load_audio(EXAMPLE)]), minutes * 60)
        samples, _ = soundfile.read(conversation, frames=int(CLIP_S * SAMPLE_RATE), dtype="float32")
        soundfile.write(clip, samples, SAMPLE_RATE)
        short = [_probe(bundle, clip) for _ in range(CLIP_RUNS)]
        peak = statistics.median(s["peak_memory_mb"] for s in short)
        result: dict[str, Any] = {"threads": 1, "clip": {"seconds": CLIP_S, "peak_memory_mb": peak, "runs": short}}
        for name, path in (("conversation", conversation), ("monologue", monologue)):
            found = _probe(bundle, path, alone=ALONE)
            found["rtf_processor"] = round(found["processor_s"] / found["seconds"], 4)
            found["rtf_wall"] = round(found["wall_s"] / found["seconds"], 4)
            found["memory_over_clip_mb"] = round(found["peak_memory_mb"] - peak, 1)
            result[name] = found
    return result


def _conversation(files: Sequence[Path], random: np.random.Generator) -> Iterator[Float]:
    while True:
        for index in random.permutation(len(files)):
            yield load_audio(files[index])
            yield np.zeros(int(random.uniform(*PAUSES_S) * SAMPLE_RATE), np.float32)


def write_recording(path: Path, parts: Iterator[Float], seconds: float) -> None:
    """Write ``parts`` one after the other, with a little noise over all, until they are ``seconds`` long."""
    random, left = np.random.default_rng(0), int(seconds * SAMPLE_RATE)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, subtype="PCM_16") as file:
        while left > 0:
            part = next(parts)[:left]
            file.write(np.clip(part + random.normal(0, NOISE, len(part)), -1, 1))
            left -= len(part)


def _probe(bundle: Path, file: Path, *, alone: int = 0) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", PROBE, str(bundle), str(file), str(alone)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"benchmarks: the runtime failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def command(
    data: Data = Path("data"),
    minutes: Annotated[float, typer.Option(help="Length of the recordings.")] = 60.0,
    seed: Seed = 0,
) -> None:
    """An hour of speech: time, and memory beside a clip."""
    result = measure(data, BUNDLE, minutes=minutes, seed=seed)
    print(results_file.write("long-audio", result | {"minutes": minutes}, seed=seed))
