"""What pages and plots call a corpus, and its languages."""

from __future__ import annotations

from trainer.corpora import registry

LANGUAGES = {
    "am": "Amharic",
    "de": "German",
    "en": "English",
    "en-GB": "British English",
    "en-IN": "Indian English",
    "hi": "Hindi",
    "it": "Italian",
    "ko": "Korean",
    "pl": "Polish",
}
"""By their names in the registry; one that is not here is called by that name."""


def title(corpus: str) -> str:
    """Return the short title of a corpus: what stands before the first comma or colon in the registry."""
    return registry.named(corpus).title.partition(":")[0].partition(",")[0]


def languages(corpus: str) -> str:
    """Return the languages of a corpus in words."""
    return ", ".join(LANGUAGES.get(code, code) for code in registry.named(corpus).languages)
