"""Output for people: names from files and corpora are shown, and cannot steer the terminal; progress bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import rich.console
from rich.progress import track
from rich.segment import Segment
from rich.text import Text

from edge_runtime.formats.printable import visible

T = TypeVar("T")


class Console(rich.console.Console):
    """Rich's console, which itself passes on the control characters of what it is given."""

    def render_str(self, text: str, **settings: Any) -> Text:
        """Return ``text`` with an escape for each control character; early enough for a table to make room for it."""
        return super().render_str(_shown(text), **settings)

    def render(
        self, renderable: rich.console.RenderableType, options: rich.console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield what is printed, with an escape for each control character that is not rich's own."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(_shown(segment.text), segment.style)


def _shown(text: str) -> str:
    return "\n".join(map(visible, text.split("\n")))


def progress(items: Sequence[T], doing: str, *, quiet: bool) -> Iterable[T]:
    """Yield ``items`` and show a bar on the standard error, unless ``quiet``."""
    return track(items, doing, disable=quiet, console=rich.console.Console(stderr=True))
