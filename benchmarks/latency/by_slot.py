"""Time of an utterance, slot by slot, against the utterance's length, the threads and the device."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from benchmarks.common import clips, results_file
from benchmarks.common.paths import BUNDLE, EXAMPLE, Data, Seed
from benchmarks.common.timing import in_turn, line, rounds, summary
from edge_runtime import IEmoNet
from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.inference.onnx_runtime import ort
from edge_runtime.inference.session import CUDA
from trainer.audio import load_audio

SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)
THREADS = (1, 2)
WARM_UP = 5
DIFFERENT = 40
"""So many different clips of each length; calls go round them."""
MANY = 100
"""Files for throughput."""
THROUGHPUT_ROUNDS = 5

Float = NDArray[np.float32]
Settings = dict[str, IEmoNet]


def measure(
    recordings: Sequence[Path], *, calls: int, seconds: Sequence[float] = SECONDS, files: int = MANY, seed: int
) -> dict[str, Any]:
    """Return times in milliseconds of ``calls`` calls after a warm-up, by setting (device and threads) and length.

    All settings get the same clips, in turn: other work of the machine falls on all of them.

    Args:
        recordings: the clips are cut from these.
        calls: for each setting and length.
        seconds: lengths of clips.
        files: how many files throughput is measured on.
        seed: of the choice of recordings.
    """
    settings = _settings()
    found: dict[str, Any] = {name: {} for name in settings}
    for length in seconds:
        chosen = clips.cut(recordings, length, min(DIFFERENT, calls), seed=seed)
        for name, slots in _calls(settings, chosen, calls, f"{length:g} s").items():
            found[name][f"{length:g}"] = {slot: summary(ms) for slot, ms in slots.items()}
    return {
        "calls": calls,
        "ways": found,
        "cost": {
            name: line({float(s): part["total"]["p50"] for s, part in lengths.items()})
            for name, lengths in found.items()
            if len(lengths) > 1
        },
        "throughput": _throughput(settings, recordings, files, seed),
    }


def _settings() -> Settings:
    devices = ["cpu", *(["cuda"] if CUDA in ort.get_available_providers() else [])]
    return {f"{d}, {t} thread{'s'[: t > 1]}": IEmoNet.load(BUNDLE, device=d, threads=t)
            for d in devices for t in THREADS}  # fmt: skip


def _calls(settings: Settings, chosen: Sequence[Float], calls: int, what: str) -> dict[str, dict[str, list[float]]]:
    for model in settings.values():
        for i in range(WARM_UP):
            model(chosen[i % len(chosen)], SAMPLE_RATE)
    samples: dict[str, dict[str, list[float]]] = {name: {} for name in settings}
    order = list(rounds(list(settings), calls))
    for number, name in track(order, what, transient=True, console=Console(stderr=True)):
        answer = settings[name](chosen[number % len(chosen)], SAMPLE_RATE)
        for slot, ms in answer.timings_ms.items():
            # A clip in which nobody speaks has no later slots: such a call is not of the kind measured here.
            samples[name].setdefault(slot, []).append(ms)
    return samples


def _throughput(settings: Settings, recordings: Sequence[Path], files: int, seed: int) -> dict[str, Any]:
    """Return seconds of audio for each second of time over many files, one after the other and two at once.

    Two at once are two threads that share a model, or two processes with one each, which take twice the memory.
    """
    random = np.random.default_rng(seed)
    picked = [recordings[i] for i in random.integers(0, len(recordings), files)]
    audio_s = sum(len(load_audio(path)) for path in picked) / SAMPLE_RATE
    calls: dict[str, Callable[[], object]] = {}
    with ExitStack() as stack:
        for name, model in settings.items():
            calls[name] = lambda model=model: [model(path) for path in picked]  # type: ignore[misc]
            if name.endswith("1 thread"):
                threads = stack.enter_context(ThreadPoolExecutor(2))
                calls[f"{name}, two callers"] = lambda pool=threads, model=model: list(pool.map(model, picked))  # type: ignore[misc]
        processes = stack.enter_context(ProcessPoolExecutor(2, get_context("spawn"), _load))
        calls["cpu, 1 thread, two processes"] = lambda: list(processes.map(_label, picked))
        samples, _ = in_turn(calls, THROUGHPUT_ROUNDS)
    rates = {name: _rate(audio_s, statistics.median(ms), files) for name, ms in samples.items()}
    return {"files": files, "audio_s": round(audio_s, 1), "rounds": THROUGHPUT_ROUNDS, "ways": rates}


_model: IEmoNet | None = None


def _load() -> None:
    """Open the bundle in a process of its own."""
    global _model  # noqa: PLW0603 - what a worker of a pool keeps between its tasks
    _model = IEmoNet.load(BUNDLE, threads=1)


def _label(path: Path) -> str | None:
    assert _model is not None
    return _model(path).label


def _rate(audio_s: float, ms: float, files: int) -> dict[str, float]:
    return {"audio_s_per_s": round(1000 * audio_s / ms, 1), "files_per_s": round(1000 * files / ms, 2)}


def command(
    data: Data = Path("data"),
    calls: Annotated[int, typer.Option(help="Calls for each length and setting, after a warm-up.")] = 200,
    seed: Seed = 0,
) -> None:
    """Time of every slot, for utterances of 1 to 15 s."""
    recordings, source = clips.english(data, EXAMPLE)
    result = measure(recordings, calls=calls, seed=seed)
    if not any(name.startswith("cuda") for name in result["ways"]):
        print("no CUDA device here: measured on the CPU alone", file=sys.stderr)
    print(results_file.write("latency", {"recordings": source, **result}, seed=seed))
