"""A pipeline's process, from outside: start it, ask it, end it."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.baselines.environments import PIPELINES, quiet
from benchmarks.common.paths import ROOT


class Client:
    """One pipeline in a process of its own, which answers requests; see ``benchmarks/baselines/server.py``."""

    def __init__(self, name: str, python: Path, weights: Path, *, threads: int) -> None:
        """Start the process."""
        self.begin = time.perf_counter()
        self.name = name
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it lives as long as the process
        self._process = subprocess.Popen(  # noqa: S603
            [str(python), str(PIPELINES.with_name("server.py")), name, str(weights), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=quiet(threads),
            cwd=ROOT.anchor,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """Return the answer to a request.

        Raises:
            RuntimeError: the process ended; with what it said last.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # then it has nothing to say either, and what it said before is in its messages
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise RuntimeError(f"{self.name} ended:\n{self._errors.read()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Client:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()


def cold_start_s(name: str, python: Path, weights: Path, clip: Path, *, threads: int) -> float:
    """Return seconds from the start of the process to its first result."""
    with Client(name, python, weights, threads=threads) as client:
        client.ask(clip=str(clip))
        return time.perf_counter() - client.begin
