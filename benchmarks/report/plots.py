"""Plots for docs and README, from the results' JSON alone; readable on light and on dark pages."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.common.results_file import Result
from benchmarks.report import corpora
from benchmarks.report.languages_page import mean_cer
from edge_runtime.system.writing import writing

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

GREY = "#7d8590"
"""Contrast of 4 to 1 against white and against black."""
COLOURS = ("#1f9e6e", "#d9772b", "#8a63d2", "#2f81f7", "#d1495b", "#b08900", "#0e9aa7", "#8c8c8c")
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "edge-iemonet",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10.0,
    "savefig.transparent": True,
    "text.color": GREY,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.titlecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}
LABEL_APART = 1.25
"""On a logarithmic axis, labels nearer than this factor overlap."""
SLOTS = ("read", "vad", "speech_encoder", "speech_emotion", "transcript_decoder", "text_emotion", "fusion")
CURVES = {
    "voice": "speech",
    "words": "text",
    "both": "fused, agreeing",
    "both_with_its_own_sentence": "fused, own sentence",
}


def baselines(result: Result, target: Path) -> None:
    """Draw the time that a clip takes against its length, a line for each pipeline that tells emotions."""
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(7.2, 3.2))
        whole = [pipeline for pipeline in result["baselines"].values() if pipeline["whole"]]
        ends: list[tuple[float, str]] = []
        for pipeline, colour in zip(whole, COLOURS, strict=False):
            lengths = [float(length) for length in pipeline["ms"]]
            ms = [part["p50"] for part in pipeline["ms"].values()]
            axes.plot(lengths, ms, marker="o", color=colour, label=pipeline["title"])
            ends.append((ms[-1], colour))
        axes.set(yscale="log", xlabel="seconds of speech", ylabel="ms a clip (log)")
        axes.set_xlim(0, 17.5)
        above = 0.0
        for ms_at_end, colour in sorted(ends):
            above = max(ms_at_end, LABEL_APART * above)
            axes.annotate(f"{ms_at_end:.0f} ms", (15.3, above), color=colour, va="center")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
        _save(figure, target)


def latency(result: Result, target: Path) -> None:
    """Draw the time of each slot, stacked, against the clip's length, on one thread."""
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(7.2, 3.2))
        lengths = result["ways"]["cpu, 1 thread"]
        names = [f"{length} s" for length in lengths]
        bottom = [0.0] * len(names)
        for slot, colour in zip(SLOTS, COLOURS, strict=False):
            ms = [part[slot]["p50"] if slot in part else 0.0 for part in lengths.values()]
            axes.bar(names, ms, bottom=bottom, color=colour, label=slot.replace("_", " "))
            bottom = [a + b for a, b in zip(bottom, ms, strict=True)]
        axes.set(xlabel="length of the clip", ylabel="ms, median")
        axes.legend(loc="upper left")
        _save(figure, target)


def robustness(result: Result, target: Path) -> None:
    """Draw a panel for each kind of corruption: UA of speech, text and fused; dotted, the same on unaltered sound."""
    kinds = list(result["axes"])
    columns = 3
    lines = -(-len(kinds) // columns)
    with mpl.rc_context(STYLE):
        figure, grid = plt.subplots(lines, columns, figsize=(9, 2.5 * lines), sharey=True, squeeze=False)
        for axes in grid.flat[len(kinds) :]:
            axes.set_visible(False)
        for axes, kind in zip(grid.flat, kinds, strict=False):
            _curves(axes, kind, result)
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncols=len(labels))
        figure.tight_layout(rect=(0, 0.04, 1, 1))
        _save(figure, target)


def unseen(result: Result, target: Path) -> None:
    """Draw UA on left-out corpora against seconds of baseline: the mean, beside the same without, and each corpus."""
    moods = {f"all {label}" for label in result["labels"]}
    names = [name for name in result["mean"] if name not in moods]
    with mpl.rc_context(STYLE):
        figure, (means, each) = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
        mean = [result["mean"][name] for name in names]
        means.plot(names, [m["ua"] for m in mean], marker="o", color=GREY, linewidth=2.5, label="mean")
        without = [m["ua_without"] for m in mean]
        means.plot(names, without, color=GREY, linestyle="--", label="the same recordings without")
        means.set(title="mean over corpora", xlabel="baseline", ylabel="UA")
        means.legend(loc="lower right")
        each.plot(names, [float("nan")] * len(names))  # all lengths in their order, whichever a corpus has
        for (corpus, found), colour in zip(result["corpora"].items(), itertools.cycle(COLOURS)):
            there = [name for name in names if name in found["conditions"]]
            uas = [found["conditions"][name]["ua"] for name in there]
            each.plot(there, uas, marker="o", markersize=3, color=colour, label=corpora.title(corpus))
        each.set(title="each left-out corpus", xlabel="baseline")
        each.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        figure.tight_layout()
        _save(figure, target)


def languages(result: Result, target: Path) -> None:
    """Draw mean character error rate and UA of speech against ms a recording; the area of a point is its megabytes."""
    with mpl.rc_context(STYLE):
        figure, (words, voice) = plt.subplots(1, 2, figsize=(9, 3.2))
        for (name, found), colour in zip(result["bundles"].items(), itertools.cycle(COLOURS)):
            style: dict[str, Any] = {"s": 2 * found["mb"], "color": colour, "alpha": 0.6}
            words.scatter(found["ms_a_clip"], mean_cer(found), label=f"{name}, {found['mb']:.0f} MB", **style)
            if found["ua"] is not None:
                voice.scatter(found["ms_a_clip"], found["ua"], **style)
        words.set(title="words", xlabel="ms a recording", ylabel="mean character error rate", ylim=(0, 1))
        voice.set(title="voice, corpora never met", xlabel="ms a recording", ylabel="UA", ylim=(0, 1))
        for axes in (words, voice):
            axes.set_xlim(0, 1.2 * max(found["ms_a_clip"] for found in result["bundles"].values()))
        handles, labels = words.get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncols=len(labels), markerscale=0.7)
        figure.tight_layout(rect=(0, 0.1, 1, 1))
        _save(figure, target)


def _curves(axes: Axes, kind: str, result: Result) -> None:
    rows = sorted((r for r in result["conditions"] if r["kind"] == kind), key=lambda r: float(r["level"]))
    (clean,) = (r for r in result["conditions"] if r["kind"] == "clean")
    levels = [f"{row['level']:g}" for row in rows]
    for (part, label), colour in zip(CURVES.items(), COLOURS, strict=False):
        axes.axhline(clean[part]["ua"], color=colour, linestyle=":", linewidth=1)
        values = [row[part]["ua"] for row in rows]
        low = [row[part]["ua_interval"][0] for row in rows]
        high = [row[part]["ua_interval"][1] for row in rows]
        axes.plot(levels, values, marker="o", color=colour, label=label)
        axes.fill_between(levels, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set(title=kind, xlabel=result["axes"][kind], ylim=(0, 1))
    if axes.get_subplotspec() is None or axes.get_subplotspec().is_first_col():  # type: ignore[union-attr]
        axes.set_ylabel("UA")


def _save(figure: Figure, target: Path) -> None:
    with writing(target) as file:
        figure.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    plt.close(figure)
