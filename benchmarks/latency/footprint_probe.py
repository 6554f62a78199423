"""A process that classifies a few clips and prints what it took as JSON; run with the package of any version.

    python -m benchmarks.latency.footprint_probe TREE BUNDLE FIRST PEAK [CLIP…]

``edge_runtime`` is the one in the folder TREE. ``FIRST`` gives the start, ``PEAK`` the memory, ``CLIP`` times with and
without the transcript, in turn. Nothing but the runtime is imported, so the memory is the runtime's.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from benchmarks.common.footprint import peak_memory_mb

REPEATS = 7


def main(tree: str, bundle: str, first: str, peak: str, *clips: str) -> None:
    """Print a JSON object when the first answer is there, and another at the end."""
    sys.path.insert(0, tree)
    from edge_runtime import IEmoNet  # noqa: PLC0415 - of the tree

    model = IEmoNet.load(bundle, device="cpu", threads=1)
    answers = [model(first)]
    print(json.dumps({"start_processor_s": round(time.process_time(), 3)}), flush=True)
    answers += [model(peak) for _ in range(2)]  # onnxruntime may keep more from the second call on
    found: dict[str, Any] = {"peak_memory_mb": peak_memory_mb(), "ms": {}}
    for clip in clips:
        answers += [model(clip), model(clip, asr=False)]
        times: dict[str, list[float]] = {"whole": [], "voice": []}
        for _ in range(REPEATS):
            for name, samples in times.items():
                begin = time.process_time()
                model(clip, asr=name == "whole")
                samples.append(round(1000 * (time.process_time() - begin), 2))
        found["ms"][clip] = times
    found["answers"] = [[a.label, a.transcript, {k: round(v, 4) for k, v in a.scores.items()}] for a in answers]
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
