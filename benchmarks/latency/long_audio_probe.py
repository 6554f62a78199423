"""A process that classifies one long recording and prints the time, the memory and the results as JSON.

    python -m benchmarks.latency.long_audio_probe BUNDLE FILE COUNT

``COUNT`` utterances are classified again, alone. Nothing but the runtime is imported, so the memory is the runtime's.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.common.footprint import peak_memory_mb
from edge_runtime import IEmoNet, Segment
from edge_runtime.audio.recording import SAMPLE_RATE, Recording

CLOSE = 1e-3


def main(bundle: str, file: str, count: int) -> None:
    """Print one JSON object."""
    model = IEmoNet.load(bundle, device="cpu", threads=1)
    wall, processor = time.perf_counter(), time.process_time()
    timeline = model.timeline(file)
    segments = list(timeline)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
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
        "peak_memory_mb": peak_memory_mb(),
    }
    if count:
        # Alone an utterance has none before it that it could be compared with.
        segments = list(model.timeline(file, baseline=False))
        chosen = [segments[i] for i in np.linspace(0, len(segments) - 1, min(count, len(segments))).astype(int)]
        samples = np.concatenate(list(Recording(Path(file)).blocks()))
        alone = [
            model(samples[round(s.start_s * SAMPLE_RATE) : round(s.end_s * SAMPLE_RATE)], SAMPLE_RATE).segments
            for s in chosen
        ]
        found["classified_alone"] = len(chosen)
        found["the_same_alone"] = sum(len(a) == 1 and _same(s, a[0]) for s, a in zip(chosen, alone, strict=True))
    print(json.dumps(found))


def _same(one: Segment, other: Segment) -> bool:
    """Whether words and labels are the same, and all scores to three digits: decoded together, the last ones differ."""
    answers = [(one.fused, other.fused), (one.speech, other.speech), (one.text, other.text)]
    return one.transcript == other.transcript and all(
        a == b or (a and b and a.label == b.label and all(abs(a.scores[k] - b.scores[k]) < CLOSE for k in a.scores))
        for a, b in answers
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
