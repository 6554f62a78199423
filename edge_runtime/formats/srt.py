"""A timeline as SubRip (SRT): subtitles that say the emotion, for players that read no WebVTT."""

from __future__ import annotations

from collections.abc import Sequence

from edge_runtime.formats.clock import clock
from edge_runtime.formats.emotion import marked
from edge_runtime.prediction import Segment


def render(segments: Sequence[Segment]) -> str:
    """Return a numbered subtitle for each segment; "angry?" is uncertain. SubRip has no other way to write < or &."""
    found = []
    for number, segment in enumerate(segments, 1):
        begin, end = (clock(s, decimals=3, hours=True).replace(".", ",") for s in (segment.start_s, segment.end_s))
        feeling = f"[{marked(segment)}, {segment.confidence:.0%}] " if segment.confidence is not None else ""
        channel = f"channel {segment.channel}: " if segment.channel is not None else ""
        words = " ".join((channel + feeling + (segment.transcript or "")).split())  # an empty line would end it
        found.append(f"{number}\n{begin} --> {end}\n{words}\n")
    return "\n".join(found)
