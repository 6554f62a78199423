"""The card of a bundle that one training did not make as a whole: some parts alone, or parts swapped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from export.card_parts import ENGLISH, MISUSE, credited, provenance, table, verification

TITLES = {"speech": "voice", "text": "words", "fusion": "fused"}


def render(manifest: Mapping[str, Any]) -> str:
    """Return the card of the bundle with this manifest, in Markdown; every figure is taken from it."""
    said = [
        f"# {manifest['name']} {manifest['version']}",
        f"Recognises {', '.join(manifest['labels'])} in speech or its words. Everything it is made of is in "
        "`bundle.json`, with checksums.",
        "## What it is made of",
        "\n".join(_made_of(manifest)),
        "## What binds you",
        "The code of edge-iemonet is under Apache-2.0. **These weights are not**: the terms of everything they were "
        "made from go with them. Where a licence is unknown, find out before you pass this bundle on.",
        credited(manifest),
        "## How good its parts are",
        "As their trainers measured each, in fp32, before they were put together; the whole was not measured but for "
        "what is said below.",
        table(
            ("part", "measured", "n", "WA", "UA"),
            [
                (TITLES[part], name, str(r["n"]), _score(r["wa"]), _score(r["ua"]))
                for part, metrics in manifest["metrics"].items()
                for name, r in _reports(metrics)
            ],
        ),
        *verification(manifest),
        "## What it cannot do",
        f"- {', '.join(manifest['labels'])}, and nothing else: any other emotion is forced into one of them.\n"
        + (f"{ENGLISH}\n" if "transcript_decoder" in manifest["slots"] else "")
        + MISUSE,
        "## Provenance",
        provenance(manifest),
    ]
    return "\n\n".join(said) + "\n"


def _made_of(manifest: Mapping[str, Any]) -> Iterator[str]:
    for part, made in manifest["provenance"].items():
        corpora = ", ".join(made.get("corpora", {})) or "a corpus that is not recorded"
        encoder = f", encoder {made['encoder']}" if "encoder" in made else ""
        yield f"- **{TITLES[part].capitalize()}**: {made.get('kind', part)}{encoder}, trained on {corpora}."
    if "fusion" in manifest["slots"] and "fusion" not in manifest["provenance"]:
        yield (
            "- **Fused**: the product of what voice and words say. The two were never trained together, so this is a "
            "rule and not learned; train fusion on speech that has both to do better."
        )
    swapped = manifest.get("swapped")
    if swapped:
        yield f"- Made from the bundle {swapped['from']}, of which {' and '.join(swapped['parts'])} was replaced."


def _reports(metrics: Mapping[str, Any], name: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every measurement in nested metrics, by the path to it."""
    if {"n", "wa", "ua"} <= metrics.keys():
        yield name or "its own test", metrics
        return
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _reports(value, f"{name} {key.replace('_', ' ')}".strip())


def _score(score: float | Mapping[str, float]) -> str:
    return f"{score['mean'] if isinstance(score, Mapping) else score:.3f}"
