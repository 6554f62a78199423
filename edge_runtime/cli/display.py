"""A prediction for people: label, bars, words, and what each branch thought."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from edge_runtime.cli.printable import visible
from edge_runtime.prediction import Prediction, Scores

BAR = 28
EIGHTHS = " ▏▎▍▌▋▊▉"
BOLD, DIM, RESET = "\033[1m", "\033[2m", "\033[0m"
INDENT = "  "


def render(name: str, prediction: Prediction, *, colour: bool = False) -> str:
    """Return some lines of text about ``prediction`` of the file ``name``."""
    bold, dim, reset = (BOLD, DIM, RESET) if colour else ("", "", "")
    length = f"{prediction.duration_s:.1f} s"
    lines = [f"{bold}{visible(name)}{reset}  {dim}{length}{reset}"]
    if prediction.label is None or prediction.confidence is None:
        lines.append(f"{INDENT}{visible(', '.join(prediction.notes))}")
    else:
        lines.append(f"{INDENT}{bold}{visible(prediction.label)}{reset}  {prediction.confidence:.0%}")
        lines += [INDENT + line for line in _bars(prediction.scores)]
        lines += _said(prediction.transcript)
        lines.append(f"{INDENT}voice {_brief(prediction.speech)}   words {_brief(prediction.text)}")
        if len(prediction.used) == 1:
            lines.append(f"{INDENT}{dim}from the {prediction.used[0]} alone{reset}")
        lines += [f"{INDENT}{dim}note: {visible(note)}{reset}" for note in prediction.notes]
    total = prediction.timings_ms["total"]
    parts = ", ".join(
        f"{slot.replace('_', ' ')} {ms:.0f}"
        for slot, ms in prediction.timings_ms.items()
        if slot != "total" and round(ms)
    )
    lines.append(f"{INDENT}{dim}{total:.0f} ms ({parts}){reset}")
    return "\n".join(lines)


def render_words(text: str, answer: Scores, *, colour: bool = False) -> str:
    """Return some lines of text about the words ``text``."""
    bold, reset = (BOLD, RESET) if colour else ("", "")
    lines = [f"{bold}{visible(answer.label)}{reset}  {answer.confidence:.0%}"]
    lines += [INDENT + line for line in _bars(answer.scores)]
    return "\n".join(lines + _said(text))


def _said(words: str | None) -> list[str]:
    shown = f"“{visible(' '.join(words.split()))}”" if words else "no words"
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
