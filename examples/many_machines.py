"""Classify many recordings on a cluster: Ray Data hands out the files, and each worker loads the runtime once.

    pip install './edge_runtime[ray]' ./models                        # from a clone, on every machine
    python examples/many_machines.py 'examples/*.wav' results

Without a cluster Ray starts on this machine alone. Paths must mean the same on every machine (shared storage).
"""

from __future__ import annotations

import glob
import json
import sys
from pathlib import Path
from typing import Any

import ray

from edge_runtime import IEmoNet, Prediction

TOGETHER = 64
"""So many recordings go to a worker at a time, whose utterances it decodes together."""


class Classifier:
    """One worker: a model on one thread, loaded when the worker starts."""

    def __init__(self) -> None:
        """Load the installed bundle."""
        self.model = IEmoNet.load(device="cpu", threads=1)

    def __call__(self, rows: dict[str, Any]) -> dict[str, list[Any]]:
        """Return columns of the output; a bad file gives its error, and stops nobody."""
        files = [str(file) for file in rows["file"]]
        found: dict[str, list[Any]] = {"file": files, "error": [], "label": [], "answer": []}
        for answer in self.model.classify_many(files):
            good = isinstance(answer, Prediction)
            found["error"].append(None if good else str(answer))
            found["label"].append(answer.label if good else None)
            found["answer"].append(json.dumps(answer.to_dict(), ensure_ascii=False) if good else None)
        return found


def main(pattern: str, out: str) -> None:
    """Classify what ``pattern`` matches, and write JSON lines into the folder ``out``."""
    files = [{"file": str(Path(path).resolve())} for path in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 - may be absolute
    if not files:
        sys.exit(f"many_machines: {pattern}: no such files")
    ray.init(log_to_driver=False, ignore_reinit_error=True)
    workers = max(1, int(ray.cluster_resources().get("CPU", 1)))
    # Small blocks, so that a slow machine does not keep the others waiting at the end.
    blocks = ray.data.from_items(files, override_num_blocks=min(len(files), 4 * workers))
    answers = blocks.map_batches(Classifier, batch_size=TOGETHER, concurrency=workers, num_cpus=1)
    answers.write_json(str(Path(out).resolve()))


if __name__ == "__main__":
    main(*sys.argv[1:])
