"""Text of unknown origin is shown as it is, but for what would act on a terminal or on its reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.formats.printable import visible


@pytest.mark.parametrize("text", ["clip.wav", "Größe 音 😀", "\u0645\u0631\u062d\u0628\u0627", 'a "b" \\x1b', ""])
def test_what_can_be_read_stays(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x7f\x9b", "\\x7f\\x9b"),
        ("\u202egpj.exe\u2066\u200f", "\\u202egpj.exe\\u2066\\u200f"),
        ("caf\udce9", "caf\\udce9"),
    ],
)
def test_what_would_act_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters(codec=None)))
def test_nothing_that_acts_is_left_and_all_can_be_written(text: str) -> None:
    shown = visible(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)
    shown.encode()
    assert visible(shown) == shown
