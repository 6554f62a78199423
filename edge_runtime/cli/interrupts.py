"""Ctrl-C and SIGTERM end a command at once and without a word; what has something to clean up first says so."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LATER_S = 0.01
"""A signal that comes within a callback from C is raised again after this time, in seconds."""
SHOW_CURSOR = b"\033[?25h\n"


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM came.

    Attributes:
        exit_code: of a process that ends because of it: 130 or 143.
    """

    def __init__(self, number: int) -> None:
        """``number`` is that of the signal."""
        super().__init__()
        self.exit_code = 128 + number


def exit_code(error: KeyboardInterrupt) -> int:
    """Return the exit code of a process that ``error`` ends."""
    return error.exit_code if isinstance(error, Interrupted) else 128 + signal.SIGINT


def end(number: int, _: object = None) -> None:
    """End this process now, as the handler of a signal.

    Nothing is unwound: threads may wait in C code for sound that never comes, and an exception in the middle of an
    import or of a callback from C would be printed. What was answered has been flushed already.
    """
    if os.isatty(sys.__stderr__.fileno() if sys.__stderr__ else -1):
        os.write(sys.__stderr__.fileno(), SHOW_CURSOR)  # type: ignore[union-attr]  # a progress bar may have hidden it
    os._exit(128 + number)


def heeded_signals() -> tuple[signal.Signals, ...]:
    """Return which of Ctrl-C and SIGTERM to answer: `nohup` and a script's `&` have a command ignore them."""
    return tuple(number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN)


@contextmanager
def at_once() -> Iterator[None]:
    """Inside, Ctrl-C and SIGTERM end the process, with exit code 130 and 143."""
    before = {number: signal.signal(number, end) for number in heeded_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
            atexit.register(signal.signal, number, end)  # Python takes its time to end, and would print a traceback


@contextmanager
def after_cleaning_up() -> Iterator[None]:
    """Inside, they raise ``Interrupted``, and the process ends when that comes out; a second one ends it at once.

    For what writes files and folders that may not stay half done. Where ``at_once`` is not in force, nothing changes.
    """
    ours = [number for number in SIGNALS if signal.getsignal(number) is end]

    def unwind(number: int, frame: FrameType | None) -> None:
        if _in_callback(frame):
            import threading  # noqa: PLC0415 - Ctrl-C is answered from the first import on

            threading.Timer(LATER_S, signal.raise_signal, [number]).start()
            return
        for each in ours:
            signal.signal(each, end)
        raise Interrupted(number)

    for number in ours:
        signal.signal(number, unwind)
    try:
        yield
    except KeyboardInterrupt as error:
        if not ours:
            raise
        raise SystemExit(exit_code(error)) from None
    finally:
        for number in ours:
            signal.signal(number, end)


def _in_callback(frame: FrameType | None) -> bool:
    """Whether libsndfile has called Python to read from a file: an exception would be lost there."""
    while frame is not None:
        if frame.f_code.co_name.startswith("vio_"):
            return True
        frame = frame.f_back
    return False
