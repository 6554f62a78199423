"""Hostile audio and bundles, by the hundred thousand, in processes with limits; every outcome is counted."""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from benchmarks.common import results_file
from benchmarks.common.footprint import peak_memory_mb
from benchmarks.common.paths import Seed
from benchmarks.fuzzing.targets import Targets, draw
from edge_runtime.system.processors import processors

SECONDS = 20.0
"""An input that takes longer hangs; the slowest that ended took a few seconds on a busy machine."""
MEGABYTES = 1_024
"""More than this in use is memory without bounds: no input is larger than some kilobytes."""
ADDRESSES = 6 << 30
"""Bytes of address space; onnxruntime and numpy reserve a good part of a gigabyte without using it."""
FINE = ("accepted", "AudioError", "AudioNotFoundError", "BundleError", "BundleNotFoundError")
HUNG, DIED = f"hang: more than {SECONDS:.0f} s", "crash: exit code"


def measure(inputs: int, *, first: int, seed: int, workers: int) -> dict[str, Any]:
    """Try ``inputs`` inputs from number ``first`` on, and return the number of each outcome."""
    found: list[tuple[int, str, float]] = []
    numbers = range(first, first + inputs)
    with Progress(transient=True) as progress, ThreadPoolExecutor(workers) as pool:
        bar = progress.add_task("fuzz", total=inputs)

        def try_all(part: range) -> None:
            for one in outcomes(part, seed):
                found.append(one)
                progress.advance(bar)

        list(pool.map(try_all, (numbers[i::workers] for i in range(workers))))
    return {"first": first, "limits": {"seconds": SECONDS, "megabytes": MEGABYTES}, **summary(found, seed)}


def summary(found: Iterable[tuple[int, str, float]], seed: int) -> dict[str, Any]:
    """Return how often each outcome came, in all and by target, and the inputs that failed.

    Args:
        found: number, outcome and peak of memory in MB of each input.
        seed: of the inputs.
    """
    by_target: dict[str, Counter[str]] = defaultdict(Counter)
    failures, peak = [], 0.0
    for number, outcome, megabytes in sorted(found):
        target, _ = draw(seed, number)
        by_target[target][outcome.partition(":")[0]] += 1
        peak = max(peak, megabytes)
        if outcome not in FINE:
            failures.append({"input": number, "target": target, "outcome": outcome})
    total: Counter[str] = sum(by_target.values(), Counter())
    return {
        "inputs": sum(total.values()),
        "peak_mb": round(peak),
        "outcomes": dict(total.most_common()),
        "by_target": {name: dict(counts.most_common()) for name, counts in sorted(by_target.items())},
        "failures": failures,
    }


def outcomes(numbers: range, seed: int) -> Iterator[tuple[int, str, float]]:
    """Yield each number, the outcome of its input, and the most memory that its process used, in MB.

    The inputs are tried in one process, and in another one behind an input that ends, stops or fills it.
    """
    context = get_context("spawn")
    process = None
    for number in numbers:
        if process is None:
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, seed), daemon=True)
            process.start()
            theirs.close()
            ours.recv()  # ready: what follows is the time of inputs alone
        try:
            ours.send(number)
            outcome, megabytes = ours.recv() if ours.poll(SECONDS) else (HUNG, 0.0)
        except (EOFError, BrokenPipeError):
            process.join()
            outcome, megabytes = f"{DIED} {process.exitcode}", 0.0
        if megabytes > MEGABYTES:
            outcome = "out of memory"
        yield number, outcome, megabytes
        if outcome in {HUNG, "out of memory"} or outcome.startswith(DIED):
            process.kill()
            process = None
    if process is not None:
        process.kill()


def _serve(connection: Connection, seed: int) -> None:
    """Answer each number with the outcome of its input and the peak of memory."""
    # The libraries under test print what they like.
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as scratch:
        targets = Targets(Path(scratch))
        connection.send("ready")
        while True:
            connection.send((targets.outcome(*draw(seed, connection.recv())), peak_memory_mb()))


def command(
    inputs: Annotated[int, typer.Option(help="How many inputs.")] = 100_000,
    first: Annotated[int, typer.Option(help="Number of the first, to repeat one that failed.")] = 0,
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(help="Processes.")] = processors(),
) -> None:
    """Try hostile audio, bundles, graphs and tokenizers.

    The exit code is 1 if one crashed, hung or took memory without bounds.
    """
    result = measure(inputs, first=first, seed=seed, workers=workers)
    if first == 0:
        print(results_file.write("fuzz", result, seed=seed))
    print(json.dumps({key: result[key] for key in ("inputs", "outcomes", "peak_mb")}))
    for failure in result["failures"]:
        print(json.dumps(failure), file=sys.stderr)
    raise typer.Exit(1 if result["failures"] else 0)
