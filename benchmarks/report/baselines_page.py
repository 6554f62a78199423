"""The comparison with peers, in words: the README's table, and the aims that were set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.report.markdown import Result, machine, megabytes, table

OURS = "edge_iemonet"
CLIP = "4"


def front(result: Result) -> str:
    """Return the README's one table."""
    rows = [
        (
            peer["title"],
            f"{peer['ms'][CLIP]['p50']:.0f} ms",
            "" if name == OURS else f"{peer['times_ours'][CLIP]['median']:.1f}",
            f"{peer['cold_start_s']['median']:.1f} s",
            f"{peer['peak_memory_mb']:.0f} MB",
            f"{megabytes(peer):.0f} MB",
            f"{peer['wer']:.1%}",
        )
        for name, peer in result["peers"].items()
    ]
    head = ("", "a 4 s clip", "times ours", "process start to first result", "peak memory", "installed", "WER")
    return table(head, rows)


def page(result: Result, again: Result | None) -> str:
    """Return the section of docs/benchmarks.md."""
    lengths = list(next(iter(result["peers"].values()))["ms"])
    rows = [
        (
            peer["title"],
            *(f"{peer['ms'][s]['p50']:.0f}" for s in lengths),
            *("" if name == OURS else _both(peer["times_ours"][s]["median"], again, name, s) for s in lengths),
        )
        for name, peer in result["peers"].items()
    ]
    head = ("", *(f"{s} s, ms" for s in lengths), *(f"{s} s, times ours" for s in lengths))
    said = [
        (
            peer["title"],
            f"{peer['wer']:.1%}",
            "" if peer["same_words_as_torch"] is None else f"{peer['same_words_as_torch']} of {result['recordings']}",
            f"{peer['installed_mb']['packages']:.0f} + {peer['installed_mb']['weights']:.0f}",
        )
        for peer in result["peers"].values()
    ]
    second = "" if again is None else " After the comma, the same on a second run."
    return "\n\n".join([
        f"{machine(result)}, {result['threads']} thread, {result['calls']} calls for each length, peers in turn, "
        f"medians; ratios are medians over pairs of calls on the same clip.{second}",
        table(head, rows),
        table(("", "WER RAVDESS", "same words as torch", "MB on disk, packages + weights"), said),
        _aims(result, again),
    ])  # fmt: skip


def _both(ratio: float, again: Result | None, name: str, length: str) -> str:
    if again is None:
        return f"{ratio:.1f}"
    return f"{ratio:.1f}, {again['peers'][name]['times_ours'][length]['median']:.1f}"


def aims(result: Result) -> list[tuple[str, float, float]]:
    """Return what was aimed at, the least factor wanted, and the factor reached."""
    ours, torch, whisper = (result["peers"][n] for n in (OURS, "transformers_torch", "faster_whisper_torch"))
    return [
        ("speed, 4 s clip, against transformers on torch", 8.0, torch["times_ours"][CLIP]["median"]),
        ("speed, 4 s clip, against faster-whisper and torch", 4.0, whisper["times_ours"][CLIP]["median"]),
        ("cold start against transformers on torch", 5.0, torch["cold_start_times_ours"]["median"]),
        ("installed size against transformers on torch", 4.0, megabytes(torch) / megabytes(ours)),
        ("peak memory against transformers on torch", 2.0, torch["peak_memory_mb"] / ours["peak_memory_mb"]),
    ]


def _aims(result: Result, again: Result | None) -> str:
    second = {} if again is None else {what: reached for what, _, reached in aims(again)}
    rows = [
        (what, f"{wanted:g}", f"{reached:.1f}" + (f", {second[what]:.1f}" if what in second else ""), _verdict(
            wanted, reached, second.get(what)))
        for what, wanted, reached in aims(result)
    ]  # fmt: skip
    return table(("aim: so many times better", "wanted", "reached", ""), rows)


def _verdict(wanted: float, reached: float, again: float | None) -> str:
    met = [value >= wanted for value in (reached, again) if value is not None]
    return "met" if all(met) else "missed" if not any(met) else "met once"


def sentence(metrics: Mapping[str, Any]) -> str:
    """Return the README's word on accuracy, from the bundle's manifest."""
    voice, fused = metrics["speech"]["speaker_exclusive"]["ravdess"]["clean"], metrics["fusion"]
    pairs = fused["agreeing_pairs_of_unknown_speakers_and_dev_words"]["fused"]
    other = metrics["speech"]["trained_on_the_other_corpus"]["emodb"]["clean"]
    return (
        f"How right it is: mean recall over four emotions {voice['ua']:.2f} from the voice of RAVDESS speakers that it "
        f"does not know, {other['ua']:.2f} on EmoDB when trained on RAVDESS alone, {pairs['ua']:.2f} from unknown "
        "voices and MELD words of the same label. Every protocol, and the paper's numbers, are in "
        "[docs/results.md](docs/results.md); speed slot by slot, noise and codecs, and what int8 changes, in "
        "[docs/benchmarks.md](docs/benchmarks.md)."
    )
