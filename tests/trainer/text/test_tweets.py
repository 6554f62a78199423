"""Tweets made plain."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trainer.text.tweets import normalize_tweet


@pytest.mark.parametrize(
    ("tweet", "expected"),
    [
        ("@Ann_1 see https://t.co/aB3?x=1&y now", "@user see http now"),
        ("www.example.org/a is down", "http is down"),
        ("Tom &amp; Jerry &lt;3", "Tom & Jerry <3"),
        ("&lt;https://a.b&gt; @x", "<http @user"),  # an address ends at the next space
        ("no http here, mail me", "no http here, mail me"),
        ("#love", "#love"),
        ("", ""),
    ],
)
def test_addresses_and_names_become_one_token_and_entities_characters(tweet, expected):
    assert normalize_tweet(tweet) == expected


@given(st.text(st.characters(exclude_characters="&@")))
def test_a_tweet_without_addresses_or_entities_is_unchanged(text):
    assume("http" not in text and "www." not in text)
    assert normalize_tweet(text) == text
