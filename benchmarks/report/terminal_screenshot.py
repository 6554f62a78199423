"""A picture of the real output of ``edge-iemonet classify``, for the README."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from benchmarks.common.paths import ANGRY_EXAMPLE, BUNDLE, EXAMPLE, ROOT
from edge_runtime.system.writing import write_text

WIDTH = 92


def draw(bundle: Path, clips: list[Path], labels: list[str], target: Path) -> None:
    """Run ``edge-iemonet classify`` on ``clips`` and write the terminal it would show as an SVG.

    Args:
        bundle: the bundle to use.
        clips: recordings.
        labels: names of the clips in the picture.
        target: the SVG file to write.
    """
    script = "import sys; sys.stdout.isatty = lambda: True; from edge_runtime.cli.app import main; main()"
    command = [sys.executable, "-c", script, "classify", *map(str, clips), "--bundle", str(bundle)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    for clip, label in zip(clips, labels, strict=True):
        shown = shown.replace(str(clip), label)
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ edge-iemonet classify {' '.join(labels)}", style="bold"))
    console.print(Text.from_ansi(shown))
    write_text(target, console.export_svg(title="edge-iemonet"))


def command() -> None:
    """Draw the terminal in docs/classify.svg."""
    target, clips = ROOT / "docs" / "classify.svg", [EXAMPLE, ANGRY_EXAMPLE]
    draw(BUNDLE, clips, [str(clip.relative_to(ROOT)) for clip in clips], target)
    print(target)
