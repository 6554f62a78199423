"""docs/benchmarks.md, from the results' JSON alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import baselines_page, plots, process_page
from benchmarks.report.markdown import Result, machine, table
from edge_runtime.system.writing import write_text

HEAD = """# Benchmarks

Every figure here is written by `python -m benchmarks render` from the files in `benchmarks/results`, which hold the
machine, versions, seed, date and raw samples. `make bench` measures everything again and renders; it needs the corpora
in `data/`, the weights (`trainer fetch`), the checkpoints (`trainer fit`), and about an hour. The machines that this
was measured on are shared: read times as of that day, and ratios of things that took turns in one run as what holds."""
PEERS = """## Against what one would otherwise write

All hear the same clips. Each peer runs in a process and an environment of its own (`benchmarks/workers`: the pipeline,
and its requirements beside it), as its documentation recommends, greedy, one thread. All but the last tell the emotion
too, by the very same voice, words and fusion networks. *transformers on torch* encodes once, for the transcript and for
the voice. faster-whisper and optimum do not hand out the states that the voice is heard from, so theirs is a second
encoder pass. The last is compared with our time for the transcript alone. None of the peers looks for a voice first; we
do. RAVDESS has two sentences; clips of 15 s begin with the 11 s of `examples/jfk.wav`, for the same sentence over and
over sends Whisper into loops."""
LATENCY = """## Slot by slot

Milliseconds, 50th / 95th / 99th percentile. CUDA has not been measured: no device was at hand; where there is one the
command measures it too."""
LIMIT = """## The limit

Operations are those of matrix products, convolutions and recurrent steps, counted in the graphs for an utterance of
this length; bytes are the weights that they read. The least time is what these would take at the best rates that
onnxruntime itself reached here; softmax, norms, copies and the runtime's own overhead count as nothing."""
GAPS = """### The gaps, before and after

Voice activity had the worst share: a window at a time, Silero's convolutions are products of one to four columns. Side
by side they are one product for the whole recording (`export/graphs/silero_vad.py`).

The decoder was the largest gap in milliseconds: for every token it read 20 of its 28 MB of weights to score the whole
vocabulary. Now it reads half of their bits for that, and scores the 64 best again by all of them
(`export/quantization/lm_head.py`): what is compared is the same decoder, exported with and without. The committed
bundle has both changes; the tables above were taken with them.

On two threads, waiting by spinning within a call is what onnxruntime could do instead of sleeping; the runtime lets
threads sleep, which costs this much where nothing else runs, and spares whoever shares the processors. Tried without a
gain that could be told from noise: binding inputs and outputs, no memory pattern or arena, lower optimisation levels,
the decoder's product without a zero point, constant shapes, and fused attention in the encoder."""
ROBUST = """## Noise, rooms' other voices, lines and codecs

Mean recall (UA) with 95 % intervals; dotted, the same unaltered. The committed networks were trained on all recordings
at hand, so others were: for each of six folds a voice network and a fusion that know none of its speakers, as
`trainer fit` measures. Voices are RAVDESS; **words** are sentences of MELD dev read by a synthesiser, recognised under
the same condition; *both, agreeing* pairs each voice with read words of its label; *both, own sentence* is the voice
with the neutral sentence that it really says. Layers and conditions of training were chosen on these folds once, so
levels are kind by a point or two. An utterance in which nobody, or no word, is heard counts as wrong. The voice network
is trained on mild noise, gain, rooms, lines and pace, and on babble of the speaker's own other recordings (that of the
test is of others); never on clipping or codecs. Signal-to-noise ratios are over whole recordings, pauses and all."""


def render(results: dict[str, Result], page: Path) -> None:
    """Write ``page`` and the plots beside it; what was not measured has no section."""
    parts = [HEAD]
    if "peers" in results:
        plots.peers(results["peers"], page.with_name("peers.svg"))
        parts += [PEERS, "![time against length, by pipeline](peers.svg)",
                  baselines_page.page(results["peers"], results.get("peers-again"))]  # fmt: skip
    if "process" in results:
        parts += ["## What a user gets", process_page.use(results["process"])]
    if "latency" in results:
        plots.latency(results["latency"], page.with_name("latency.svg"))
        parts += [LATENCY, "![time of each slot against length](latency.svg)", *_latency(results["latency"])]
    if "limit" in results:
        parts += [LIMIT, *_limit(results["limit"])]
    if "gaps" in results:
        parts += [GAPS, *_gaps(results["gaps"])]
    if "robustness" in results:
        plots.robustness(results["robustness"], page.with_name("robustness.svg"))
        parts += [ROBUST, "![accuracy under every condition](robustness.svg)", _robustness(results["robustness"])]
    if "recognition" in results:
        parts.append(_ways(results["recognition"]))
    write_text(page, "\n\n".join(parts) + "\n")


