"""What pages call a corpus."""

from __future__ import annotations

import pytest

from benchmarks.report.corpora import languages, title
from trainer.corpora.registry import CORPORA


@pytest.mark.parametrize(
    ("corpus", "short", "spoken"),
    [
        ("emodb", "EmoDB", "German"),
        ("emospeech_in", "emotional speech of India", "Hindi, Indian English"),
        ("emogator", "EmoGator", ""),
        ("asterisk_prompts_8k", "telephone prompts at 8 kHz in five languages", "English, es, fr, Italian, ru"),
    ],
)
def test_corpus_has_a_short_title_and_its_languages_in_words(corpus: str, short: str, spoken: str) -> None:
    assert title(corpus) == short
    assert languages(corpus) == spoken


def test_no_two_corpora_share_a_title() -> None:
    titles = [title(corpus.name) for corpus in CORPORA]
    assert len(set(titles)) == len(titles)
