"""Figures for the README, from the results' JSON and the bundle's manifest alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- figures: python -m benchmarks render -->", "<!-- end of figures -->"


def render(results: Path, bundle: Path, readme: Path) -> None:
    """Replace what stands between the two marks in ``readme``.

    Raises:
        ValueError: the marks are not there.
    """
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme}: expected the marks {BEGIN} and {END}")
    process, quantisation, recognition = (
        json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("process", "quantisation", "recognition")
    )
    metrics = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["metrics"]
    parts = [_use(process), _accuracy(metrics), _ways(recognition), _int8(quantisation)]
    readme.write_text(before + begin + "\n\n" + "\n\n".join(parts) + "\n\n" + end + after, encoding="utf-8")


def _use(process: dict[str, Any]) -> str:
    speed, sizes, machine = process["speed"], process["installed_mb"], process["machine"]["processor"]
    rows = [
        ("process start to first result (11 s clip)", f"{process['first_result_s']['median']:.2f} s"),
        (
            f"a clip ({speed['median_clip_s']:.1f} s): voice activity, transcript, voice, words, fusion",
            f"{speed['median_ms']:.0f} ms",
        ),
        (f"real-time factor over {speed['clips']} clips", f"{speed['rtf']:.3f}"),
        ("peak memory", f"{speed['peak_memory_mb']:.0f} MB"),
        (
            "installed, without the bundle",
            f"{sizes['slim_environment']:.0f} MB (and {sizes['compiled_by_python']:.0f} MB that Python compiles)",
        ),
        ("the bundle", f"{sizes['bundle']:.0f} MB"),
    ]
    features = ", ".join(machine["features"])
    return f"One thread of {machine['name']} ({features}), {process['date']}, medians:\n\n" + _table(
        ("what", "measured"), rows
    )


def _accuracy(metrics: dict[str, Any]) -> str:
    speech, fusion = metrics["speech"], metrics["fusion"]
    voice, other = speech["speaker_exclusive"], speech["trained_on_the_other_corpus"]
    agreeing = fusion["agreeing_pairs_of_unknown_speakers_and_dev_words"]
    own = fusion["ravdess_with_its_own_sentences"]
    rows = [
        ("RAVDESS, unknown speakers", "voice", voice["ravdess"]["clean"]),
        ("RAVDESS, unknown speakers, neutral sentence", "fused", own["fused"]),
        ("RAVDESS with noise, room, telephone band, gain, speed", "voice", voice["ravdess"]["altered"]),
        ("EmoDB, unknown speakers", "voice", voice["emodb"]["clean"]),
        ("EmoDB, trained on RAVDESS alone", "voice", other["emodb"]["clean"]),
        ("MELD dev", "words", metrics["text"]["dev"]),
        ("unknown voices with MELD dev words of the same label", "voice", agreeing["speech"]),
        ("the same", "words", agreeing["text"]),
        ("the same", "fused", agreeing["fused"]),
    ]
    cells = [
        (name, branch, str(r["n"]), f"{r['wa']:.3f}", f"{r['ua']:.3f}", "{:.3f} to {:.3f}".format(*r["ua_interval"]))
        for name, branch, r in rows
    ]
    return "Accuracy (WA) and mean recall (UA) over neutral, happy, sad, angry, before quantisation:\n\n" + _table(
        ("measured on", "branch", "n", "WA", "UA", "95 %"), cells
    )


def _ways(recognition: dict[str, Any]) -> str:
    rows = [
        (
            name,
            f"{100 * way['wer_ravdess']:.1f} %",
            f"{100 * way['wer_jfk']:.1f} %",
            f"{way['same_text_as_torch']} of {recognition['clips']}",
            f"{1000 * way['seconds_a_clip']:.0f} ms",
        )
        for name, way in recognition["ways"].items()
    ]
    return (
        "Speech recognition against torch, one thread, same waveforms, three different sentences in all. The times are "
        "of one way after the other on a shared machine: read them as rough ratios.\n\n"
        + _table(("", "WER RAVDESS", "WER jfk.wav", "same text", "a clip"), rows)
    )


def _int8(quantisation: dict[str, Any]) -> str:
    rows = [
        (
            name.replace("_", " "),
            str(part["n"]),
            f"{part['same_label']:.1%}",
            *[f"{100 * (part['int8'][k] - part['fp32'][k]):+.1f}" for k in ("wa", "ua")],
        )
        for name, part in quantisation.items()
        if isinstance(part, dict) and "same_label" in part
    ]
    return "What int8 changes, in points:\n\n" + _table(("", "n", "same label", "WA", "UA"), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
