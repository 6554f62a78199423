"""A process that classifies an archive and prints what it took as JSON; run with the package of any version.

    python -m benchmarks.latency.throughput_probe TREE BUNDLE OPTIONS files FILE…
    python -m benchmarks.latency.throughput_probe TREE BUNDLE OPTIONS recording FILE

``edge_runtime`` is the one in the folder TREE; OPTIONS are those of ``IEmoNet.load`` besides, as
JSON. Nothing but the runtime is imported, so the memory is the runtime's.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from benchmarks.common.footprint import peak_memory_mb


def main(tree: str, bundle: str, options: str, kind: str, *files: str) -> None:
    """Print one JSON object."""
    sys.path.insert(0, tree)
    from edge_runtime import IEmoNet  # noqa: PLC0415 - of the tree

    model = IEmoNet.load(bundle, device="cpu", threads=1, **json.loads(options))
    model.warm_up()
    wall, processor = time.perf_counter(), time.process_time()
    answers: list[Any]
    if kind == "recording":
        answers = list(model.timeline(files[0]))
        seconds = [a.end_s - a.start_s for a in answers]
    else:
        many = getattr(model, "classify_many", None)  # the version before has none
        answers = list(many(files)) if many else [model(file) for file in files]
        seconds = [a.duration_s for a in answers]
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    found = {
        "processor_s": round(processor, 2),
        "wall_s": round(wall, 2),
        "peak_memory_mb": peak_memory_mb(),
        "answers": [[getattr(a, "start_s", i), a.label, a.transcript] for i, a in enumerate(answers)],
        "utterances": len(answers) if kind == "recording" else sum(len(a.segments) for a in answers),
        "seconds": round(sum(seconds), 1),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
