"""Tables that stand within pages written by hand: which page, which result, and how the result becomes a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.common.results_file import Result
from benchmarks.report.markdown import table


def long_audio(result: Result) -> str:
    """Return the table of an hour of speech."""
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
    head = f"One thread of {result['machine']['processor']['name']}, {result['date']}:\n\n"
    return head + table(
        ("", "RAVDESS clips and pauses", "jfk.wav again and again"),
        [(name, *(show(r) for r in both)) for name, show in rows],
    )


def segmentation(result: Result) -> str:
    """Return the table of the voices that were found in a stream."""
    rows = [
        (
            name,
            str(r["found_alone"]),
            str(r["found_in_the_stream"]),
            f"{r['share_of_spoken_time']:.1%}",
            f"{r['seconds_heard_in_pauses']:.0f} of {r['seconds_of_pauses']:.0f} s",
        )
        for name, r in result["conditions"].items()
    ]
    head = ("", "found alone", "found in the stream", "of the time spoken", "taken for speech in pauses")
    return f"Of {result['clips']} RAVDESS clips, {result['date']}:\n\n" + table(head, rows)


def asr_confidence(result: Result) -> str:
    """Return the table of the utterances whose transcript is noted as doubtful."""
    rows = sorted(result["corpora"], key=lambda row: (row["language"] != "en", row["language"], row["corpus"]))
    return (
        f"Of up to {result['clips_of_each'] // 2} recordings of each corpus, {result['date']}; other recordings chose "
        "the threshold:\n\n"
        + table(
            ("corpus", "language", "utterances", "with the note"),
            [(row["corpus"], row["language"], str(row["utterances"]), f"{row['doubted']:.0%}") for row in rows],
        )
    )


def reward(result: Result) -> str:
    """Return the table of the regrets at the end, a line for each condition."""
    settings, forms = result["settings"], list(result["rows"][0]["forms"])
    rows = [
        (
            f"{row['lingering']:g}",
            row["explores"],
            *("{mean:.3f} ± {std:.3f}".format(**row["forms"][form]["regret"]) for form in forms),
            _wins(*(row["forms"][form]["of_each_seed"] for form in ("posterior", "delta"))),
        )
        for row in result["rows"]
    ]
    return (
        f"Regret after {settings['dialogues']} dialogues, mean ± deviation over {settings['seeds']} seeds:\n\n"
        + table(("lingering", "explores", *forms, "seeds where delta beats posterior, ties, loses"), rows)
    )


def _wins(posterior: list[float], delta: list[float]) -> str:
    """Return how often delta is better, alike and worse: a seed gives both the same effects, people and tries."""
    signs = [int(np.sign(p - d)) for p, d in zip(posterior, delta, strict=True)]
    return ", ".join(str(signs.count(sign)) for sign in (1, 0, -1))


TABLES: Mapping[str, Mapping[str, Callable[[Result], str]]] = {
    "long-recordings.md": {"segmentation": segmentation, "long-audio": long_audio},
    "runtime.md": {"asr-confidence": asr_confidence},
    "rewards.md": {"reward": reward},
}
"""By page in docs: by the name of the result, its table."""
