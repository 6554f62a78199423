"""docs/precisions.md, from the result of ``precision`` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.common.results_file import Result
from benchmarks.report.markdown import machine, table

INTRODUCTION = """# What each precision gains and costs

Written by `python -m benchmarks render` from `benchmarks/results/precision.json`, which `python -m benchmarks
precision` measures: {machine}. Every variant is run once a round, in turn, so that noise meets all of them
alike; "x torch" is the median over the rounds of torch's time through the variant's own, at the same threads, one
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


def page(results: Mapping[str, Result], _manifest: Result) -> str:
    """Return the page."""
    found = results["precision"]
    networks = (_network(name, row) for name, row in found["networks"].items())
    return "\n\n".join([INTRODUCTION.format(machine=machine(found)), *networks])


def _network(name: str, row: Result) -> str:
    columns = [(size, threads) for size, by in row["latency"].items() for threads in by]
    scored = any("wa" in graph for graph in row["graphs"].values())
    times = [f"{size}, {threads} thread{'s' if threads != '1' else ''}" for size, threads in columns]
    head = ("", "MB", *times, "same label", "moved", *(("WA", "UA") if scored else ()))
    timed = row["latency"][columns[0][0]][columns[0][1]]
    lines = [_line(label, row, columns, scored=scored) for label in dict.fromkeys([*timed, *row["graphs"]])]
    failed = [f"{label} could not be made: {why}." for label, why in row["failed"].items()]
    about = f"Weights: {row['weights']}. Compared on {row['judged_on']} inputs; timed over {row['rounds']} rounds."
    return "\n\n".join([f"## {name}", " ".join([about, *failed]), table(head, lines)])


def _line(label: str, row: Result, columns: Sequence[tuple[str, str]], *, scored: bool) -> tuple[str, ...]:
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
