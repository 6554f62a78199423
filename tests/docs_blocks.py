"""The code blocks of a page of the documentation, run as a reader would who types them in turn.

A page's ```python blocks are one script, in order, in one process; then its ```sh blocks are one script of one shell.
Other blocks are not code. A comment before a block, which no reader sees, says more:

- ``<!-- file: NAME -->``: the block is written to that file before anything runs;
- ``<!-- not run: REASON -->``: the block is left out;
- ``<!-- exit code: NUMBER -->``: the shell block ends with that exit code, instead of 0;
- ``<!-- printed by: WHAT -->``: the scripts print each line of the block, on either stream.

Everything runs in a folder that looks like a fresh clone, in which both environments of the README are there already:
they are the environment of the tests. A reader's own recordings are there too, ``OWN_RECORDINGS``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

FENCE = re.compile(r"^( *)(```+)(.*)$")
COMMENT = re.compile(r"^ *<!-- (not run|file|exit code|printed by): (.+) -->$")
INDENTED = re.compile(r"^(    |\t)\S")
LISTED = re.compile(r"^ *([-*]|\d+\.) ")
CODE = ("python", "sh")
OWN_RECORDINGS = ("monday.wav", "tuesday.wav", "wednesday.wav", "thursday.wav")
"""The pages' names of other recordings of one speaker; they are pieces of the example clip."""
TIMEOUT_S = 1800
TOP = ("benchmarks", "docs", "edge_runtime", "examples", "export", "models", "requirements-dev.txt", "trainer")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: the text that follows the fence.
        line: the number of its first line in the page, from 1.
        code: its lines.
        not_run: why it is left out, "" if it is not.
        file: the file that it is, "" if it is none.
        exit_code: of a shell block.
        printed: whether the scripts of the page print it.
    """

    language: str
    line: int
    code: str
    not_run: str = ""
    file: str = ""
    exit_code: int = 0
    printed: bool = False


class Printed(NamedTuple):
    """What the scripts of a page print on standard output and on standard error."""

    out: str
    err: str


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of ``page``, in order, without the indentation of their fence."""
    found: list[Block] = []
    opened: tuple[str, str, str, int] | None = None
    said: dict[str, str] = {}
    body: list[str] = []
    for number, text in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.match(text)
        if opened is None and fence:
            opened, body = (fence[1], fence[2], fence[3].strip(), number + 1), []
        elif opened and fence and fence[2] == opened[1] and not fence[3].strip():
            code = "\n".join(body) + "\n"
            found.append(
                Block(
                    opened[2],
                    opened[3],
                    code,
                    said.get("not run", ""),
                    said.get("file", ""),
                    int(said.get("exit code", 0)),
                    "printed by" in said,
                )
            )
            opened, said = None, {}
        elif opened:
            body.append(text.removeprefix(opened[0]))
        elif comment := COMMENT.match(text):
            said[comment[1]] = comment[2]
        else:
            assert not said, f"{page}: line {number - 1}: a comment that no block follows"
    assert opened is None, f"{page}: the block at line {opened and opened[3]} is not closed"
    return found


def indented(page: Path) -> list[int]:
    """Return the lines of ``page`` that are code by indentation, of which nobody can say how to run it."""
    lines, code, fenced, after = page.read_text(encoding="utf-8").splitlines(), [], False, ""
    for number, text in enumerate(lines, 1):
        fenced ^= bool(FENCE.match(text))
        if not fenced and INDENTED.match(text) and not LISTED.match(after):
            code.append(number)
        after = text if text and not text.startswith(" ") else after
    return code


def runnable(page: Path) -> bool:
    return any(block.language in CODE and not block.not_run for block in blocks(page))


def clone(folder: Path, repository: Path) -> Path:
    """Make ``folder`` look like a fresh clone in which the environments were made; return it."""
    for name in TOP:
        (folder / name).symlink_to(repository / name)
    for name in (".venv", ".venv-demo"):
        (folder / name / "bin").mkdir(parents=True)
        for tool in ("python", "edge-iemonet", "trainer"):
            script = f'#!/bin/sh\nexec "{Path(sys.executable).with_name(tool)}" "$@"\n'
            (folder / name / "bin" / tool).write_text(script)
            (folder / name / "bin" / tool).chmod(0o755)
        (folder / name / "bin" / "activate").write_text(f'PATH="{folder / name / "bin"}:$PATH"\n')
    samples, rate = soundfile.read(repository / "examples" / "jfk.wav")
    (folder / "recordings-of-ann").mkdir()
    for piece, name in zip(np.array_split(samples, len(OWN_RECORDINGS)), OWN_RECORDINGS, strict=True):
        soundfile.write(folder / name, piece, rate)
        soundfile.write(folder / "recordings-of-ann" / name, piece, rate)
    return folder


def run(page: Path, folder: Path, repository: Path) -> Printed:
    """Run the blocks of ``page`` in ``folder``, first Python, then shell; return the output of both.

    Both scripts keep the page's line numbers, so that an error names the line of the page.
    """
    found = [block for block in blocks(page) if not block.not_run]
    for block in found:
        if block.file:
            (folder / block.file).write_text(block.code, encoding="utf-8")
    out = err = ""
    for language, start in (("python", ""), ("sh", _SHELL)):
        script = start
        for block in found:
            if block.language == language:
                script += "\n" * (block.line - 2 - script.count("\n"))
                before, after = (f"expect {block.exit_code} <<'END'", "END\n") if block.exit_code else ("", "")
                script += f"{before}\n{block.code}{after}"
        if script != start:
            path = folder / f"{page.name}.{'py' if language == 'python' else 'sh'}"
            path.write_text(script, encoding="utf-8")
            done = _call([sys.executable if language == "python" else "bash", str(path)], folder, repository)
            out, err = out + done.out, err + done.err
    lines = (out + err).splitlines()
    missing = [line for block in found if block.printed for line in block.code.splitlines() if line not in lines]
    assert not missing, f"{page}: not printed: {missing}\n{out}{err}"
    return Printed(out, err)


_SHELL = (
    "set -euo pipefail; trap 'echo \"$0, line $LINENO: failed\" >&2' ERR; "
    'expect() { local code=0; bash -euo pipefail -c "$(cat)" </dev/null || code=$?; [ "$code" = "$1" ] || return 1; }'
)


def _call(command: list[str], folder: Path, repository: Path) -> Printed:
    settings = {
        "EDGE_IEMONET_BUNDLE": str(repository / "models" / "en-tiny-int8"),
        "PYTHONPATH": str(repository),
        "MPLBACKEND": "agg",
    }
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **settings}, capture_output=True, text=True, timeout=TIMEOUT_S,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return Printed(done.stdout, done.stderr)
