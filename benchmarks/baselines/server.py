"""The process of one pipeline: load it, then answer requests, one JSON object a line.

    python benchmarks/baselines/server.py NAME FOLDER THREADS

``{"clip": path}`` is answered with the transcript, the label and milliseconds, ``{}`` with the peak of memory.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    """Serve until standard input ends."""
    name, folder, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    # Libraries print what they like to standard output; the answers get a channel of their own.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # Last on the path: what the environment has installed comes first.
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    from benchmarks.common.footprint import peak_memory_mb  # noqa: PLC0415 - found on the path now

    pipeline = importlib.import_module(f"benchmarks.baselines.pipelines.{name}").Pipeline(folder, threads)
    for line in sys.stdin:
        request = json.loads(line)
        if "clip" in request:
            begin = time.perf_counter()
            answer = pipeline(request["clip"])
            answer = {"ms": 1000 * (time.perf_counter() - begin), **answer}
        else:
            answer = {"peak_memory_mb": peak_memory_mb()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
