"""Tables that stand within pages written by hand: which page, which result, and how the result becomes a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.common.results_file import Result
from benchmarks.report import fused_page, languages_page, unseen_page, words_page
from benchmarks.report.markdown import formatted, machine, table


def long_audio(result: Result) -> str:
    """Return the table of an hour of speech."""
    rows = {
        "length": "{minutes:.0f} min",
        "utterances (of 3 to 15 s)": "{utterances} ({of_3_to_15_s})",
        "share of time in them": "{share_in_utterances:.0%}",
        "words recognised": "{words}",
        "real-time factor, by processor time": "{rtf_processor:.3f}",
        "real-time factor, by the clock": "{rtf_wall:.3f}",
        "peak memory": "{peak_memory_mb:.0f} MB",
        "more than a clip of 10 s": "{memory_over_clip_mb:+.0f} MB",
        "same scores and words alone": "{the_same_alone} of {classified_alone}",
    }
    both = [{**r, "minutes": r["seconds"] / 60} for r in (result["conversation"], result["monologue"])]
    head = f"One thread of {result['machine']['processor']['name']}, {result['date']}:\n\n"
    return head + table(
        ("", "RAVDESS clips and pauses", "jfk.wav again and again"),
        [(name, *(form.format(**r) for r in both)) for name, form in rows.items()],
    )


def segmentation(result: Result) -> str:
    """Return the table of the voices that were found in a stream."""
    columns = {
        "found alone": "{found_alone}",
        "found in the stream": "{found_in_the_stream}",
        "of the time spoken": "{share_of_spoken_time:.1%}",
        "taken for speech in pauses": "{seconds_heard_in_pauses:.0f} of {seconds_of_pauses:.0f} s",
    }
    return f"Of {result['clips']} RAVDESS clips, {result['date']}:\n\n" + formatted(result["conditions"], columns)


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


def serve(result: Result) -> str:
    """Return the table of the service under load."""
    rows = {
        "answered": "{answered}",
        "refused with 503, and asked again": "{refused}",
        "lost": "{lost}",
        "seconds of sound each second": "{audio}",
        "from request to answer, with the waiting: median, 95th percentile": "{p50:.1f} s, {p95:.1f} s",
        "live: from the end of speech to the answer: median, 95th percentile": "{live50:.1f} s, {live95:.1f} s",
        "memory after a quarter of the time, at the end, at most": "{first:.0f} MB, {last:.0f} MB, {most:.0f} MB",
        "under way at SIGTERM: answered, lost": "{ended}, {ended_lost}",
    }
    values = {
        "answered": result["answered"],
        "refused": result["refused"],
        "lost": sum(result["lost"].values()) + sum(result["other"].values()),
        "audio": result["audio_s_per_s"],
        "p50": result["answer_ms"]["p50"] / 1000,
        "p95": result["answer_ms"]["p95"] / 1000,
        "live50": result["stream_latency_s"]["p50"],
        "live95": result["stream_latency_s"]["p95"],
        **result["memory_mb"],
        "ended": result["at_sigterm"].get("200", 0),
        "ended_lost": result["at_sigterm"]["lost"],
    }
    head = f"{result['clients']} clients for {result['seconds']:.0f} s with a clip of {result['clip_s']:.0f} s"
    one_in = "One client in ten speaks live, and one in ten goes away in the middle of an upload or a request."
    return f"{head}, {machine(result)}. {one_in}\n\n" + table(
        ("", ""), [(name, form.format(**values)) for name, form in rows.items()]
    )


TABLES: Mapping[str, Mapping[str, Callable[[Result], str]]] = {
    "long-recordings.md": {"segmentation": segmentation, "long-audio": long_audio},
    "runtime.md": {"asr-confidence": asr_confidence},
    "rewards.md": {"reward": reward},
    "own-recordings.md": {"unseen": unseen_page.page, "fused": fused_page.page},
    "multilingual.md": {"languages": languages_page.page},
    "embedding.md": {"unseen": unseen_page.seconds},
    "service.md": {"serve": serve},
    "words.md": {"words": words_page.page},
}
"""By page in docs: by the name of the result, its table."""
