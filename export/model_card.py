"""The model card: what a bundle was trained on, under which licences, how good it is and what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from export import card_parts, parts_card, recipe_card, run_card
from export.components import PARTS

FILE = "MODEL_CARD.md"


def credits_of(configs: Mapping[str, Mapping[str, Any]], sources: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return who made each ingredient of a bundle, what it does there, and under which licence.

    Args:
        configs: of the checkpoints that there are.
        sources: where each pretrained network came from, by name (``trainer.pretrained.download.provenance``).
    """
    is_run = any(run_card.is_run(config["metrics"]) for config in configs.values())
    corpora = run_card.corpora(configs) if is_run else recipe_card.corpora(configs)
    return [*card_parts.pretrained(sources), *corpora]


def render(manifest: Mapping[str, Any]) -> str:
    """Return the card of the bundle with this manifest, in Markdown; every figure is taken from it."""
    metrics = manifest["metrics"]
    if "swapped" in manifest or set(metrics) != set(PARTS):
        return parts_card.render(manifest)
    card = run_card.render if run_card.is_run(metrics["speech"]) else recipe_card.render
    return card(manifest)
