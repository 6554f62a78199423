"""A timeline as WebVTT: subtitles that say the emotion, for players and video on the web."""

from __future__ import annotations

from collections.abc import Sequence

from edge_runtime.formats.clock import clock
from edge_runtime.formats.emotion import marked
from edge_runtime.prediction import Segment


def render(segments: Sequence[Segment]) -> str:
    """Return a cue for each segment; the voice tag of a cue is its channel, and "angry?" is uncertain."""
    cues = []
    for segment in segments:
        begin, end = (clock(s, decimals=3, hours=True) for s in (segment.start_s, segment.end_s))
        feeling = f"[{marked(segment)}, {segment.confidence:.0%}] " if segment.confidence is not None else ""
        voice = f"<v channel {segment.channel}>" if segment.channel is not None else ""
        cues.append(f"{begin} --> {end}\n{voice}{_escaped(feeling + (segment.transcript or ''))}\n")
    return "\n".join(["WEBVTT\n", *cues])


def _escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(text.split())  # an empty line would end the cue
