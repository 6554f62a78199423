"""docs/precisions.md, from export.json alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.precision.measure import TORCH
from edge_runtime.system.writing import write_text

INTRODUCTION = """# What each precision gains and costs

Written by `python -m benchmarks render` from `benchmarks/results/export.json`, which
`python -m benchmarks export-table`
measures: {processor} ({features}), {date}. Every variant is run once a round, one after the other, so that noise meets
them alike; "x torch" is the median over the rounds of torch's time through the variant's own, at the same threads, one
utterance, nothing padded. The machine was shared: read the ratios, not the milliseconds.

"same label" counts answers whose best label is that of fp32 (of Whisper's encoder: the largest of each state's values;
of its decoder: the next token), "moved" is by how much a label's share of the softmax moves on average. A network with
random weights has nearly the same answer to everything: its agreement tells of arithmetic, not of accuracy.

| precision | what it is |
|---|---|
| fp32 fused | attention, layer norm with the sum before it, and GELU made one operation each, before loading |
| int8, 7 bits | `--target avx2`: weights of 7 bits, safe on every processor |
| int8, 8 bits | `--target avx512_vnni` or `arm64`: weights of 8 bits; can saturate on x86 without VNNI |
| int8 static | as that, with activation ranges calibrated on 16 inputs |
| int4 | removed since: 4 bits by 32, activations fp32; half as fast as int8, and no smaller as a bundle |
| fp16 | for CUDA, which could not be run here: compared on the CPU, not timed |"""


def render(results: Path, page: Path) -> None:
    """Write ``page``; nothing where nothing was measured."""
    path = results / "export.json"
    if not path.is_file():
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    processor = found["machine"]["processor"]
    head = INTRODUCTION.format(
        processor=processor["name"], features=", ".join(processor["features"]), date=found["date"]
    )
    parts = [head, *(_network(name, row) for name, row in found["networks"].items())]
    write_text(page, "\n\n".join(parts) + "\n")


def _network(name: str, row: Mapping[str, Any]) -> str:
    columns = [(size, threads) for size, by in row["latency"].items() for threads in by]
    scored = any("wa" in graph for graph in row["graphs"].values())
    lines = [_line(label, row, columns, scored=scored) for label in (TORCH, *row["graphs"])]
    heads = [f"{size}, {threads} thread{'s' if threads != '1' else ''}" for size, threads in columns]
    table = [("", "MB", *heads, "same label", "moved", *(("WA", "UA") if scored else ())), *lines]
    failed = [f"{label} could not be made: {why}." for label, why in row["failed"].items()]
    about = f"Weights: {row['weights']}. Compared on {row['judged_on']} inputs; timed over {row['rounds']} rounds."
    return "\n\n".join([f"## {name}", " ".join([about, *failed]), _table(table)])


def _line(label: str, row: Mapping[str, Any], columns: Sequence[tuple[str, str]], *, scored: bool) -> tuple[str, ...]:
    graph = row["graphs"].get(label, {})
    times = []
    for size, threads in columns:
        time = row["latency"][size][threads].get(label)
        times.append(f"{time['ms']:.1f} ms ({time['times_torch']:.1f}x)" if time else "")
    cells = [f"{graph['mb']:.1f}" if graph else "", *times]
    cells += [f"{graph['same_label']:.1%}", f"{graph['mean_share_moved']:.1e}"] if graph else ["", ""]
    if scored:
        cells += [f"{100 * graph[k]:.2f}" if graph else "" for k in ("wa", "ua")]
    return (label, *cells)


def _table(lines: Sequence[tuple[str, ...]]) -> str:
    head, *rest = lines
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, tuple("---" for _ in head), *rest))
