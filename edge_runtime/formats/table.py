"""A timeline as a table in a terminal, row by row as it is found."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

from edge_runtime.cli.display import BOLD, DIM, RESET
from edge_runtime.cli.printable import visible
from edge_runtime.formats.clock import clock
from edge_runtime.prediction import Segment

NARROWEST_WORDS = 24


class Table:
    """Makes rows of one width."""

    def __init__(self, labels: Sequence[str], *, channels: bool, colour: bool) -> None:
        """Make a table for ``labels``, with a column for the channel if ``channels`` are kept apart."""
        self._label_width = max(len("emotion"), *(len(visible(label)) for label in labels))
        self._channels = channels
        self._bold, self._dim, self._reset = (BOLD, DIM, RESET) if colour else ("", "", "")
        self._indent = len(self._left("", "", "", "", ""))
        self._width = max(self._indent + NARROWEST_WORDS, shutil.get_terminal_size((100, 24)).columns)

    def header(self) -> str:
        """Return the line above all rows."""
        return f"{self._dim}{self._left('start', 'end', 'ch', 'emotion', 'conf')}words{self._reset}"

    def row(self, segment: Segment) -> str:
        """Return one line about ``segment``, or more where there are many words."""
        confidence = "" if segment.confidence is None else f"{segment.confidence:.0%}"
        channel = "" if segment.channel is None else str(segment.channel)
        label = visible(segment.label or "none")
        said = visible(" ".join((segment.transcript or "-").split()))
        said += "".join(f" ({visible(note)})" for note in segment.notes)
        left = self._left(clock(segment.start_s), clock(segment.end_s), channel, label, confidence)
        words = textwrap.wrap(said, self._width - self._indent) or ["-"]
        first, *more = words
        return "\n".join([f"{self._bold}{left}{self._reset}{first}", *(" " * self._indent + line for line in more)])

    def _left(self, start: str, end: str, channel: str, label: str, confidence: str) -> str:
        number = f"{channel:>2}  " if self._channels else ""
        return f"{start:>9}  {end:>9}  {number}{label:<{self._label_width}}  {confidence:>4}  "
