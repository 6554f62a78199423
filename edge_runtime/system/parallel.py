"""Many recordings at once, in threads over the same graphs, which run without Python's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from edge_runtime.errors import AudioError, AudioNotFoundError

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Refusal = AudioError | AudioNotFoundError
WAITING = 4
"""Recordings for each worker that may be ahead of the one whose answer is next."""


def split_threads(budget: int, recordings: int) -> tuple[int, int]:
    """Return how many recordings to run at a time, and how many threads each gets.

    A thread for each recording gets more done than several threads for one, which only help where there is one.
    """
    return (min(budget, recordings), 1) if recordings > 1 and budget > 1 else (1, budget)


def map_ordered(
    function: Callable[[Item], Answer], items: Iterable[Item], *, workers: int
) -> Iterator[tuple[Item, Answer | Refusal]]:
    """Yield each item and its answer, in order; or its error, where a recording cannot be used.

    Args:
        function: such as an ``IEmoNet`` that was loaded with ``threads=1``.
        items: any number; they are taken as they are needed.
        workers: how many at a time.

    Raises:
        IEmoNetError: what is wrong with the bundle; it would be so with every recording.
    """
    waiting: deque[tuple[Item, Future[Answer]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(function, item)))
                if len(waiting) >= WAITING * workers:
                    first, future = waiting.popleft()
                    found = _answered(future)
                    yield first, found
            while waiting:
                first, future = waiting.popleft()
                found = _answered(future)
                yield first, found
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _answered(future: Future[Answer]) -> Answer | Refusal:
    try:
        return future.result()
    except (AudioError, AudioNotFoundError) as error:
        return error
