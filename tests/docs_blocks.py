"""The code blocks of a page of the documentation, run as a reader would who types them in turn.

A page's ```python blocks are one script, in order, in one process. A ```sh block is run only where it says so in
the page's source: ```sh run (which no reader sees). Everything runs in a folder that holds ``clip.wav`` and
``examples/jfk.wav`` (both are the example clip), with the default bundle and the commands of this environment at hand.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^( *)(```+)(.*)$")
TIMEOUT_S = 300


@dataclass(frozen=True)
class Block:
    """Attributes: what follows the fence, the first line's number in the page from 1, and the code."""

    language: str
    line: int
    code: str


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of ``page``, in order, without the indentation of their fence."""
    found: list[Block] = []
    opened: tuple[str, str, str, int] | None = None
    body: list[str] = []
    for number, text in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.match(text)
        if opened is None and fence:
            opened, body = (fence[1], fence[2], " ".join(fence[3].split()), number + 1), []
        elif opened and fence and fence[2] == opened[1] and not fence[3].strip():
            found.append(Block(opened[2], opened[3], "\n".join(body) + "\n"))
            opened = None
        elif opened:
            body.append(text.removeprefix(opened[0]))
    assert opened is None, f"{page}: the block at line {opened and opened[3]} is not closed"
    return found


def runnable(page: Path) -> bool:
    return any(block.language in {"python", "sh run"} for block in blocks(page))


def run(page: Path, folder: Path, repository: Path) -> str:
    """Run the blocks of ``page`` in ``folder``, first Python, then shell; return what they print.

    Python keeps the page's line numbers, so that a traceback names the line of the page.
    """
    (folder / "examples").mkdir()
    for name in ("clip.wav", "examples/jfk.wav"):
        shutil.copyfile(repository / "examples" / "jfk.wav", folder / name)
    found = blocks(page)
    script = ""
    for block in found:
        if block.language == "python":
            script += "\n" * (block.line - 1 - script.count("\n")) + block.code
    printed = ""
    if script:
        path = folder / f"{page.name}.py"
        path.write_text(script, encoding="utf-8")
        printed = _call([sys.executable, str(path)], folder, repository)
    for block in found:
        if block.language == "sh run":
            shell = ["bash", "-euo", "pipefail", "-c", block.code]
            printed += _call(shell, folder, repository)
    return printed


def _call(command: list[str], folder: Path, repository: Path) -> str:
    settings = {
        "EDGE_IEMONET_BUNDLE": str(repository / "models" / "en-tiny-int8"),
        "PYTHONPATH": str(repository),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "MPLBACKEND": "agg",
    }
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **settings}, capture_output=True, text=True, timeout=TIMEOUT_S,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
