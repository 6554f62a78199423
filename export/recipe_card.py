"""The card of the committed bundle's recipe: RAVDESS and EmoDB voices, MELD words, and pairs made of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from export import card_parts
from export.card_parts import CALIBRATION, ENGLISH, MISUSE, calibrated, credited, provenance, table

CORPORA = {
    "ravdess": {
        "ingredient": "RAVDESS (Livingstone and Russo 2018)",
        "role": "trains the voice branch and fusion",
        "licence": "CC-BY-NC-SA-4.0",
        "source": "https://zenodo.org/records/1188976",
    },
    "emodb": {
        "ingredient": "EmoDB, Berlin Database of Emotional Speech (Burkhardt et al. 2005)",
        "role": "trains the voice branch and fusion",
        "licence": "CC0-1.0 as published in audb; free to use",
        "source": "http://emodb.bilderbar.info",
    },
    "meld": {
        "ingredient": "MELD (Poria et al. 2019), transcripts",
        "role": "trains the words branch and fusion",
        "licence": "GPL-3.0",
        "source": "https://github.com/declare-lab/MELD",
    },
}


def corpora(configs: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the corpora that the checkpoints with these configs were trained on, as ingredients."""
    named = {name for config in configs.values() for name in config.get("corpora", {})}
    return [dict(CORPORA[name]) for name in CORPORA if name in named]


def render(manifest: Mapping[str, Any]) -> str:
    """Return the card of the bundle with this manifest, in Markdown; every figure is taken from it."""
    speech, text, fusion = (manifest["metrics"][part] for part in ("speech", "text", "fusion"))
    voice, other = speech["speaker_exclusive"], speech["trained_on_the_other_corpus"]
    own = fusion["ravdess_with_its_own_sentences"]
    agreeing = fusion["agreeing_pairs_of_unknown_speakers_and_dev_words"]
    calm = ", ".join(f"{label} {share:.0%}" for label, share in speech["calm_is_called"].items())
    rows = [
        ("voice, RAVDESS, unknown speakers", voice["ravdess"]["clean"]),
        ("the same, with noise, others talking, room, telephone band, gain, speed", voice["ravdess"]["altered"]),
        ("voice, EmoDB, unknown speakers", voice["emodb"]["clean"]),
        ("the same, with noise, others talking, room, telephone band, gain, speed", voice["emodb"]["altered"]),
        ("voice, EmoDB, trained on RAVDESS alone", other["emodb"]["clean"]),
        ("voice, RAVDESS, trained on EmoDB alone", other["ravdess"]["clean"]),
        ("words, MELD dev", text["dev"]),
        ("words, MELD dev with simulated recognition errors", text["dev_with_recognition_errors"]),
        ("fused, RAVDESS with its own sentences", own["fused"]),
        ("voice alone on the same", own["speech"]),
        ("fused, agreeing pairs of unknown voices and MELD dev words", agreeing["fused"]),
        ("voice alone on the same", agreeing["speech"]),
        ("words alone on the same", agreeing["text"]),
    ]
    calibration = [
        ("voice", speech["calibration"]),
        ("words", text["calibration"]),
        ("fused", fusion["calibration"]["fusion"]),
        ("fused, no words", fusion["calibration"]["fusion_speech_only"]),
        ("fused, words alone", fusion["calibration"]["fusion_text_only"]),
    ]
    parts = [
        f"# {manifest['name']} {manifest['version']}",
        "Recognises " + ", ".join(manifest["labels"]) + " in English speech, from the voice and from the words. "
        "Everything it is made of is in `bundle.json`, with checksums.",
        "## What binds you",
        "The code of edge-iemonet is under Apache-2.0. **These weights are not**: they were shaped by corpora whose "
        "terms go with them. RAVDESS bars commercial use (CC BY-NC-SA 4.0), so treat the voice branch and fusion as "
        "non-commercial; MELD's repository is under GPL-3.0. Train on your own recordings to be free of both.",
        credited(manifest),
        "## How good it is",
        "WA is accuracy, UA the mean recall of the classes; intervals are 95 % bootstrap intervals of UA. Measured in "
        "fp32 by `trainer fit`; what int8 changes is in the project's `benchmarks/results`. Layers, pooling, "
        "conditions and length of training of the voice branch were chosen on the folds that its figures come from, so "
        "these are kind by a point or two; MELD dev and its pairs chose nothing.",
        table(
            ("measured on", "n", "WA", "UA", "95 %"),
            [
                (name, str(r["n"]), f"{r['wa']:.3f}", f"{r['ua']:.3f}", "{:.3f} to {:.3f}".format(*r["ua_interval"]))
                for name, r in rows
            ],
        ),
        CALIBRATION,
        calibrated(calibration),
        *card_parts.verification(manifest),
        "## How it was trained",
        "- **Voice**: mean and deviation, over the spoken part, of the hidden states of Whisper tiny.en's encoder; a "
        "layer of 128 units. RAVDESS (20 actors) and EmoDB (8 speakers) together, five altered copies of each clip, in "
        "a third of which others talk. "
        f"RAVDESS' *calm* was left out: a calm voice of unknown speakers is called {calm}. It was left out because "
        "trained with it, as neutral or as a class of its own, the branch does worse on other corpora.",
        "- **Words**: MiniLM-L6 with the paper's 768-unit layer, on MELD's neutral, joy, sadness and anger, clean and "
        "with simulated recognition errors.",
        "- **Fusion**: a feed-forward block on both second-to-last layers, branches frozen. **No open corpus at hand "
        "has emotional voices that say emotional words**, so its training pairs are made: RAVDESS and EmoDB voices "
        "with MELD words of the same label, emotional voices with neutral words or their own neutral sentence, "
        "emotional words in a neutral voice, and either alone. Agreement between voice and words in real talk is "
        "weaker than in such pairs, so expect less of fusion than the table says.",
        "## What it cannot do",
        "- The voices are acted, by 28 adults in studios, in North American English and German. Spontaneous speech, "
        "children, other languages and accents were not measured.\n"
        "- On a corpus that it never saw, expect the rows *trained on … alone*, not the ones above them; and there "
        "the calibration does not hold either.\n"
        "- Four emotions only. Fear, disgust, surprise, boredom and mixtures are forced into one of them.\n"
        f"{ENGLISH}\n{MISUSE}",
        "## Provenance",
        provenance(manifest),
    ]
    return "\n\n".join(parts) + "\n"
