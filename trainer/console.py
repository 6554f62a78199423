"""Where people read: names from files and corpora are shown, and cannot steer the terminal."""

from __future__ import annotations

from collections.abc import Iterable

import rich.console
from rich.segment import Segment

from edge_runtime.visible import visible


class Console(rich.console.Console):
    """Rich's console, which itself passes on the control characters of what it is given."""

    def render(
        self, renderable: rich.console.RenderableType, options: rich.console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield what is printed, with an escape for each control character that is not rich's own."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment("\n".join(map(visible, segment.text.split("\n"))), segment.style)
