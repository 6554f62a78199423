"""docs/precisions.md, from the result of ``precision`` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.common.results_file import Result
from benchmarks.report import corpora
from benchmarks.report.markdown import machine, table

INTRODUCTION = """# What each precision gains and costs

## Network by network

Written by `python -m benchmarks render` from `benchmarks/results/precision.json`, which `python -m benchmarks
precision` measures: {machine}. Every variant is run once a round, in turn, so that noise meets all of them
alike; "x torch" is the median over the rounds of torch's time through the variant's own, at the same threads, one
utterance, nothing padded. The machine was shared: read the ratios, not the milliseconds.

"same label" counts answers whose best label is that of fp32 (of Whisper's encoder: the largest of each state's values;
of its decoder: the next token), "moved" is by how much a label's share of the softmax moves on average. A network with
random weights has nearly the same answer to everything: its agreement tells of arithmetic, not of accuracy. The rows
of text encoders in int8 are older than the channels that stay exact in them now ([export.md](export.md)); those of
the next section have them.

| precision | what it is |
|---|---|
| fp32 fused | attention, layer norm with the sum before it, and GELU made one operation each, before loading |
| int8, 7 bits | `--target avx2`: weights of 7 bits, safe on every processor |
| int8, 8 bits | `--target avx512_vnni` or `arm64`: weights of 8 bits; can saturate on x86 without VNNI |
| int8 static | as that, with activation ranges calibrated on 16 of the inputs that it is compared on |
| int4 | removed since: 4 bits by 32, activations fp32; half as fast as int8, and no smaller as a bundle |
| fp16 | for CUDA, which could not be run here: compared on the CPU, not timed |"""


WHOLE_TESTS = """## Text on whole test parts

Every text of the official part is asked, in torch and of the graphs that the export makes for each target; the same
graphs answer on each processor. Torch answers in batches, and a graph text by text, as in the runtime. *Same label*
counts the answers that are torch's. On a processor without VNNI the weights of 8 bits can saturate; those of 7 bits are
the default of the export because they cannot."""
PROCESSORS = """## One bundle on two processors

`python -m benchmarks processors` has a bundle answer to recordings of every corpus, drawn by a seed; `--compare` takes
the result file of another machine. Scores differ a little there, and the recogniser may write other words, above all of
languages that it does not know. A label of text that differs is mostly that of other words."""
BRANCHES = {"voice": "speech", "words": "text", "fused": "fused"}
"""What the page calls each branch."""


def page(results: Mapping[str, Result], _manifest: Result) -> str:
    """Return the page; a result that was not measured has no section."""
    found = results["precision"]
    parts = [INTRODUCTION.format(machine=machine(found)), *(_network(*row) for row in found["networks"].items())]
    if whole := [result for name, result in results.items() if name.startswith("whole-tests")]:
        parts += [WHOLE_TESTS, *map(_whole_tests, whole)]
    if compared := [r for name, r in results.items() if name.startswith("processors") and "compared" in r]:
        parts += [PROCESSORS, *map(_processors, compared)]
    return "\n\n".join(parts)


def _whole_tests(result: Result) -> str:
    rows = []
    for name, found in result["checkpoints"].items():
        about = f"{name}: {found['weights']}, {found['n']:,} texts"
        rows.append((about, "torch", "", *_accuracy(found["torch"]), ""))
        for bits in ("8 bits", "7 bits"):
            row = found[bits]
            rows.append(("", bits, f"{row['mb']:.1f}", *_accuracy(row), f"{row['same_label']:.2%}"))
    return f"{machine(result)}:\n\n" + table(("", "", "MB", "UA", "WA", "same label"), rows)


def _accuracy(found: Result) -> tuple[str, str]:
    return f"{found['ua']:.4f}", f"{found['wa']:.4f}"


def _processors(result: Result) -> str:
    found = result["compared"]
    rows = [_agreed(corpora.title(name), of) for name, of in found["by_corpus"].items()]
    same = found["words_of_the_same_transcript"]
    differences = ", ".join(f"{found[branch]['largest_difference']:.3f} of {what}" for branch, what in BRANCHES.items())
    return (
        f"Bundle {result['bundle']['version']}, {found['clips']} recordings, {machine(result)}, against "
        f"{machine(found['with'])}. The bar of {found['bar']:.0%} of the labels of every branch is "
        f"{'met' if found['met'] else 'missed'}. The largest differences of a score: {differences}. Where the "
        f"transcript is the same, text has the same label in {same['same_label']:.1%} of {same['n']}.\n\n"
    ) + table(
        ("the same", "recordings", "transcript", *(f"label, {what}" for what in BRANCHES.values())),
        [*rows, _agreed("all recordings", found)],
    )


def _agreed(title: str, found: Result) -> tuple[str, ...]:
    labels = (f"{found[branch]['same_label']:.1%}" for branch in BRANCHES)
    return title, str(found["clips"]), f"{found['same_transcript']:.1%}", *labels


def _network(name: str, row: Result) -> str:
    columns = [(size, threads) for size, by in row["latency"].items() for threads in by]
    scored = any("wa" in graph for graph in row["graphs"].values())
    times = [f"{size}, {threads} thread{'s' if threads != '1' else ''}" for size, threads in columns]
    head = ("", "MB", *times, "same label", "moved", *(("WA", "UA") if scored else ()))
    timed = row["latency"][columns[0][0]][columns[0][1]]
    lines = [_line(label, row, columns, scored=scored) for label in dict.fromkeys([*timed, *row["graphs"]])]
    failed = [f"{label} could not be made: {why}." for label, why in row["failed"].items()]
    about = f"Weights: {row['weights']}. Compared on {row['judged_on']} inputs; timed over {row['rounds']} rounds."
    return "\n\n".join([f"### {name}", " ".join([about, *failed]), table(head, lines)])


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
