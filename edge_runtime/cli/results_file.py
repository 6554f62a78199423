"""A file of results, one JSON object a line, that only grows: killed at any point, it is gone on with."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import IO, Any

from edge_runtime.errors import ResultsError
from edge_runtime.system.writing import opened_through

BEGINNING = b'{"file": '
"""How every line begins: what else stands in a file was not written here, and is not touched."""


class ResultsFile:
    """Results by file name. A context manager; while it is open, no other process can open it.

    Attributes:
        done: the names that have a line.
        failed: those of them whose line is an error.
    """

    def __init__(self, path: Path) -> None:
        """Open ``path``, make it if there is none, and cut off a last line that was not written to its end.

        Into a pipe or a device lines are written as they come; there is nothing to go on with.

        Raises:
            ResultsError: another process writes to it, it holds something else, or it cannot be opened.
        """
        self.done: set[str] = set()
        self.failed: set[str] = set()
        self._path = path
        try:
            through = opened_through(path)
            self._file = through or path.open("a+b", buffering=0)
        except OSError as error:
            raise ResultsError(f"{path}: cannot be written ({error.strerror})") from error
        if through is not None:
            return
        try:
            _lock(self._file, path)
            self._read()
        except BaseException:
            self._file.close()
            raise

    def add(self, result: dict[str, Any]) -> None:
        """Append one line; ``result`` has at least ``file``, its name.

        Raises:
            ResultsError: it cannot be written: the disk is full, say.
        """
        # A name that is no text has surrogates, which are escaped here and come back when it is read.
        line = memoryview(json.dumps({"file": result["file"], **result}).encode() + b"\n")
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            raise ResultsError(f"{self._path}: cannot be written ({error.strerror})") from error

    def _read(self) -> None:
        self._file.seek(0)
        kept = 0
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    if line[: len(BEGINNING)] != BEGINNING[: len(line)]:
                        raise self._other(number)
                    self._file.truncate(kept)
                    break
                kept += len(line)
                try:
                    result = json.loads(line) if line.startswith(BEGINNING) else {}
                    name = result["file"]
                except (ValueError, KeyError, RecursionError) as error:
                    raise self._other(number) from error
                self.done.add(name)
                if "error" in result:
                    self.failed.add(name)

    def _other(self, number: int) -> ResultsError:
        return ResultsError(f"{self._path}: line {number} is no result of `classify --output`; name another file")

    def __enter__(self) -> ResultsFile:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close, which lets others in."""
        self._file.close()


def _lock(file: IO[bytes], path: Path) -> None:
    """Lock ``file``, until it is closed or this process ends in any way."""
    try:
        if os.name == "nt":
            import msvcrt  # noqa: PLC0415 - each system has its own

            file.seek(1 << 62)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EAGAIN, errno.EACCES}:
            raise ResultsError(f"{path}: another process is writing to it") from error
        raise ResultsError(f"{path}: cannot be locked ({error.strerror}); name a file on another disk") from error
