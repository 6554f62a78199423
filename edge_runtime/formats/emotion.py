"""An emotion in a word, and whether the answer is uncertain."""

from __future__ import annotations

from edge_runtime.prediction import UNCERTAIN, Segment

MARK = "?"
"""Behind the likeliest emotion of an uncertain answer, where there is little room: in tables, subtitles and tiers."""
LEGEND = f"{MARK} = uncertain"


def marked(segment: Segment) -> str:
    """Return the likeliest emotion, such as "angry", or "angry?" if that is uncertain; "" where there is no answer."""
    return (segment.likeliest or "") + MARK * segment.uncertain


def spelled_out(likeliest: str | None, *, uncertain: bool) -> str:
    """Return the emotion, such as "angry", or "uncertain (leaning angry)"; "" where there is no answer."""
    return f"{UNCERTAIN} (leaning {likeliest})" if uncertain else likeliest or ""
