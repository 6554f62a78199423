"""A timeline as CSV, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from edge_runtime.prediction import Segment


def render(segments: Sequence[Segment], labels: Sequence[str]) -> str:
    """Return a header and a row for each segment: times, channel, emotion, the score of each of ``labels``, words."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["start_s", "end_s", "channel", "label", "confidence", *labels, "transcript"])
    for segment in segments:
        scores = segment.fused.scores if segment.fused else {}
        found = [segment.confidence, *(scores.get(label) for label in labels)]
        writer.writerow(
            [
                f"{segment.start_s:.3f}",
                f"{segment.end_s:.3f}",
                segment.channel,
                segment.label,
                *("" if score is None else f"{score:.4f}" for score in found),
                " ".join((segment.transcript or "").split()),  # a row is a line
            ]
        )
    return file.getvalue()
