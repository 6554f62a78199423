"""Text of unknown origin, such as a file's name, made harmless for a terminal and plain to the eye."""

from __future__ import annotations

import re

HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, what turns the direction of writing, and bytes of a name that are no text, as Python has them."""


def visible(text: str) -> str:
    r"""Return ``text`` with an escape such as ``\x1b`` for each character that would act instead of being shown."""
    return HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
