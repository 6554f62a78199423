"""Side by side: edge-iemonet and other pipelines, on the same clips and threads, in turn, pair by pair."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from benchmarks.baselines.client import Client, cold_start_s
from benchmarks.baselines.environments import environment, run, weights
from benchmarks.common import clips, results_file
from benchmarks.common.footprint import BUNDLES, megabytes, packages
from benchmarks.common.paths import EXAMPLE, Cache, Checkpoints, Data, Seed
from benchmarks.common.timing import paired, rounds, summary
from trainer.corpora import ravdess
from trainer.text.wer import normalize, word_error_rate

OURS = "edge_iemonet"
SECONDS = (1.0, 4.0, 8.0, 15.0)
THREADS = 1
WARM_UP = 3


@dataclass(frozen=True)
class Baseline:
    """A pipeline to compare with.

    Attributes:
        title: its name in tables.
        whole: whether it tells emotions; False of one that only transcribes, whose time is compared with ours for that.
        weights: the folders that it loads, for its size.
    """

    title: str
    whole: bool
    weights: tuple[str, ...]


BASELINES: Mapping[str, Baseline] = {
    OURS: Baseline("edge-iemonet", True, ()),
    "transformers_torch": Baseline("transformers on torch", True, ("whisper-tiny.en", "checkpoints")),
    "faster_whisper_torch": Baseline(
        "faster-whisper int8, emotion on torch", True, ("faster-whisper", "whisper-tiny.en", "checkpoints")
    ),
    "optimum_onnx": Baseline("optimum-onnx, emotion on torch", True, ("optimum", "whisper-tiny.en", "checkpoints")),
    "onnx_asr_int8": Baseline("onnx-asr int8, transcript alone", False, ("onnx-asr",)),
}


@dataclass(frozen=True)
class Installed:
    """The Python of each pipeline, and the weights of all."""

    pythons: Mapping[str, Path]
    weights: Path


def install(names: Sequence[str], pretrained: Path, checkpoints: Path, folder: Path) -> Installed:
    """Make every environment and all weights, as far as they are not there yet."""
    pythons = {name: environment(name, folder) for name in names}
    if list(names) == [OURS]:
        return Installed(pythons, folder)
    exporter = pythons.get("optimum_onnx") or environment("optimum_onnx", folder)
    return Installed(pythons, weights(pretrained, checkpoints, exporter, folder))


def measure(installed: Installed, clips_by_length: Mapping[str, Sequence[Path]], said: Sequence[tuple[Path, str]], *,
            calls: int, starts: int, threads: int = THREADS) -> dict[str, Any]:  # fmt: skip
    """Return times, cold starts, memory, sizes and transcripts' errors of every pipeline, and their ratios to ours.

    Args:
        installed: see ``install``.
        clips_by_length: files by their length in seconds.
        said: whole recordings and their words, for the error rate.
        calls: for each length.
        starts: fresh processes of each pipeline, from start to first result.
        threads: processor threads of each.
    """
    names = list(installed.pythons)
    with ExitStack() as stack:
        clients = {
            name: stack.enter_context(Client(name, python, installed.weights, threads=threads))
            for name, python in installed.pythons.items()
        }
        times, asr = _times(clients, clips_by_length, calls)
        transcripts = _transcripts(clients, said)
        memory = {name: client.ask()["peak_memory_mb"] for name, client in clients.items()}
    first = next(iter(next(iter(clips_by_length.values()))))
    cold: dict[str, list[float]] = {name: [] for name in names}
    for _, name in _tracked(list(rounds(names, starts)), "cold starts"):
        cold[name].append(cold_start_s(name, installed.pythons[name], installed.weights, first, threads=threads))
    references = [words for _, words in said]
    return {
        "threads": threads,
        "calls": calls,
        "baselines": {
            name: {
                "title": BASELINES[name].title,
                "whole": BASELINES[name].whole,
                "ms": {length: summary(ms) for length, ms in times[name].items()},
                "times_ours": _ratios(times, asr, name),
                "cold_start_s": {
                    "median": round(statistics.median(cold[name]), 3),
                    "samples": [round(s, 3) for s in cold[name]],
                },
                "cold_start_times_ours": paired(cold[OURS], cold[name]),
                "peak_memory_mb": memory[name],
                "installed_mb": _size(name, installed),
                "wer": round(word_error_rate(references, transcripts[name]), 4),
                "same_words_as_torch": _same(transcripts, name),
            }
            for name in names
        },
        "recordings": len(said),
    }


def _times(
    clients: Mapping[str, Client], clips_by_length: Mapping[str, Sequence[Path]], calls: int
) -> tuple[dict[str, dict[str, list[float]]], dict[str, list[float]]]:
    """Return milliseconds by pipeline and length, and of ours those spent on the transcript, by length."""
    times: dict[str, dict[str, list[float]]] = {name: {} for name in clients}
    asr: dict[str, list[float]] = {}
    for length, paths in clips_by_length.items():
        for client in clients.values():
            for path in paths[:WARM_UP]:
                client.ask(clip=str(path))
        for number, name in _tracked(list(rounds(list(clients), calls)), f"{length} s"):
            answer = clients[name].ask(clip=str(paths[number % len(paths)]))
            times[name].setdefault(length, []).append(answer["ms"])
            if name == OURS:
                asr.setdefault(length, []).append(answer["asr_ms"])
    return times, asr


def _ratios(
    times: Mapping[str, Mapping[str, Sequence[float]]], asr: Mapping[str, Sequence[float]], name: str
) -> dict[str, Any]:
    """Return how many times longer than ours a pipeline takes, by length; than our ASR, if it only transcribes."""
    return {
        length: paired(times[OURS][length] if BASELINES[name].whole else asr[length], ms)
        for length, ms in times[name].items()
    }


def _transcripts(clients: Mapping[str, Client], said: Sequence[tuple[Path, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in clients}
    for path, _ in _tracked(said, "transcripts"):
        for name, client in clients.items():
            found[name].append(client.ask(clip=str(path))["transcript"])
    return found


def _same(transcripts: Mapping[str, Sequence[str]], name: str) -> int | None:
    exact = transcripts.get("transformers_torch")
    if exact is None:
        return None
    return sum(normalize(a) == normalize(b) for a, b in zip(transcripts[name], exact, strict=True))


def _size(name: str, installed: Installed) -> dict[str, float]:
    """Return megabytes of what the environment and the weights take on disk; compiled files of Python are left out."""
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    folder = Path(run([str(installed.pythons[name]), "-Ic", where]).strip())
    return {
        "packages": megabytes(packages(folder)),
        "weights": megabytes([folder / BUNDLES] if name == OURS
                             else [installed.weights / w for w in BASELINES[name].weights]),
    }  # fmt: skip


def _tracked(items: Sequence[Any], what: str) -> Any:
    return track(items, what, transient=True, console=Console(stderr=True))


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(help=f"Of: {', '.join(BASELINES)} [default: all]; ours is always among them."),
    ] = None,
    data: Data = Path("data"),
    pretrained: Annotated[Path, typer.Option("--weights", help="Folder that `trainer fetch` wrote.")] = Path("weights"),
    checkpoints: Checkpoints = Path("checkpoints"),
    cache: Cache = Path("cache"),
    calls: Annotated[int, typer.Option(help="Calls for each length and pipeline.")] = 25,
    recordings: Annotated[int, typer.Option(help="Recordings for the word error rate.")] = 60,
    starts: Annotated[int, typer.Option(help="Fresh processes of each pipeline.")] = 7,
    seed: Seed = 0,
    name: Annotated[str, typer.Option(help="Of the results' file.")] = "baselines",
) -> None:
    """Beside other pipelines: time, memory, size and WER."""
    unknown = set(names or ()) - set(BASELINES)
    if unknown:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: use names of {', '.join(BASELINES)}")
    folder = (cache / "baselines").resolve()
    installed = install([n for n in BASELINES if not names or n in {OURS, *names}], pretrained, checkpoints, folder)
    utterances = ravdess.load(data / "ravdess")
    paths = [path.resolve() for path in clips.audio_files(utterances)]
    clips_by_length = {
        f"{s:g}": clips.write(clips.cut(paths, s, calls, seed=seed, first=EXAMPLE), folder / "clips", f"{s:g}s")
        for s in SECONDS
    }
    chosen = clips.draw(utterances, recordings, np.random.default_rng(seed))
    said = [(u.audio.resolve(), u.transcript or "") for u in chosen if u.audio]
    result = measure(installed, clips_by_length, said, calls=calls, starts=starts)
    print(results_file.write(name, result, seed=seed))
