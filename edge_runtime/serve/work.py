"""Bounded work: so many requests at once, so many that wait, and none that goes on when nobody waits for it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from edge_runtime.serve.errors import RequestError, out_of_time
from edge_runtime.serve.recording import Deadline
from edge_runtime.serve.settings import Limits

Answer = TypeVar("Answer")
LONGEST_WAIT_S = 60
WEIGHT = 0.1
"""Of the newest duration in the mean by which a client is told when to come again."""


class Work:
    """The threads that run the models. All but the work itself happens on the event loop.

    Attributes:
        draining: set when the service ends: no new work is taken.
        streams: WebSockets that are open.
    """

    def __init__(self, limits: Limits) -> None:
        """Start no thread before the first request."""
        self._limits = limits
        self._requests = ThreadPoolExecutor(limits.workers, thread_name_prefix="request")
        # A portion of live sound is a few milliseconds of work, and must not wait behind uploads of minutes.
        self._streams = ThreadPoolExecutor(limits.workers, thread_name_prefix="stream")
        self._places = 0
        self._running = 0
        self._mean_s = 0.0
        self.streams = 0
        self.draining = asyncio.Event()

    @property
    def running(self) -> int:
        """Requests that run now."""
        return self._running

    @property
    def waiting(self) -> int:
        """Requests that have a place and do not run: they wait, or their upload is still coming."""
        return max(0, self._places - self._running)

    @property
    def full(self) -> bool:
        """Whether the next request is refused."""
        return self._places >= self._limits.workers + self._limits.waiting

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """Take a place before the upload is read, so that the memory of all uploads is bounded.

        Raises:
            RequestError: there is none, or the service is ending.
        """
        if self.draining.is_set():
            raise RequestError(503, "the service is ending", code="ending", headers={"Retry-After": "5"})
        if self.full:
            wait_s = math.ceil(self._mean_s * self._places / self._limits.workers)
            wait = str(min(max(wait_s, 1), LONGEST_WAIT_S))
            raise RequestError(
                503, f"too many requests wait; try again in {wait} s", code="busy", headers={"Retry-After": wait}
            )
        self._places += 1
        place = Place(self, self._limits.time_s)
        try:
            yield place
        finally:
            if place.future is None:
                self._leave()
            else:  # the thread may still be on its way to the next look at the deadline
                loop = asyncio.get_running_loop()
                place.future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))

    def submit(self, function: Callable[[], Answer]) -> Future[Answer]:
        """Run ``function`` in a thread for requests, as soon as one is free."""
        loop = asyncio.get_running_loop()

        def counted() -> Answer:
            loop.call_soon_threadsafe(self._count, 1)
            begin = time.monotonic()
            try:
                return function()
            finally:
                loop.call_soon_threadsafe(self._count, -1, time.monotonic() - begin)

        return self._requests.submit(counted)

    async def run(self, function: Callable[[], Answer]) -> Answer:
        """Return the answer of a short ``function`` that needs no place: of a portion of a stream."""
        return await asyncio.wrap_future(self._streams.submit(function))

    def close(self) -> None:
        """Start nothing more."""
        for pool in (self._requests, self._streams):
            pool.shutdown(wait=False, cancel_futures=True)

    def _count(self, change: int, seconds: float | None = None) -> None:
        self._running += change
        if seconds is not None:
            self._mean_s += WEIGHT * (seconds - self._mean_s)

    def _leave(self) -> None:
        self._places -= 1


class Place:
    """A request's right to be worked on, once.

    Attributes:
        future: its work, when that was given to the threads.
    """

    def __init__(self, work: Work, time_s: float) -> None:
        """``Work.place`` is the way to get here."""
        self._work, self._time_s = work, time_s
        self.future: Future[Any] | None = None

    async def run(self, request: Request, function: Callable[[Deadline], Answer]) -> Answer:
        """Return what ``function`` answers, which asks its deadline between short pieces of work.

        The body of ``request`` has been read: the only thing that can still come is that the client goes.

        Raises:
            RequestError: there was no answer in time.
            ClientDisconnect: the client went away, and the work was ended.
        """
        deadline = Deadline(self._time_s)
        future = self._work.submit(lambda: _checked(function, deadline))
        self.future = future
        answer: asyncio.Future[Answer] = asyncio.wrap_future(future)
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be there to hear of it
        gone = asyncio.ensure_future(_disconnected(request.receive))
        either: set[asyncio.Future[Any]] = {answer, gone}
        try:
            await asyncio.wait(either, timeout=deadline.remaining_s, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            if gone.done():
                raise ClientDisconnect
            raise out_of_time(self._time_s)
        finally:
            gone.cancel()
            if not answer.done():
                deadline.end()
                future.cancel()


def _checked(function: Callable[[Deadline], Answer], deadline: Deadline) -> Answer:
    """Return the answer; an error that comes of the end of the time is said as such."""
    deadline.check()
    try:
        return function(deadline)
    except Exception:
        deadline.check()
        raise


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
