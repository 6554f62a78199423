"""How each command of the project begins and ends, but for Ctrl-C, which ``interrupts`` sees to."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import TextIO

from edge_runtime.errors import AudioError, AudioNotFoundError, IEmoNetError
from edge_runtime.formats.printable import visible

FAILED = 1


def run(name: str, module: str, *, refused: int) -> None:
    """Run the typer app in ``module`` and exit; what goes wrong is said in a line, without a traceback.

    Args:
        name: of the command, for messages.
        module: where ``app`` is.
        refused: exit code for an ``IEmoNetError`` that is not about audio.
    """
    _open_streams()
    try:
        code = _called(module)
    except IEmoNetError as error:
        report_error(name, error)
        code = FAILED if isinstance(error, AudioError | AudioNotFoundError) else refused
    except OSError as error:
        # The reader of our output may have gone, as `| head` does: that needs no words.
        if _written(name) and not isinstance(error, BrokenPipeError):
            unnamed = error.errno is not None and error.filename is None
            report_error(name, f"standard output or a file: {error.strerror}" if unnamed else error)
        code = FAILED
    if not _written(name):
        code = code or FAILED
    _flush(sys.stderr)
    sys.exit(code)


def report_error(name: str, problem: object) -> None:
    """Say on standard error what is wrong."""
    print_status(f"{name}: {problem}")


def print_status(text: str) -> None:
    """Print a line on standard error; where that cannot be written, nothing is said and the work goes on."""
    with suppress(OSError):
        print(visible(text), file=sys.stderr)


def standard_input() -> TextIO:
    """Return it.

    Raises:
        AudioError: it was closed before this process began.
    """
    if sys.stdin is None:
        raise AudioError("standard input: is closed; send something to it, or name a file")
    return sys.stdin


def _called(module: str) -> int:
    """Return the exit code; typer exits rather than return."""
    try:
        import_module(module).app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _open_streams() -> None:
    """Give closed streams their places: else the next file opened would get their numbers, and messages of libraries.

    They are opened the wrong way round, so that whoever needs one hears of it; see also ``standard_input``.
    """
    for number, stream in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, stream) is None:
            found = os.open(os.devnull, os.O_WRONLY if number == 0 else os.O_RDONLY)
            if found != number:
                os.dup2(found, number)
                os.close(found)
            if number:
                setattr(sys, stream, os.fdopen(number, "w", closefd=False))
    # A terminal or pipe that cannot show a bar or a German word gets a substitute, not an error.
    for shown in (sys.stdout, sys.stderr):
        _reconfigure(shown, "replace")
    _reconfigure(sys.stdin, "surrogateescape")


def _reconfigure(stream: TextIO | None, errors: str) -> None:
    if isinstance(stream, io.TextIOWrapper):  # tests and notebooks put others there
        stream.reconfigure(errors=errors)


def _written(name: str) -> bool:
    """Write out what was printed, and say it where that fails."""
    error = _flush(sys.stdout)
    if error is not None and not isinstance(error, BrokenPipeError):
        report_error(name, f"standard output: cannot be written ({error.strerror})")
    return error is None


def _flush(stream: TextIO) -> OSError | None:
    try:
        stream.flush()
    except OSError as error:
        # Python would try again at its end, and print a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return error
    return None
