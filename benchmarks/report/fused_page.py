"""Fusion beside the voice alone: docs/own-recordings.md."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.common.plain_speech import of_all
from benchmarks.common.results_file import Result
from benchmarks.report import corpora
from benchmarks.report.markdown import table

GAINS = ("corpus", "recordings", "UA, voice", "UA, fused", "points", "ECE, voice", "ECE, fused")
PAIRED = "with_an_agreeing_sentence"
BASELINE = "beside_a_baseline"
OVER_ALL = "ece_over_all_recordings"
BESIDE = """### Words beside a baseline

The same recordings, where their speaker has enough others: the voice is compared with about a minute of those. The last
columns are the UA of the same recordings without a baseline."""
SPEAKERS = """### Words of unknown speakers of known corpora

Here the speech network and fusion know the corpus, its room and its style, but not the speaker. The last columns are
the UA beside a baseline."""


def page(result: Result) -> str:
    """Return the tables of ``fused``: every corpus, alone and beside a baseline, unknown speakers, and plain speech."""
    head = (
        f"Corpora that neither the speech network nor fusion learned from, each recording with the words that the "
        f"recogniser writes of it, {result['date']}:"
    )
    parts = [head, _corpora(result), _plain(result), _example(result)]
    if BASELINE in result["mean"]:
        parts += [BESIDE, _beside(result)]
    if "unknown_speakers" in result:
        parts += [SPEAKERS, _unknown_speakers(result["unknown_speakers"])]
    return "\n\n".join(parts)


def _corpora(result: Result) -> str:
    rows = [
        (*_counted(name, found), *_gains(found), _points(found[PAIRED])) for name, found in result["corpora"].items()
    ]
    mean = result["mean"]
    rows.append(("mean without bursts", "", *_gains(mean), _points(mean[PAIRED])))
    return table((*GAINS, "with an agreeing sentence, points"), rows) + _over_all(mean)


def _over_all(mean: Result) -> str:
    """Return the calibration error over all recordings at once, in a sentence."""
    said = [f"{mean[OVER_ALL]['fused']:.3f}"]
    if BASELINE in mean:
        said.append(f"{mean[BASELINE][OVER_ALL]['fused']:.3f} beside a baseline, of the corpora that have one")
    return (
        "\n\nThe mean of the corpora's calibration errors is large because some corpora are harder than others, which "
        "nobody can tell from one recording. Over all recordings at once, where large corpora count more, that of the "
        f"fused answers is {' and '.join(said)}."
    )


def _beside(result: Result) -> str:
    rows = []
    for name, found in result["corpora"].items():
        if baseline := found.get(BASELINE):
            rows.append((*_counted(name, baseline), *_gains(baseline), *_both(baseline["without"])))
    mean = result["mean"][BASELINE]
    rows.append(("mean", "", *_gains(mean), *_both(mean["without"])))
    return table((*GAINS, "voice alone", "fused alone"), rows)


def _unknown_speakers(found: Result) -> str:
    rows = [
        (*_counted(name, corpus), *_gains(corpus), *_uas(corpus.get(BASELINE)))
        for name, corpus in found["corpora"].items()
    ]
    mean = found["mean"]
    rows.append(("mean without bursts", "", *_gains(mean), *_uas(mean.get(BASELINE))))
    return table((*GAINS, "voice, baseline", "fused, baseline"), rows)


def _counted(name: str, found: Result) -> tuple[str, str]:
    return corpora.title(name), str(found["n"])


def _gains(found: Result) -> tuple[str, ...]:
    voice, fused = found["voice"], found["fused"]
    return (
        f"{voice['ua']:.3f}",
        f"{fused['ua']:.3f}",
        f"{100 * (fused['ua'] - voice['ua']):+.1f}",
        f"{voice['ece']:.3f}",
        f"{fused['ece']:.3f}",
    )


def _points(uas: Result) -> str:
    return f"{100 * (uas['fused'] - uas['voice']):+.1f}"


def _both(uas: Result) -> tuple[str, str]:
    return f"{uas['voice']:.3f}", f"{uas['fused']:.3f}"


def _uas(baseline: Result | None) -> tuple[str, str]:
    return (f"{baseline['voice']['ua']:.3f}", f"{baseline['fused']['ua']:.3f}") if baseline else ("", "")


def _plain(result: Result) -> str:
    """Return how much plain speech is called an emotion with its own words, and how much with confidence."""
    kinds, branches = ("called_emotional", "and_sure"), ("voice", "fused")
    found = result["plain"]

    def row(title: str, of: Mapping[str, Result]) -> tuple[str, ...]:
        return title, str(of["voice"]["n"]), *(f"{of[who][kind]:.1%}" for kind in kinds for who in branches)

    rows = [row(corpora.title(name), plain) for name, plain in found.items()]
    total = {who: of_all([plain[who] for plain in found.values()]) for who in branches}
    rows.append(row("all recordings", total))
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
