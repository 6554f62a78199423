"""The comparison with other pipelines: README's table, the section of docs/benchmarks.md, and the aims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.common.results_file import Result
from benchmarks.report.markdown import machine, table

OURS = "edge_iemonet"
CLIP = "4"
TEXT = """## Beside other pipelines

All pipelines get the same clips. Each runs in a process and an environment of its own
(`benchmarks/baselines/pipelines`: the pipeline, and its requirements beside it), as its documentation recommends,
greedy, on one thread. All but the last also tell the emotion, by speech, text and fusion networks of the same shapes.
*transformers on torch* encodes once, for the transcript and for the emotion in speech. faster-whisper and optimum do
not hand out the states that speech emotion reads, so these two encode a second time. The last is compared with our time
for the transcript alone. None of the others looks for speech first; edge-iemonet does. RAVDESS has two sentences; clips
of 15 s begin with the 11 s of `examples/jfk.wav`, because the same sentence again and again sends Whisper into loops.
Cold start, peak memory and word error rate were measured in the same run; they are in the table of the
[README](../README.md). Peak memory grows with the longest utterance, here 15 s; the peak of an hour of speech, which is
cut into shorter utterances, is in [long-recordings.md](long-recordings.md). Sizes on disk are without the files that
Python compiles."""


def readme(result: Result, manifest: Result) -> str:
    """Return README's figures: the one table of all pipelines, the plot, and the accuracy in a sentence.

    Args:
        result: of ``baselines``.
        manifest: of the bundle.
    """
    rows = [
        (
            pipeline["title"],
            f"{pipeline['ms'][CLIP]['p50']:.0f} ms",
            "" if name == OURS else f"{pipeline['times_ours'][CLIP]['median']:.1f}",
            f"{pipeline['cold_start_s']['median']:.1f} s",
            f"{pipeline['peak_memory_mb']:.0f} MB",
            f"{_disk_mb(pipeline):.0f} MB",
            f"{pipeline['wer']:.1%}",
        )
        for name, pipeline in result["baselines"].items()
    ]
    head = ("", "a 4 s clip", "times ours", "cold start", "peak memory", "installed", "WER")
    longest = list(next(iter(result["baselines"].values()))["ms"])[-1]
    return "\n\n".join(
        [
            f"The same clips, one thread, the pipelines in turn, medians; {machine(result)}. Cold start is from the "
            f"start of the process to the first result, peak memory that after clips of up to {longest} s, WER that of "
            f"{result['recordings']} RAVDESS recordings. *Times ours* is the median over pairs of calls on one clip.",
            table(head, rows),
            "![time of a clip against its length, by pipeline](docs/baselines.svg)",
            _accuracy(manifest["metrics"]),
        ]
    )


def section(measured: Sequence[Result]) -> list[str]:
    """Return the section of docs/benchmarks.md, of the results of ``baselines`` on each processor."""
    result, *elsewhere = measured
    same = [
        (
            pipeline["title"],
            "" if pipeline["same_words_as_torch"] is None else f"{pipeline['same_words_as_torch']}",
            f"{pipeline['installed_mb']['packages']:.0f} + {pipeline['installed_mb']['weights']:.0f}",
        )
        for pipeline in result["baselines"].values()
    ]
    return [
        TEXT,
        "![time against length, by pipeline](baselines.svg)",
        f"{_how(result)}, pipelines in turn, medians; a clip is a file, and reading the file counts. Ratios are "
        "medians over pairs of calls on the same clip:\n\n" + _times(result),
        *(f"{_how(other)}, likewise:\n\n{_times(other)}" for other in elsewhere),
        f"{machine(result)}. Words and sizes of the same run:\n\n"
        + table(("", f"same words as torch, of {result['recordings']}", "MB on disk, packages + weights"), same),
        _aims(measured),
    ]


def _how(result: Result) -> str:
    return f"{machine(result)}, {result['threads']} thread, {result['calls']} calls for each length"


def _times(result: Result) -> str:
    lengths = list(next(iter(result["baselines"].values()))["ms"])
    rows = [
        (
            pipeline["title"],
            *(f"{pipeline['ms'][s]['p50']:.0f}" for s in lengths),
            *("" if name == OURS else f"{pipeline['times_ours'][s]['median']:.1f}" for s in lengths),
        )
        for name, pipeline in result["baselines"].items()
    ]
    head = ("", *(f"{s} s, ms" for s in lengths), *(f"{s} s, times ours" for s in lengths))
    return table(head, rows)


def aims(result: Result) -> list[tuple[str, float, float]]:
    """Return each aim, the least factor wanted, and the factor reached."""
    ours, torch, whisper = (result["baselines"][n] for n in (OURS, "transformers_torch", "faster_whisper_torch"))
    return [
        ("speed, 4 s clip, against transformers on torch", 8.0, torch["times_ours"][CLIP]["median"]),
        ("speed, 4 s clip, against faster-whisper and torch", 4.0, whisper["times_ours"][CLIP]["median"]),
        ("cold start against transformers on torch", 5.0, torch["cold_start_times_ours"]["median"]),
        ("installed size against transformers on torch", 4.0, _disk_mb(torch) / _disk_mb(ours)),
        ("peak memory against transformers on torch", 2.0, torch["peak_memory_mb"] / ours["peak_memory_mb"]),
    ]


def _disk_mb(pipeline: Result) -> float:
    """Return the size of a pipeline's packages and weights."""
    return float(sum(pipeline["installed_mb"].values()))


def _aims(results: Sequence[Result]) -> str:
    """Return the aims and what was reached on each processor."""
    reached = zip(*(aims(result) for result in results), strict=True)
    rows = [
        (
            runs[0][0],
            f"{runs[0][1]:g}",
            *(f"{value:.1f} ({'met' if value >= wanted else 'missed'})" for _, wanted, value in runs),
        )
        for runs in reached
    ]
    reached_on = ("reached on the first", "on the second") if len(results) > 1 else ("reached",)
    head = ("aim: so many times better", "wanted", *reached_on)
    return f"The aims, and what was reached. {'; '.join(map(machine, results))}:\n\n" + table(head, rows)


def _accuracy(metrics: Any) -> str:
    """Return README's sentence on accuracy, from the metrics of the bundle's checkpoints."""
    fused, text = (metrics[part]["ua"]["mean"] for part in ("fusion", "text"))
    return (
        f"Accuracy, as mean recall over four emotions, on corpora that were not trained on: {text:.2f} from text "
        f"alone; {fused:.2f} from speech, fused with sentences of the same label (the mean of "
        f"{len(metrics['fusion']['by_corpus'])} corpora, one of vocal bursts). Every protocol, and the paper's "
        "numbers, are in [docs/results.md](docs/results.md); speed slot by slot, noise and codecs, and the speech "
        "recognition against torch, in [docs/benchmarks.md](docs/benchmarks.md)."
    )
