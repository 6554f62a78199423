"""The card of what ``trainer fit`` made of somebody's corpus: its figures are in ``trainer.experiment.report``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from export import card_parts
from export.card_parts import CALIBRATION, ENGLISH, MISUSE, calibrated, credited, provenance, table
from trainer.corpora import registry

UNKNOWN = "unknown"
ROLES = {"speech": "the voice branch", "text": "the words branch", "fusion": "fusion"}
VOICE = (
    "augmentations",
    "epochs",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "class_weight_power",
    "label_smoothing",
)
WORDS = (
    "max_tokens",
    "hidden_size",
    "dropout",
    "l2",
    "epochs",
    "batch_size",
    "learning_rate",
    "class_weight_power",
    "frozen_layers",
    "asr_error_rate",
)
FUSION = ("epochs", "batch_size", "learning_rate", "class_weight_power", "fusion_holdout")
FUSED = {
    "fusion": "fused",
    "fusion_speech_only": "fused, no words",
    "fusion_text_only": "fused, words alone",
}
"""The paper's own blocks need both branches and have but the first."""
DIVIDED = {
    "speaker": "By speaker: nobody is both trained and tested on.",
    "session": "By session: none that is tested was trained on.",
    "official": "By the corpus' own split: what it calls test was not trained on.",
    "shuffled": "At random: **the same voices are trained and tested on, so expect less of a voice it does not know**.",
}
WRITTEN = {
    "provided": "those that came with the corpus",
    "simulated": "those that came with the corpus, with simulated recognition errors",
    "asr": "written down by the runtime's own recogniser",
}


def is_run(metrics: Mapping[str, Any]) -> bool:
    """Whether a checkpoint's metrics are those of a run on a corpus, not of the committed bundle's recipe."""
    return "folds" in metrics


