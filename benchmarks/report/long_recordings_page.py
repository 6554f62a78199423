"""The figures of docs/long-recordings.md and docs/runtime.md, from the results' JSON alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge_runtime.system.writing import write_text

END = "<!-- end of figures -->"
Result = dict[str, Any]


def render(results: Path, page: Path, tables: Mapping[str, Callable[[Result], str]]) -> None:
    """Fill what stands between each pair of marks in ``page``: a table of each result, by its name.

    Raises:
        ValueError: a mark is not there.
    """
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        mark = f"<!-- figures: python -m benchmarks {name} -->"
        before, begin, rest = text.partition(mark)
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise ValueError(f"{page}: expected the marks {mark} and {END}")
        found = table(json.loads((results / f"{name}.json").read_text(encoding="utf-8")))
        text = f"{before}{begin}\n\n{found}\n\n{end}{after}"
    write_text(page, text)


def hours(result: Result) -> str:
    """Return a table of what an hour took."""
    rows: list[tuple[str, Callable[[Result], str]]] = [
        ("length", lambda r: f"{r['seconds'] / 60:.0f} min"),
        ("utterances (of 3 to 15 s)", lambda r: f"{r['utterances']} ({r['of_3_to_15_s']})"),
        ("share of time in them", lambda r: f"{r['share_in_utterances']:.0%}"),
        ("words recognised", lambda r: f"{r['words']}"),
        ("real-time factor, by processor time", lambda r: f"{r['rtf_processor']:.3f}"),
        ("real-time factor, by the clock", lambda r: f"{r['rtf_wall']:.3f}"),
        ("peak memory", lambda r: f"{r['peak_memory_mb']:.0f} MB"),
        ("more than a clip of 10 s", lambda r: f"{r['memory_over_clip_mb']:+.0f} MB"),
        ("same scores and words alone", lambda r: f"{r['the_same_alone']} of {r['classified_alone']}"),
    ]
    both = [result["conversation"], result["monologue"]]
    lines = ["|  | RAVDESS clips and pauses | jfk.wav again and again |", "| --- | --- | --- |"]
    lines += [f"| {name} | {' | '.join(show(r) for r in both)} |" for name, show in rows]
    machine = result["machine"]["processor"]["name"]
    return f"One thread of {machine}, {result['date']}:\n\n" + "\n".join(lines)


def segments(result: Result) -> str:
    """Return a table of the voices that were found."""
    lines = [
        f"Of {result['clips']} RAVDESS clips, {result['date']}:\n",
        "|  | found alone | found in the stream | of the time spoken | heard in pauses |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, r in result["conditions"].items():
        pauses = f"{r['seconds_heard_in_pauses']:.0f} of {r['seconds_of_pauses']:.0f} s"
        found = f"{r['found_alone']} | {r['found_in_the_stream']} | {r['share_of_spoken_time']:.1%}"
        lines.append(f"| {name} | {found} | {pauses} |")
    return "\n".join(lines)


def doubt(result: Result) -> str:
    """Return a table of the words that were doubted."""
    lines = [
        f"Of up to {result['clips_of_each'] // 2} recordings of each corpus, {result['date']}; others chose the "
        "threshold:\n",
        "| corpus | language | utterances | with the note |",
        "| --- | --- | --- | --- |",
    ]
    for row in sorted(result["corpora"], key=lambda row: (row["language"] != "en", row["language"], row["corpus"])):
        lines.append(f"| {row['corpus']} | {row['language']} | {row['utterances']} | {row['doubted']:.0%} |")
    return "\n".join(lines)


LONG_RECORDINGS = {"segments": segments, "long": hours}
RUNTIME = {"doubt": doubt}
