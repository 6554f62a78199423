"""A timeline as a TextGrid of Praat, with a tier of emotions, one of confidences and one of words a channel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from edge_runtime.formats.emotion import marked
from edge_runtime.prediction import Segment

Text = Callable[[Segment], str]
TIERS: dict[str, Text] = {
    "emotion": marked,
    "confidence": lambda segment: "" if segment.confidence is None else f"{segment.confidence:.3f}",
    "words": lambda segment: segment.transcript or "",
}


def render(segments: Sequence[Segment], duration_s: float) -> str:
    """Return a TextGrid of ``duration_s`` seconds; between segments its intervals are empty, as Praat wants it.

    An emotion with a question mark, such as "angry?", is uncertain.
    """
    channels = sorted({segment.channel for segment in segments}, key=lambda channel: channel or 0) or [None]
    tiers = []
    for channel in channels:
        of_channel = [segment for segment in segments if segment.channel == channel]
        suffix = "" if channel is None else f" {channel}"
        tiers += [
            _tier(name + suffix, _filled(of_channel, text, duration_s), duration_s) for name, text in TIERS.items()
        ]
    lines = [
        'File type = "ooTextFile"', 'Object class = "TextGrid"', "",
        "xmin = 0", f"xmax = {duration_s:.6f}", "tiers? <exists>", f"size = {len(tiers)}", "item []:",
    ]  # fmt: skip
    for number, tier in enumerate(tiers, start=1):
        lines += [f"    item [{number}]:", *(f"        {line}" for line in tier)]
    return "\n".join(lines) + "\n"


def _filled(segments: Iterable[Segment], text: Text, duration_s: float) -> list[tuple[float, float, str]]:
    """Return intervals from 0 to the end without a gap."""
    intervals, reached = [], 0.0
    for segment in segments:
        if segment.start_s > reached:
            intervals.append((reached, segment.start_s, ""))
        intervals.append((segment.start_s, segment.end_s, text(segment)))
        reached = segment.end_s
    if reached < duration_s:
        intervals.append((reached, duration_s, ""))
    return intervals


def _tier(name: str, intervals: Sequence[tuple[float, float, str]], duration_s: float) -> list[str]:
    lines = [
        'class = "IntervalTier"', f"name = {_quoted(name)}",
        "xmin = 0", f"xmax = {duration_s:.6f}", f"intervals: size = {len(intervals)}",
    ]  # fmt: skip
    for number, (begin, end, text) in enumerate(intervals, start=1):
        lines += [f"intervals [{number}]:", f"    xmin = {begin:.6f}", f"    xmax = {end:.6f}"]
        lines.append(f"    text = {_quoted(text)}")
    return lines


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
