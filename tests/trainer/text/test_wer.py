"""The word error rate, and what does not count in it."""

import pytest

from trainer.text.wer import normalize, word_error_rate


@pytest.mark.parametrize(
    ("said", "heard", "rate"),
    [
        (["She saw it."], ["she SAW it!"], 0),
        (["It\u2019s fine"], ["its fine"], 0),
        (["a b c d"], ["a x c"], 0.5),
        (["a b", "c d"], ["a b", ""], 0.5),
        (["a"], ["a b c"], 2),
        (["", "..."], ["a", ""], 0),
        ([], [], 0),
    ],
)
def test_word_error_rate_counts_substitutions_insertions_and_deletions(said, heard, rate):
    assert word_error_rate(said, heard) == rate


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("Don't  STOP!", "dont stop"),
        ("a\tb\nc", "a b c"),
        ("\u201cNo\u201d \u2014 yes_sir", "no yessir"),
        ("$5.50", "550"),
        ("...", ""),
    ],
)
def test_case_punctuation_and_spaces_do_not_count(written, compared):
    assert normalize(written) == compared