def _latency(latency: Result) -> list[str]:
    found = [f"{machine(latency)}, {latency['calls']} calls of each length, the ways in turn."]
    for name, lengths in latency["ways"].items():
        slots = list(dict.fromkeys(slot for part in lengths.values() for slot in part))
        rows = [
            (slot.replace("_", " "), *(_three(part[slot]) if slot in part else "" for part in lengths.values()))
            for slot in slots
        ]
        found.append(f"{name}:\n\n" + table(("", *(f"{s} s" for s in lengths)), rows))
    cost = [
        (name, f"{c['fixed_ms']:.1f}", f"{c['ms_per_second']:.1f}", f"{c['knee_s']:.1f}",
         ", ".join(f"{span}: {ms:.1f}" for span, ms in c["slopes"].items()))
        for name, c in latency["cost"].items()
    ]  # fmt: skip
    found.append(
        "The cost of a clip against its length: what every clip costs, what each second adds, the length at which both "
        "are alike (the knee: shorter clips hardly get cheaper), and what a second adds from one length to the next "
        "(alike where cost is linear):\n\n"
        + table(("", "fixed, ms", "ms a second", "knee, s", "ms a further second"), cost)
    )
    through = latency["throughput"]
    rows = [
        (name, f"{rate['audio_s_per_s']:.0f}", f"{rate['files_per_s']:.1f}") for name, rate in through["ways"].items()
    ]
    found.append(
        f"Many files ({through['files']}, {through['audio_s']:.0f} s in all; medians of {through['rounds']} rounds, "
        "the ways in turn):\n\n" + table(("", "seconds of audio a second", "files a second"), rows)
    )
    return found


def _three(part: Result) -> str:
    return " / ".join(f"{part[p]:.1f}" for p in ("p50", "p95", "p99"))


def _limit(limit: Result) -> list[str]:
    rates = limit["rates"]
    found = [
        f"{machine(limit)}, {limit['threads']} thread. Best rates, of onnxruntime: int8 {rates['int8_gops']:.0f} "
        f"and fp32 {rates['fp32_gops']:.0f} 10^9 operations a second; {rates['read_gb_s']:.0f} GB read a second."
    ]
    for seconds, slots in limit["utterances"].items():
        rows = [
            (slot.replace("_", " "), str(s["calls"]), f"{s['int8_mega_operations']:.0f}",
             f"{s['fp32_mega_operations']:.0f}",
             f"{s['weights_mb_read']:.0f}", f"{s['ms']:.1f}", f"{s['least_ms']:.1f}", f"{s['share']:.0%}",
             f"{s['gap_ms']:.1f}")
            for slot, s in slots.items()
        ]  # fmt: skip
        head = ("", "calls", "int8, 10^6", "fp32, 10^6", "MB", "ms", "least ms", "share", "gap, ms")
        found.append(f"An utterance of {seconds} s:\n\n" + table(head, rows))
    return found


def _gaps(gaps: Result) -> list[str]:
    found = []
    for what, change in gaps["changes"].items():
        rows = [
            (name.replace("_", " "), f"{ms['before']:.1f}", f"{ms['after']:.1f}", f"{ms['times_faster']['median']:.2f}",
             "{:.2f} to {:.2f}".format(*ms["times_faster"]["quartiles"]),
             f"{ms['processor_ms']['before']:.1f}, {ms['processor_ms']['after']:.1f}")
            for name, ms in change["ms"].items()
        ]  # fmt: skip
        head = ("", "before, ms", "after, ms", "times faster", "quartiles", "processor time, ms")
        text = f"{what[0].upper()}{what[1:]}; {machine(gaps)}:\n\n" + table(head, rows)
        if "clips_with_the_same_spoken_part" in change:
            text += (
                f"\n\nThe same spoken part in {change['clips_with_the_same_spoken_part']} of {change['clips']} clips; "
                f"no probability differs by more than {change['greatest_difference_of_a_probability']:.0e}."
            )
        if "clips_with_the_exact_transcript" in change:
            before, after = (change["clips_with_the_exact_transcript"][name] for name in ("before", "after"))
            text += (
                f"\n\nThe very transcript of the exact decoder: of {before} clips before and {after} after, of "
                f"{change['clips']} that are cut at random, amid words."
            )
        found.append(text)
    return found


def _robustness(result: Result) -> str:
    parts = ("voice", "words", "both", "both_with_its_own_sentence")
    rows = [
        (row["kind"], "" if row["kind"] == "clean" else f"{row['level']:g}", *(f"{row[p]['ua']:.2f}" for p in parts),
         f"{row['no_voice_heard']:.0%}", f"{row['wer_people']:.0%}", f"{row['wer_synthesiser']:.0%}")
        for row in result["conditions"]
    ]  # fmt: skip
    head = ("condition", "degree", "voice", "words", "both, agreeing", "both, own sentence", "no voice heard",
            "WER, people", "WER, synthesiser")  # fmt: skip
    units = "; ".join(f"{kind}: {unit}" for kind, unit in result["axes"].items())
    return f"{result['voices']}; {result['words']}. Degrees: {units}.\n\n" + table(head, rows)


def _ways(recognition: Result) -> str:
    rows: Sequence[Any] = [
        (
            name,
            f"{100 * way['wer_ravdess']:.1f} %",
            f"{100 * way['wer_synthesiser']:.1f} %",
            f"{100 * way['wer_jfk']:.1f} %",
            f"{way['same_text_as_torch']} of {recognition['clips']}",
            f"{1000 * way['seconds_a_clip']:.0f} ms",
        )
        for name, way in recognition["ways"].items()
    ]
    return (
        f"## The recogniser against torch\n\n{machine(recognition)}, one thread, same waveforms: "
        f"{recognition['sentences']}. The times are of one way after the other: read them as rough ratios. Torch has "
        "no guard against loops, which some of the read sentences send it into; ours end them.\n\n"
        + table(("", "WER RAVDESS", "WER synthesiser", "WER jfk.wav", "same text", "a clip"), rows)
    )
