"""What is known of the committed bundle: accuracy from its manifest, and what int8 changes."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.report.markdown import table


def in_the_bundle(bundle: Path) -> str:
    """Return the accuracy of the bundle's recipe, from the manifest."""
    manifest = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    speech, text, fusion = (manifest["metrics"][part] for part in ("speech", "text", "fusion"))
    voice, other = speech["speaker_exclusive"], speech["trained_on_the_other_corpus"]
    agreeing = fusion["agreeing_pairs_of_unknown_speakers_and_dev_words"]
    own = fusion["ravdess_with_its_own_sentences"]
    rows = [
        ("RAVDESS, unknown speakers", "voice", voice["ravdess"]["clean"]),
        ("RAVDESS, unknown speakers, neutral sentence", "fused", own["fused"]),
        ("RAVDESS with noise, others talking, room, telephone band, gain, speed", "voice", voice["ravdess"]["altered"]),
        ("EmoDB, unknown speakers", "voice", voice["emodb"]["clean"]),
        ("EmoDB, trained on RAVDESS alone", "voice", other["emodb"]["clean"]),
        ("MELD dev", "words", text["dev"]),
        ("unknown voices with MELD dev words of the same label", "voice", agreeing["speech"]),
        ("the same", "words", agreeing["text"]),
        ("the same", "fused", agreeing["fused"]),
    ]
    cells = [
        (name, branch, str(r["n"]), f"{r['wa']:.3f}", f"{r['ua']:.3f}", "{:.3f} to {:.3f}".format(*r["ua_interval"]))
        for name, branch, r in rows
    ]
    return (
        f"## The committed bundle, {manifest['name']} {manifest['version']}\n\nOver neutral, happy, sad and angry, by "
        "networks of six folds that know none of the speakers, before quantisation:\n\n"
        + table(("measured on", "branch", "n", "WA", "UA", "95 %"), cells)
    )


def int8(results: Path) -> str:
    """Return what int8 changes against fp32, or nothing where it was not measured."""
    path = results / "quantisation.json"
    if not path.is_file():
        return ""
    found = json.loads(path.read_text(encoding="utf-8"))
    rows = [
        (
            name.replace("_", " "),
            str(part["n"]),
            f"{part['same_label']:.1%}",
            *(f"{part[precision][k]:.3f}" for precision in ("fp32", "int8") for k in ("wa", "ua")),
        )
        for name, part in found.items()
        if isinstance(part, dict) and "same_label" in part
    ]
    head = ("", "n", "same label", "fp32 WA", "fp32 UA", "int8 WA", "int8 UA")
    return (
        "## int8 against fp32\n\nVoices and pairs are among those that were trained on, so it is the difference that "
        f"counts there, not the level. {found['english_clips_with_the_same_transcript']} of {found['english_clips']} "
        "English recordings have the very same transcript.\n\n" + table(head, rows)
    )
