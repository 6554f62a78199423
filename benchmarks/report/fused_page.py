"""Fusion beside the voice alone: docs/own-recordings.md."""

from __future__ import annotations

from benchmarks.common.results_file import Result
from benchmarks.report import corpora
from benchmarks.report.markdown import table

COLUMNS = (
    "corpus",
    "recordings",
    "UA, voice",
    "UA, fused",
    "points",
    "ECE, voice",
    "ECE, fused",
    "with an agreeing sentence, points",
)


def page(result: Result) -> str:
    """Return the tables of ``fused``: every corpus, and plain speech."""
    head = (
        f"Corpora that neither the speech network nor fusion learned from, each recording with the words that the "
        f"recogniser writes of it, {result['date']}:"
    )
    return "\n\n".join([head, _corpora(result), _plain(result), _example(result)])


def _corpora(result: Result) -> str:
    rows = []
    for name, found in result["corpora"].items():
        pair = found["with_an_agreeing_sentence"]
        rows.append((corpora.title(name), str(found["n"]), *_compared(found, pair)))
    mean = result["mean"]
    rows.append(("mean without bursts", "", *_compared(mean, mean["with_an_agreeing_sentence"])))
    return table(COLUMNS, rows)


def _compared(found: Result, pair: Result) -> tuple[str, ...]:
    voice, fused = found["voice"], found["fused"]
    return (
        f"{voice['ua']:.3f}",
        f"{fused['ua']:.3f}",
        f"{100 * (fused['ua'] - voice['ua']):+.1f}",
        f"{voice['ece']:.3f}",
        f"{fused['ece']:.3f}",
        f"{100 * (pair['fused'] - pair['voice']):+.1f}",
    )


def _plain(result: Result) -> str:
    """Return how much plain speech is called an emotion with its own words, and how much with confidence."""
    kinds = ("called_emotional", "and_sure")
    rows = [
        (
            corpora.title(name),
            str(found["n"]),
            *(f"{found[who][kind]:.1%}" for kind in kinds for who in ("voice", "fused")),
        )
        for name, found in result["plain"].items()
    ]
    total = sum(found["n"] for found in result["plain"].values())
    shares = [
        sum(found["n"] * found[who][kind] for found in result["plain"].values()) / total
        for kind in kinds
        for who in ("voice", "fused")
    ]
    rows.append(("all recordings", str(total), *(f"{share:.1%}" for share in shares)))
    sure = f"with {result['sure']:g} or more"
    return ("Plain speech with its own words: how much is called an emotion, and with which confidence:\n\n") + table(
        ("", "recordings", "emotional, voice", "fused", f"{sure}, voice", "fused"), rows
    )


def _example(result: Result) -> str:
    example = result["example"]
    said = {
        who: max(example[who].items(), key=lambda score: score[1])
        for who in ("voice", "words", "fused")
        if example[who] is not None
    }
    answers = ", ".join(f"{who} {label} {score:.0%}" for who, (label, score) in said.items())
    return f"`{example['file']}` by bundle {example['bundle_version']}: {answers}."
