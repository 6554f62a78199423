"""A timeline as CSV, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from edge_runtime.prediction import Segment


def render(segments: Sequence[Segment], labels: Sequence[str]) -> str:
    """Return a header and a row for each segment.

    The columns are times, channel, emotion, the score of each of ``labels``, words, whether the answer is uncertain
    (true or false), and the seconds of speech with which it was compared.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    head = ["start_s", "end_s", "channel", "label", "confidence", *labels, "transcript"]
    writer.writerow([*head, "uncertain", "baseline_s", "language"])
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
                "" if segment.fused is None else str(segment.uncertain).lower(),
                f"{segment.baseline_s:.3f}",
                segment.language,
            ]
        )
    return file.getvalue()
