"""docs/benchmarks.md, from the results' JSON alone."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.common.results_file import Result
from benchmarks.report import baselines_page, footprint_section, throughput_section
from benchmarks.report.markdown import formatted, machine, table

HEAD = """# Benchmarks

Every figure here is written by `python -m benchmarks render` from the files in `benchmarks/results`, which hold the
machine, versions, seed, date and raw samples. `make bench` measures everything again and renders; the run needs the
corpora in `data/`, the weights (`trainer fetch`), the checkpoints (`trainer fit`), and about two hours. The machines
that this was measured on are shared: times hold for that day only; ratios of things that took turns in one run hold
longer."""
LATENCY = """## Slot by slot

Milliseconds, 50th / 95th / 99th percentile, of clips that are arrays in memory. CUDA has not been measured: no device
was at hand; where there is one, the command measures CUDA too.

![time of each slot against length](latency.svg)"""
ROOFLINE = """## The roofline

Operations are those of matrix products, convolutions and recurrent steps, counted in the graphs for an utterance of
this length; bytes are the weights that they read. The least time is that of these operations at the best rates that
onnxruntime itself reached here; softmax, norms, copies and the runtime's own overhead count as nothing."""
ABLATION = """### The gaps, before and after

Voice activity had the worst share: a window at a time, Silero's convolutions are products of one to four columns. Side
by side they are one product for the whole recording (`export/graphs/silero_vad.py`).

The decoder was the largest gap in milliseconds: for every token it read 20 of its 28 MB of weights to score the whole
vocabulary. Now it reads half of their bits for that, and scores the best again by all of them
(`export/quantization/lm_head.py`): the table compares the same decoder, exported with and without. The committed
bundle has both changes; the tables above were taken with them.

The next largest gaps are those of the encoder's attention and of its convolutions, which are fp32 products.
onnxruntime's kernels do not reach their best rate at these shapes, and nothing that was tried does: attention as one
fused operator, which keeps its scores in the cache; convolutions in two dimensions, whose weights are arranged for the
processor; the spectrogram as a product of overlapping frames, which is slower. Attention in int8 was not tried: it
would change answers.

On two threads, waiting by spinning within a call is what onnxruntime could do instead of sleeping; the runtime lets
threads sleep, which costs this much where nothing else runs, and spares whoever shares the processors. Tried without a
gain that could be told from noise: binding inputs and outputs, no memory pattern or arena, lower optimisation levels,
the decoder's product without a zero point, and constant shapes."""
ROBUSTNESS = """## Noise, other voices in the room, lines and codecs

Mean recall (UA) with 95 % intervals; dotted, the same unaltered. The committed networks were trained on all recordings
at hand, so other networks are measured here: for each of six folds a speech network and a fusion that know none of the
fold's speakers, as `trainer fit` measures. Speech is RAVDESS; *text* is sentences of MELD dev read by a synthesiser,
recognised under the same corruption; *fused, agreeing* pairs each recording with a read sentence of its label; *fused,
own sentence* is the recording with its own neutral sentence. Layers and corruptions of training were chosen on these
folds once, so levels are kind by a point or two. An utterance in which no speech, or no word, is found counts as wrong.
The speech network learned from one altered copy of each recording (`trainer/augment.py`): noise, rooms, lines, codecs,
clipping, pace, and babble of the speaker's own other recordings; that of the test is of others. Signal-to-noise ratios
are over whole recordings, pauses and all. The figures are of the configuration of bundle 0.5.0. That of 0.2.0, which
learned from RAVDESS and EmoDB alone, heard RAVDESS better in loud noise, in babble and with heavy clipping.

![accuracy under every corruption](robustness.svg)"""

COST = {
    "fixed, ms": "{fixed_ms:.1f}",
    "ms a second": "{ms_per_second:.1f}",
    "knee, s": "{knee_s:.1f}",
    "ms a further second": "{slopes}",
}
THROUGHPUT = {
    "seconds of audio a second": "{audio_s_per_s:.0f}",
    "real-time factor": "{rtf:.3f}",
    "files a second": "{files_per_s:.1f}",
}
LEAST_TIME = {
    "calls": "{calls}",
    "int8, 10^6": "{int8_mega_operations:.0f}",
    "fp32, 10^6": "{fp32_mega_operations:.0f}",
    "MB": "{weights_mb_read:.0f}",
    "ms": "{ms:.1f}",
    "least ms": "{least_ms:.1f}",
    "share": "{share:.0%}",
    "gap, ms": "{gap_ms:.1f}",
}
BEFORE_AFTER = {
    "before, ms": "{before:.1f}",
    "after, ms": "{after:.1f}",
    "times faster": "{times_faster[median]:.2f}",
    "quartiles": "{times_faster[quartiles][0]:.2f} to {times_faster[quartiles][1]:.2f}",
    "processor time, ms": "{processor_ms[before]:.1f}, {processor_ms[after]:.1f}",
}
RECOGNISERS = {
    "WER RAVDESS": "{wer_ravdess:.1%}",
    "WER synthesiser": "{wer_synthesiser:.1%}",
    "WER jfk.wav": "{wer_jfk:.1%}",
    "same text": "{same_text_as_torch} of {clips}",
    "a clip": "{ms:.0f} ms",
}


