"""Hostile audio and bundles, by the hundred thousand, in processes with limits: what came of each is counted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import IO, Annotated, Any

import typer
from rich.progress import Progress

from benchmarks.common import results_file
from edge_runtime.system.processors import processors

SECONDS = 20.0
"""An input that takes longer hangs; the slowest that ended took a few seconds on a busy machine."""
MEGABYTES = 1_024
"""More than this in use is memory without bounds: no input is larger than some kilobytes."""
FINE = ("accepted", "AudioError", "AudioNotFoundError", "BundleError", "BundleNotFoundError")


@dataclass
class Found:
    """What came of the inputs.

    Attributes:
        outcomes: for each target, how often each outcome came.
        failures: number, target and outcome of each input that did not end well.
        peak_mb: the most memory that any process used.
    """

    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    failures: list[dict[str, Any]] = field(default_factory=list)
    peak_mb: int = 0

    def add(self, index: int, target: str, outcome: str) -> None:
        """Count one outcome."""
        kind = outcome.partition(":")[0]
        self.outcomes[target][kind] += 1
        if outcome not in FINE:
            self.failures.append({"input": index, "target": target, "outcome": outcome})


class Worker:
    """A process that tries every ``step``th input, started again behind one that it dies of."""

    def __init__(self, seed: int, first: int, end: int, step: int) -> None:
        """Start it."""
        self.seed, self.next, self.end, self.step = seed, first, end, step
        self._start()

    def _start(self) -> None:
        numbers = map(str, (self.seed, self.next, self.end, self.step))
        command = [sys.executable, "-m", "benchmarks.fuzzing.worker", *numbers]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])  # noqa: S603
        self.lines: Queue[bytes] = Queue()
        Thread(target=self._read, args=(self.process.stdout, self.lines), daemon=True).start()

    @staticmethod
    def _read(stream: IO[bytes], lines: Queue[bytes]) -> None:
        for line in stream:
            lines.put(line)
        lines.put(b"")

    def outcomes(self, found: Found) -> Iterator[int]:
        """Yield once for each input that was tried, after adding what came of it to ``found``."""
        target = ""
        while True:
            try:
                line: bytes | None = self.lines.get(timeout=SECONDS)
            except Empty:
                line = None
            said = json.loads(line) if line else {}
            if "begin" in said:
                self.next, target = said["begin"], said["target"]
                continue
            if "outcome" in said:
                found.peak_mb = max(found.peak_mb, said["peak_mb"])
                outcome = said["outcome"] if said["peak_mb"] <= MEGABYTES else "out of memory"
                found.add(self.next, target, outcome)
                self.next += self.step
                yield 1
                if outcome == "out of memory":
                    self._again()
                continue
            if line is None:
                found.add(self.next, target, f"hang: more than {SECONDS:.0f} s")
            elif self.next >= self.end:
                self.process.wait()
                return
            else:
                found.add(self.next, target, f"crash: exit code {self.process.wait()}")
            self.next += self.step
            yield 1
            self._again()

    def _again(self) -> None:
        self.process.kill()
        self.process.wait()
        self._start()


def measure(inputs: int, *, first: int, seed: int, workers: int) -> dict[str, Any]:
    """Try ``inputs`` inputs from number ``first`` on, and return what came of them."""
    found, end = Found(), first + inputs
    processes = [Worker(seed, first + i, end, workers) for i in range(workers)]
    running = [worker.outcomes(found) for worker in processes]
    with Progress(transient=True) as progress:
        bar = progress.add_task("fuzz", total=inputs)
        while running:
            for one in list(running):
                if next(one, None) is None:
                    running.remove(one)
                progress.update(bar, completed=sum(sum(c.values()) for c in found.outcomes.values()))
    total: Counter[str] = sum(found.outcomes.values(), Counter())
    return {
        "inputs": sum(total.values()),
        "first": first,
        "limits": {"seconds": SECONDS, "megabytes": MEGABYTES},
        "peak_mb": found.peak_mb,
        "outcomes": dict(total.most_common()),
        "by_target": {name: dict(counts.most_common()) for name, counts in sorted(found.outcomes.items())},
        "failures": found.failures,
    }


def command(
    inputs: Annotated[int, typer.Option(help="How many inputs.")] = 100_000,
    first: Annotated[int, typer.Option(help="Number of the first, to repeat one that failed.")] = 0,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes.")] = processors(),
) -> None:
    """Try hostile audio, bundles, graphs and tokenizers; exit code 1 if one crashed, hung or ate memory."""
    result = measure(inputs, first=first, seed=seed, workers=workers)
    if first == 0:
        print(results_file.write("fuzz", result, seed=seed))
    print(json.dumps({key: result[key] for key in ("inputs", "outcomes", "peak_mb")}))
    for failure in result["failures"]:
        print(json.dumps(failure), file=sys.stderr)
    raise typer.Exit(1 if result["failures"] else 0)
