"""A recording that is read no longer than a request may last, and no further than its limit of sound."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import Any

from edge_runtime.audio.recording import Float, Recording
from edge_runtime.serve.errors import out_of_time, too_long


class Deadline:
    """When the work on a request ends; asked between the pieces of the work, each of which is short."""

    def __init__(self, seconds: float) -> None:
        """End in so many seconds."""
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def remaining_s(self) -> float:
        """Seconds that are left, not negative."""
        return max(0.0, self._end - time.monotonic())

    def end(self) -> None:
        """End now: nobody waits for the answer any more."""
        self._end = 0.0

    def check(self) -> None:
        """Go on only if there is time left.

        Raises:
            RequestError: there is none.
        """
        if not self.remaining_s:
            raise out_of_time(self._seconds)


class BoundedRecording(Recording):
    """An uploaded recording. The deadline is looked at before each block of 5 s or less, and each reading of bytes."""

    def __init__(self, data: bytes, deadline: Deadline, *, most_s: float) -> None:
        """Open the bytes of a file.

        Raises:
            AudioError: not audio, empty, or of an unusable rate.
            RequestError: there is no time left, or it states a length of more than ``most_s`` seconds.
        """
        self._deadline, self._most_s = deadline, most_s
        super().__init__(_WatchedBytes(data, deadline))
        deadline.check()
        if (self.header_duration_s or 0.0) > most_s:
            raise too_long(most_s)

    def blocks(self, *, split: bool = False) -> Iterator[Float]:
        """Yield the blocks of ``Recording.blocks``.

        Raises:
            AudioError: as there.
            RequestError: there is no time left, or more sound than the limit, whatever the file states.
        """
        for block in super().blocks(split=split):
            self._deadline.check()
            if self.duration_s > self._most_s:
                raise too_long(self._most_s)
            yield block
        self._deadline.check()


class _WatchedBytes(io.BytesIO):
    """Bytes that cannot be read when the time is over: searching a damaged file for its pieces ends as well."""

    def __init__(self, data: bytes, deadline: Deadline) -> None:
        super().__init__(data)
        self._deadline = deadline

    def read(self, *size: Any) -> bytes:
        if not self._deadline.remaining_s:
            raise OSError("the time is over")
        return super().read(*size)