def page(results: Mapping[str, Result], _manifest: Result) -> str:
    """Return the page.

    Args:
        results: by name; a result that is missing has no section.
    """
    parts = [HEAD]
    if measured := _of_processors("baselines", results):
        parts += baselines_page.section(measured)
    if measured := _of_processors("footprint", results):
        parts += footprint_section.section(measured, results.get("packages"))
    if measured := _of_processors("throughput", results):
        parts += throughput_section.section(measured)
    for name, section in {"latency": _latency, "roofline": _roofline, "ablation": _ablation,
                          "robustness": _robustness, "wer": _wer}.items():  # fmt: skip
        if name in results:
            parts += section(results[name])
    return "\n\n".join(parts)


def _of_processors(name: str, results: Mapping[str, Result]) -> list[Result]:
    """Return the results of a measurement on each processor that it was taken on."""
    return [results[one] for one in (name, f"{name}-avx2") if one in results]


def _latency(latency: Result) -> list[str]:
    found = [LATENCY, f"{latency['calls']} calls of each length, the settings in turn."]
    for name, lengths in latency["ways"].items():
        slots = list(dict.fromkeys(slot for part in lengths.values() for slot in part))
        rows = [
            (slot.replace("_", " "), *(_three(part[slot]) if slot in part else "" for part in lengths.values()))
            for slot in slots
        ]
        found.append(f"{machine(latency)}; {name}:\n\n" + table(("", *(f"{s} s" for s in lengths)), rows))
    costs = {
        name: {**c, "slopes": ", ".join(f"{span}: {ms:.1f}" for span, ms in c["slopes"].items())}
        for name, c in latency["cost"].items()
    }
    found.append(
        f"{machine(latency)}. "
        "The cost of a clip against its length: the cost of every clip, the cost of each second, the length at which "
        "both are alike (the knee: shorter clips hardly get cheaper), and the cost of a second from one length to the "
        "next (alike where cost is linear):\n\n" + formatted(costs, COST)
    )
    through = latency["throughput"]
    rates = {name: {**rate, "rtf": 1 / rate["audio_s_per_s"]} for name, rate in through["ways"].items()}
    found.append(
        f"{machine(latency)}. "
        f"Many files ({through['files']}, {through['audio_s']:.0f} s in all; medians of {through['rounds']} rounds, "
        "the settings in turn):\n\n" + formatted(rates, THROUGHPUT)
    )
    return found


def _three(part: Result) -> str:
    return " / ".join(f"{part[p]:.1f}" for p in ("p50", "p95", "p99"))


def _roofline(roofline: Result) -> list[str]:
    rates = roofline["rates"]
    found = [
        ROOFLINE,
        f"{machine(roofline)}, {roofline['threads']} thread, processor time. "
        f"Best rates, of onnxruntime: int8 {rates['int8_gops']:.0f} "
        f"and fp32 {rates['fp32_gops']:.0f} 10^9 operations a second; {rates['read_gb_s']:.0f} GB read a second.",
    ]
    for seconds, slots in roofline["utterances"].items():
        found.append(f"{machine(roofline)}; an utterance of {seconds} s:\n\n" + formatted(slots, LEAST_TIME))
    return found


def _ablation(ablation: Result) -> list[str]:
    found = [ABLATION]
    for change, result in ablation["changes"].items():
        text = f"{change[0].upper()}{change[1:]}; {machine(ablation)}:\n\n" + formatted(result["ms"], BEFORE_AFTER)
        if "clips_with_the_same_spoken_part" in result:
            text += (
                f"\n\nThe same spoken part in {result['clips_with_the_same_spoken_part']} of {result['clips']} clips; "
                f"no probability differs by more than {result['greatest_difference_of_a_probability']:.0e}."
            )
        if "clips_with_the_exact_transcript" in result:
            text += (
                "\n\nThe very transcript of the exact decoder: of {before} clips before and {after} after, of ".format(
                    **result["clips_with_the_exact_transcript"]
                )
                + f"{result['clips']} that are cut at random, amid words."
            )
        found.append(text)
    return found


def _robustness(result: Result) -> list[str]:
    parts = ("voice", "words", "both", "both_with_its_own_sentence")
    rows = [
        (row["kind"], "" if row["kind"] == "clean" else f"{row['level']:g}", *(f"{row[p]['ua']:.2f}" for p in parts),
         f"{row['no_voice_heard']:.0%}", f"{row['wer_people']:.0%}", f"{row['wer_synthesiser']:.0%}")
        for row in result["conditions"]
    ]  # fmt: skip
    head = ("corruption", "degree", "speech", "text", "fused, agreeing", "fused, own sentence", "no speech found",
            "WER, people", "WER, synthesiser")  # fmt: skip
    units = "; ".join(f"{kind}: {unit}" for kind, unit in result["axes"].items())
    return [
        ROBUSTNESS,
        f"{machine(result)}. {result['voices']}; {result['words']}. Degrees: {units}.\n\n" + table(head, rows),
    ]


def _wer(wer: Result) -> list[str]:
    rows = {
        name: {**way, "clips": wer["clips"], "ms": 1000 * way["seconds_a_clip"]} for name, way in wer["ways"].items()
    }
    return [
        f"## The recogniser against torch\n\n{machine(wer)}, one thread, same waveforms: {wer['sentences']}. The "
        "recogniser alone is measured here, without the search for speech before it; the whole pipeline beside others, "
        "on other recordings, is in the [README](../README.md). The times are of one graph after the other: read them "
        "as rough ratios. Torch has no guard against loops, which some of the read sentences send it into; ours end "
        "them.\n\n" + formatted(rows, RECOGNISERS)
    ]
