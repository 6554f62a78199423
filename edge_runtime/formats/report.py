"""A timeline as one page of HTML that needs nothing else: outline, curves, transcript, and the sound if wanted."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from itertools import pairwise

from edge_runtime.formats.audio_preview import AudioPreview
from edge_runtime.formats.clock import clock
from edge_runtime.formats.emotion import LEGEND, marked
from edge_runtime.formats.printable import visible
from edge_runtime.prediction import Segment

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#7a6a00", "#555555")
"""Okabe and Ito's, which are told apart by nearly all eyes; they begin again where there are more labels."""
WIDTH, HEIGHT, FOOT = 1000.0, 100.0, 8.0
BREAK_S = 15.0
"""Over a longer silence no curve is drawn."""
TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
MOST_TICKS = 8


def render(
    name: str,
    segments: Sequence[Segment],
    *,
    labels: Sequence[str],
    duration_s: float,
    preview: AudioPreview,
    notes: Sequence[str] = (),
) -> str:
    """Return the page.

    Args:
        name: of the recording, its title.
        segments: in order.
        labels: the emotions, one curve each.
        duration_s: of the recording.
        preview: its outline, one channel or as many as the segments name, and what is played, if anything.
        notes: what a reader should know.
    """
    css, script = ((files(__package__) / f"report.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    # Whatever a transcript or a file name holds: no other script than this one runs, and nothing is fetched.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; media-src data:"
    colours = "".join(f".label-{i} {{ --emotion: {COLOURS[i % len(COLOURS)]}; }}\n" for i in range(len(labels)))
    audio = ""
    if preview.mp3 is not None:
        audio = f'<audio controls src="data:audio/mpeg;base64,{base64.b64encode(preview.mp3).decode()}"></audio>'
    split = len({segment.channel for segment in segments} - {None}) > 0
    channels = [number if split else None for number in range(1, len(preview.outline) + 1)]
    panels = "".join(
        _panel([s for s in segments if s.channel == channel], labels, duration_s, outline, channel)
        for channel, outline in zip(channels, preview.outline.tolist(), strict=True)
    )
    legend = "".join(f'<li class="label-{i}">{escape(label)}</li>' for i, label in enumerate(labels))
    utterances = "".join(_utterance(segment, labels) for segment in segments)
    title = escape(visible(name))
    unsure = sum(segment.uncertain for segment in segments)
    counts = [f"{len(segments)} utterances", *([f"{unsure} uncertain ({LEGEND})"] if unsure else [])]
    about = " · ".join([clock(duration_s, decimals=0), *counts, *map(escape, notes)])
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{css}{colours}</style>
</head>
<body data-duration="{duration_s:.3f}">
<h1>{title}</h1>
<p>{about}</p>
<div class="controls">
{audio}
<div class="zoom"><button type="button" data-by="0.5" aria-label="zoom out">&minus;</button>
<button type="button" data-by="2" aria-label="zoom in">+</button></div>
<ul class="legend">{legend}</ul>
</div>
<div class="scroll"><div class="plot">
{panels}<div class="ticks">{_ticks(duration_s)}</div>
<div class="head"></div>
</div></div>
<ol class="utterances">
{utterances}</ol>
<script>{script}</script>
</body>
</html>
"""


def _panel(
    segments: Sequence[Segment], labels: Sequence[str], duration_s: float, outline: Sequence[float], channel: int | None
) -> str:
    title = "" if channel is None else f"<h2>channel {channel}</h2>"
    spans = "".join(
        f'<rect class="{_classes("span", s, labels)}" x="{_x(s.start_s, duration_s)}" '
        f'y="{HEIGHT:g}" width="{_x(s.end_s - s.start_s, duration_s)}" height="{FOOT:g}"/>'
        for s in segments
        if s.fused is not None
    )
    curves = "".join(
        f'<path class="curve label-{i}" d="{_curve(segments, label, duration_s)}"><title>{escape(label)}</title></path>'
        for i, label in enumerate(labels)
    )
    return (
        f'{title}<svg viewBox="0 0 {WIDTH:g} {HEIGHT + FOOT:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="waveform and emotions over time"><path class="waveform" d="{_waveform(outline)}"/>'
        f'<path class="ground" d="M0,{HEIGHT:g}H{WIDTH:g}"/>{curves}{spans}</svg>\n'
    )


def _classes(kind: str, segment: Segment, labels: Sequence[str]) -> str:
    """Return the classes that give a segment with an answer its colour, and show where it is uncertain."""
    return f"{kind} label-{labels.index(segment.likeliest or '')}" + " uncertain" * segment.uncertain


def _waveform(outline: Sequence[float]) -> str:
    """Return a closed path around the middle."""
    step, middle = WIDTH / len(outline), HEIGHT / 2
    upper = [f"{(i + 0.5) * step:.1f},{middle * (1 - 0.95 * peak):.1f}" for i, peak in enumerate(outline)]
    lower = [f"{(i + 0.5) * step:.1f},{middle * (1 + 0.95 * peak):.1f}" for i, peak in enumerate(outline)]
    return f"M{'L'.join(upper + lower[::-1])}Z"


def _curve(segments: Sequence[Segment], label: str, duration_s: float) -> str:
    """Return a path that is level over each utterance, leans between them, and stops over a long silence."""
    known = [(s, s.fused.scores[label]) for s in segments if s.fused]
    starts = [True, *(after.start_s - before.end_s > BREAK_S for (before, _), (after, _) in pairwise(known))]
    return "".join(
        f"{'M' if fresh else 'L'}{_x(s.start_s, duration_s)},{HEIGHT * (1 - score):.2f}H{_x(s.end_s, duration_s)}"
        for (s, score), fresh in zip(known, starts, strict=False)
    )


def _x(seconds: float, duration_s: float) -> str:
    return f"{WIDTH * seconds / duration_s:.2f}"


def _ticks(duration_s: float) -> str:
    step = next((s for s in TICKS_S if duration_s / s <= MOST_TICKS), TICKS_S[-1])
    return "".join(
        f'<span style="left: {100 * at / duration_s:.2f}%">{clock(at, decimals=0)}</span>'
        for at in range(0, int(duration_s), step)
    )


def _utterance(segment: Segment, labels: Sequence[str]) -> str:
    which = "" if segment.fused is None else f' class="{_classes("utterance", segment, labels)}"'
    feeling = "none" if segment.confidence is None else f"{escape(marked(segment))} {segment.confidence:.0%}"
    channel = "" if segment.channel is None else f"{segment.channel}: "
    return (
        f'<li{which}><button type="button" data-start="{segment.start_s:.3f}" data-end="{segment.end_s:.3f}">'
        f"<time>{clock(segment.start_s)}</time><span>{feeling}</span>"
        f'<span class="words">{channel}{escape(segment.transcript or "-")}</span></button></li>\n'
    )
