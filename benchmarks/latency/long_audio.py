"""An hour of speech: how long it takes, how much memory beside a short clip, and whether its utterances stand alone."""

from __future__ import annotations

import json
import os
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

from benchmarks.common import results_file
from edge_runtime.audio.recording import SAMPLE_RATE
from trainer.audio import load_audio
from trainer.corpora import ravdess

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "jfk.wav"
CLIP_S = 10.0
CLIP_RUNS = 5
ALONE = 40
"""So many utterances of the hour are classified again, alone."""
PAUSES_S = (0.2, 3.0)
NOISE = 1e-4
# Nothing but the runtime is imported in there, so that the memory is the runtime's.
PROBE = """
import json, pathlib, resource, sys, time
import numpy as np
from edge_runtime import IEmoNet
from edge_runtime.audio.recording import Recording
bundle, file, alone = sys.argv[1], sys.argv[2], int(sys.argv[3])
model = IEmoNet.load(bundle, device="cpu", threads=1)
wall, processor = time.perf_counter(), time.process_time()
timeline = model.timeline(file)
segments = list(timeline)
wall, processor = time.perf_counter() - wall, time.process_time() - processor
status = pathlib.Path("/proc/self/status")
lines = status.read_text().splitlines() if status.exists() else []
own = [line.split()[1] for line in lines if line.startswith("VmHWM")]
peak_kb = int(own[0]) if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
lengths = [s.end_s - s.start_s for s in segments]
found = {
    "seconds": round(timeline.duration_s, 1),
    "utterances": len(segments),
    "of_3_to_15_s": sum(3 <= n <= 15 for n in lengths),
    "longest_s": round(max(lengths), 3),
    "share_in_utterances": round(sum(lengths) / timeline.duration_s, 3),
    "words": sum(len((s.transcript or "").split()) for s in segments),
    "processor_s": round(processor, 2),
    "wall_s": round(wall, 2),
    "peak_memory_mb": round(peak_kb / 1024, 1),
}
if alone:
    chosen = [segments[i] for i in np.linspace(0, len(segments) - 1, min(alone, len(segments))).astype(int)]
    samples = np.concatenate(list(Recording(file).blocks()))
    again = [model(samples[round(s.start_s * 16000) : round(s.end_s * 16000)], 16000).segments for s in chosen]
    found["classified_alone"] = len(chosen)
    here = [[(s.fused, s.speech, s.text, s.transcript)] for s in chosen]
    there = [[(s.fused, s.speech, s.text, s.transcript) for s in segments] for segments in again]
    found["the_same_alone"] = sum(a == b for a, b in zip(here, there))
print(json.dumps(found))
"""

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
    files = [u.audio for u in ravdess.load(data / "ravdess") if u.audio]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        conversation, monologue, clip = (folder / f"{name}.wav" for name in ("conversation", "monologue", "clip"))
        _write(conversation, _conversation(files, random), minutes * 60)
        _write(monologue, cycle([load_audio(EXAMPLE)]), minutes * 60)
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


def _write(path: Path, parts: Iterator[Float], seconds: float) -> None:
    """Write ``parts`` one after the other, with a little noise over all, until they are ``seconds`` long."""
    random, left = np.random.default_rng(0), int(seconds * SAMPLE_RATE)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, subtype="PCM_16") as file:
        while left > 0:
            part = next(parts)[:left]
            file.write(np.clip(part + random.normal(0, NOISE, len(part)), -1, 1))
            left -= len(part)


def _probe(bundle: Path, file: Path, *, alone: int = 0) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", PROBE, str(bundle), str(file), str(alone)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"benchmarks: the runtime failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def command(
    data: Annotated[Path, typer.Option(help="Folder that holds ravdess/.")] = Path("data"),
    minutes: Annotated[float, typer.Option(help="Length of the recordings.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Of the order of the clips.")] = 0,
) -> None:
    """An hour of speech: time, memory beside a clip of 10 s, and utterances that give the same alone."""
    result = measure(data, ROOT / "models" / "en-tiny-int8", minutes=minutes, seed=seed)
    print(results_file.write("long", result | {"minutes": minutes}, seed=seed))
