"""What every model card has: who made the ingredients, what scores are worth, what the model is not for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ROLES = {
    "whisper-tiny.en": "speech encoder and transcript decoder",
    "silero-vad": "voice activity detection",
}
CALIBRATION = "Expected calibration error, before and after the temperature that the runtime divides by:"
ENGLISH = "- The transcript is English, whatever is spoken; words recognised from another language mean nothing."
MISUSE = (
    "- It hears how something sounds, not what somebody feels. It must not decide about people: not in hiring, "
    "schools, policing, insurance or medicine. In the EU, emotion recognition at work and in education is largely "
    "forbidden (AI Act, article 5)."
)


def pretrained(sources: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return who made each pretrained network, what it does in a bundle, and under which licence."""
    return [
        {
            "ingredient": source["credit"],
            "role": ROLES.get(name, "text encoder, fine-tuned"),
            "licence": source["licence"],
            "source": _origin(source),
        }
        for name, source in sources.items()
    ]


def _origin(source: Mapping[str, Any]) -> str:
    if source["origin"] == "hub":
        return f"hub {source['hub']}@{source['revision']}"
    if source["origin"] == "wheel":
        return f"wheel {source['wheel']}=={source['version']}, sha256 {source['sha256']}"
    return f"a folder called {source['name']}"


def credited(manifest: Mapping[str, Any]) -> str:
    """Return the table of a bundle's ingredients."""
    return table(
        ("ingredient", "what it does here", "licence", "from"),
        [(c["ingredient"], c["role"], c["licence"], c["source"]) for c in manifest["credits"]],
    )


def calibrated(rows: Sequence[tuple[str, Mapping[str, float] | None]]) -> str:
    """Return the table of temperatures; None stands for one that nothing was held apart to fit."""
    return table(
        ("scores", "temperature", "before", "after"),
        [
            (name, f"{c['temperature']:.2f}", f"{c['ece_before']:.3f}", f"{c['ece_after']:.3f}")
            if c
            else (name, "1.00", "not measured", "not measured")
            for name, c in rows
        ],
    )


def verification(manifest: Mapping[str, Any]) -> list[str]:
    """Return the section on what the conversion changed; of a bundle that was exported without, none."""
    return ["## What the conversion changed", verified(manifest)] if "verification" in manifest else []


def verified(manifest: Mapping[str, Any]) -> str:
    """Return what the bundle's verification found: what the conversion changed, and where it fell short."""
    found = manifest["verification"]
    converted = found["converted"]
    rows = [
        (
            view,
            str(figures["n"]),
            f"{figures['same_label']:.1%}",
            *(f"{-figures[s]['points_lost']:+.2f}" if s in figures else "not measured" for s in ("wa", "ua")),
        )
        for view, figures in converted.items()
        if isinstance(figures, Mapping) and "same_label" in figures
    ]
    said = [f"Against the exact graphs, on {converted['samples']}; WA and UA in points:"]
    said.append(table(("", "n", "same label", "WA", "UA"), rows))
    if "transcripts" in converted:
        words = converted["transcripts"]
        said.append(f"Transcripts differ in {words['word_error_rate_against_exact']:.1%} of their words.")
    said += [f"**Falls short**: {text}." for text in found["shortfall"]]
    return "\n\n".join(said)


def provenance(manifest: Mapping[str, Any]) -> str:
    """Return with what a bundle was made, and where the rest is told."""
    tools = ", ".join(f"{name} {version}" for name, version in manifest["toolchain"].items())
    return f"Toolchain: {tools}. Seeds, settings and corpus checksums are in `bundle.json` under `provenance`."


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = [head, tuple("---" for _ in head), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