def corpora(configs: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return the corpora that the checkpoints with these configs were trained on, as ingredients."""
    trained = [words for part, words in ROLES.items() if part in configs]
    role = f"trains {', '.join(trained[:-1])} and {trained[-1]}" if len(trained) > 1 else f"trains {trained[0]}"
    read = {name: entry for config in configs.values() for name, entry in config.get("corpora", {}).items()}
    return [
        *(_corpus(name, role, f"sha256 {entry['checksum']}") for name, entry in read.items()),
        *(
            _corpus(name, "trained the words branch before", "see `provenance`")
            for name in configs.get("text", {}).get("warmed_on", ())
        ),
    ]


def _corpus(name: str, role: str, source: str) -> dict[str, str]:
    corpus = registry.named(name)
    credit = f" ({corpus.credit})" if corpus.credit else ""
    return {"ingredient": corpus.title + credit, "role": role, "licence": corpus.licence, "source": source}


def render(manifest: Mapping[str, Any]) -> str:
    """Return the card of the bundle with this manifest, in Markdown; every figure is taken from it."""
    metrics, made = manifest["metrics"], manifest["provenance"]
    rows = [("voice", metrics["speech"]), ("words", metrics["text"]), ("fused", metrics["fusion"])]
    fused = metrics["fusion"]["calibration"]
    parts = [
        f"# {manifest['name']} {manifest['version']}",
        f"Recognises {', '.join(manifest['labels'])} in speech, from the voice and from the words. "
        "Everything it is made of is in `bundle.json`, with checksums.",
        "## What binds you",
        _terms(manifest),
        credited(manifest),
        "## What it was trained on",
        _data(made),
        "## How good it is",
        _measured(made["speech"]["protocol"], metrics["speech"]),
        "WA is accuracy, UA the mean recall of the classes, F1 the mean over the classes; after ± the deviation "
        f"over {'parts' if metrics['speech']['folds'] > 1 else 'trainings'}, then 95 % bootstrap intervals of UA. "
        "Measured in fp32 by `trainer fit`.",
        table(
            ("measured", "n", "WA", "UA", "95 %", "F1"),
            [
                (name, str(r["n"]), _score(r["wa"]), _score(r["ua"]), _interval(r["ua"]), _score(r["f1"]))
                for name, r in rows
            ],
        ),
        _calibration(
            {
                "voice": metrics["speech"]["calibration"],
                "words": metrics["text"]["calibration"],
                **{title: fused[name] for name, title in FUSED.items() if name in fused},
            }
        ),
        *card_parts.verification(manifest),
        "## How it was trained",
        "- **Voice**: mean and deviation, over the spoken part, of the hidden states of Whisper tiny.en's encoder; a "
        f"layer of 128 units. {_settings(made['speech'], VOICE)}\n"
        f"- **Words**: {made['text']['encoder']}, fine-tuned, with a layer on top. {_settings(made['text'], WORDS)}\n"
        "- **Fusion**: a feed-forward block on both second-to-last layers, branches frozen. "
        f"{_settings(made['fusion'], FUSION)}",
        "## What it cannot do",
        "\n".join(_limits(manifest)),
        "## Provenance",
        provenance(manifest),
    ]
    return "\n\n".join(parts) + "\n"


def _terms(manifest: Mapping[str, Any]) -> str:
    said = [
        "The code of edge-iemonet is under Apache-2.0. **These weights are not**: the terms of everything they were "
        "made from go with them."
    ]
    if "manifest" in manifest["provenance"]["speech"]["corpora"]:
        said.append(
            "*Yours* are the recordings of whoever trained this bundle; what those in them agreed to binds it too."
        )
    said += [
        f"No licence of {credit['ingredient']} is known: find out before you pass this bundle on."
        for credit in manifest["credits"]
        if credit["licence"] == UNKNOWN
    ]
    return " ".join(said)


def _data(made: Mapping[str, Any]) -> str:
    lines = []
    for name, entry in made["speech"]["corpora"].items():
        counts = entry["labels"]
        each = ", ".join(f"{label} {count}" for label, count in counts.items())
        lines.append(f"- {registry.named(name).title}: {sum(counts.values())} utterances ({each}).")
    lines.append(f"- Transcripts: {WRITTEN[made['text']['transcripts']]}.")
    return "\n".join(lines)


def _measured(protocol: str, metrics: Mapping[str, Any]) -> str:
    runs, folds = metrics["runs"], metrics["folds"]
    times = f", {runs} times with other initial weights" if runs > 1 else ""
    if folds > 1:
        how = (
            f"Each of {folds} parts was tested by networks trained on the others{times}. The networks in this bundle "
            "were trained in the same way on all parts, so they are not quite those that were tested."
        )
    else:
        how = f"Trained{times} and tested once each; the networks in this bundle are the first that were tested."
    return f"{DIVIDED[protocol]} {how}"


def _score(score: Mapping[str, float]) -> str:
    return f"{score['mean']:.3f} ± {score['std']:.3f}"


def _interval(score: Mapping[str, Any]) -> str:
    return "{:.3f} to {:.3f}".format(*score["interval"])


def _calibration(found: Mapping[str, Mapping[str, float] | None]) -> str:
    said = CALIBRATION
    if None in found.values():
        said = (
            "Nothing was held apart to fit temperatures on, so where none was measured the temperature is 1: **a score "
            f"of 0.8 need not mean eight in ten**. {CALIBRATION}"
        )
    return f"{said}\n\n{calibrated(list(found.items()))}"


def _settings(made: Mapping[str, Any], names: tuple[str, ...]) -> str:
    chosen = ", ".join(f"`{name}` {made['settings'][name]}" for name in names)
    return f"Settings: {chosen}."


def _limits(manifest: Mapping[str, Any]) -> list[str]:
    limits = [
        f"- {', '.join(manifest['labels'])}, and nothing else: any other emotion is forced into one of them.",
        "- It was measured on the corpus named above alone. Expect less of other speakers, languages, rooms and "
        "microphones; there the calibration does not hold either.",
    ]
    if manifest["provenance"]["text"]["transcripts"] != "asr":
        limits.append(
            "- Words were measured on given transcripts; the runtime writes down what it hears, with errors. Expect "
            "less of words and fusion than the table says."
        )
    return [*limits, ENGLISH, MISUSE]
