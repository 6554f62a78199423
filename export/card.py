"""The model card: what a bundle was trained on, under which licences, how good it is and what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from export import card_parts, recipe_card, run_card

FILE = "MODEL_CARD.md"


def credits_of(configs: Mapping[str, Mapping[str, Any]], sources: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return who made each ingredient of a bundle, what it does there, and under which licence.

    Args:
        configs: of the checkpoints "speech", "text" and "fusion".
        sources: where each pretrained network came from, by name (``trainer.weights.provenance``).
    """
    corpora = run_card.corpora(configs) if run_card.is_run(configs["speech"]["metrics"]) else recipe_card.CORPORA
    return [*card_parts.pretrained(sources), *corpora]


def render(manifest: Mapping[str, Any]) -> str:
    """Return the card of the bundle with this manifest, in Markdown; every figure is taken from it."""
    is_run = run_card.is_run(manifest["metrics"]["speech"])
    return run_card.render(manifest) if is_run else recipe_card.render(manifest)
