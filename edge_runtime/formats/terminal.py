"""Answers for people: a prediction as a few lines with bars, and a timeline as rows of a table."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping, Sequence

from edge_runtime.formats.clock import clock
from edge_runtime.formats.emotion import MARK, marked, spelled_out
from edge_runtime.formats.printable import visible
from edge_runtime.prediction import Prediction, Scores, Segment

BAR = 28
EIGHTHS = " ▏▎▍▌▋▊▉"
BOLD, DIM, RESET = "\033[1m", "\033[2m", "\033[0m"
INDENT = "  "
NARROWEST_TRANSCRIPT = 24


def render(name: str, prediction: Prediction, *, colour: bool = False) -> str:
    """Return some lines of text about ``prediction`` of the file ``name``."""
    bold, dim, reset = (BOLD, DIM, RESET) if colour else ("", "", "")
    length = f"{prediction.duration_s:.1f} s"
    lines = [f"{bold}{visible(name)}{reset}  {dim}{length}{reset}"]
    if prediction.label is None or prediction.confidence is None:
        lines.append(f"{INDENT}{visible(', '.join(prediction.notes))}")
    else:
        emotion = visible(spelled_out(prediction.likeliest, uncertain=prediction.uncertain))
        lines.append(f"{INDENT}{bold}{emotion}{reset}  {prediction.confidence:.0%}")
        lines += [INDENT + line for line in _bars(prediction.scores)]
        lines += _transcript(prediction.transcript, prediction.language)
        lines.append(f"{INDENT}voice {_brief(prediction.speech)}   words {_brief(prediction.text)}")
        if len(prediction.used) == 1:
            lines.append(f"{INDENT}{dim}from the {prediction.used[0]} alone{reset}")
        if prediction.baseline_s:
            lines.append(f"{INDENT}{dim}compared with {prediction.baseline_s:.1f} s of the same speaker{reset}")
        lines += [f"{INDENT}{dim}note: {visible(note)}{reset}" for note in prediction.notes]
    total = prediction.timings_ms["total"]
    parts = ", ".join(
        f"{slot.replace('_', ' ')} {ms:.0f}"
        for slot, ms in prediction.timings_ms.items()
        if slot != "total" and round(ms)
    )
    lines.append(f"{INDENT}{dim}{total:.0f} ms ({parts}){reset}")
    return "\n".join(lines)


def render_text(text: str, answer: Scores, *, uncertain: bool = False, colour: bool = False) -> str:
    """Return some lines about the answer from ``text`` alone."""
    bold, reset = (BOLD, RESET) if colour else ("", "")
    emotion = visible(spelled_out(answer.likeliest, uncertain=uncertain))
    lines = [f"{bold}{emotion}{reset}  {answer.confidence:.0%}"]
    lines += [INDENT + line for line in _bars(answer.scores)]
    return "\n".join(lines + _transcript(text))


def _transcript(text: str | None, language: str | None = None) -> list[str]:
    shown = f"“{visible(' '.join(text.split()))}”" if text else "no words"
    shown += f" ({visible(language)})" if language else ""
    return textwrap.wrap(shown, 76, initial_indent=INDENT, subsequent_indent=INDENT + " ")


def _bars(scores: Mapping[str, float]) -> list[str]:
    shown = {visible(label): score for label, score in scores.items()}
    width = max(map(len, shown))
    lines = []
    for label, score in sorted(shown.items(), key=lambda item: -item[1]):
        full, part = divmod(round(score * BAR * 8), 8)
        bar = "█" * full + (EIGHTHS[part] if part else "")
        lines.append(f"{label:<{width}}  {bar:<{BAR}}  {score:4.0%}")
    return lines


def _brief(answer: Scores | None) -> str:
    return f"{visible(answer.label)} {answer.confidence:.0%}" if answer else "none"


class Table:
    """Makes rows of one width."""

    def __init__(self, labels: Sequence[str], *, channels: bool, colour: bool) -> None:
        """Make a table for ``labels``, with a column for the channel if ``channels`` are kept apart."""
        self._label_width = max(len("emotion"), *(len(visible(label + MARK)) for label in labels))
        self._channels = channels
        self._bold, self._dim, self._reset = (BOLD, DIM, RESET) if colour else ("", "", "")
        self._indent = len(self._left("", "", "", "", ""))
        self._width = max(self._indent + NARROWEST_TRANSCRIPT, shutil.get_terminal_size((100, 24)).columns)

    def header(self) -> str:
        """Return the line above all rows."""
        return f"{self._dim}{self._left('start', 'end', 'ch', 'emotion', 'conf')}words{self._reset}"

    def row(self, segment: Segment) -> str:
        """Return one line about ``segment``, or more where there are many words; "angry?" is uncertain."""
        confidence = "" if segment.confidence is None else f"{segment.confidence:.0%}"
        channel = "" if segment.channel is None else str(segment.channel)
        label = visible(marked(segment) or "none")
        text = visible(" ".join((segment.transcript or "-").split()))
        text += f" ({visible(segment.language)})" if segment.language else ""
        text += "".join(f" ({visible(note)})" for note in segment.notes)
        left = self._left(clock(segment.start_s), clock(segment.end_s), channel, label, confidence)
        lines = textwrap.wrap(text, self._width - self._indent) or ["-"]
        first, *more = lines
        return "\n".join([f"{self._bold}{left}{self._reset}{first}", *(" " * self._indent + line for line in more)])

    def _left(self, start: str, end: str, channel: str, label: str, confidence: str) -> str:
        number = f"{channel:>2}  " if self._channels else ""
        return f"{start:>9}  {end:>9}  {number}{label:<{self._label_width}}  {confidence:>4}  "
