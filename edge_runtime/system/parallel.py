"""Many recordings at once, in threads over the same graphs, which run without Python's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from edge_runtime.errors import AudioError, AudioNotFoundError

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Refusal = AudioError | AudioNotFoundError
"""Why a recording cannot be used."""
WAITING = 4
"""Recordings, or groups, for each worker that may be ahead of the one whose answer is next."""
BATCH_MEMORY_MB = 96.0
"""For utterances that are decoded together: room for the keys and values of 16 of 4 s, or of eight of 15 s."""
GROUP = 64
"""Recordings that a worker decodes together, at most; with more, answers would come late."""


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


def map_groups(
    function: Callable[[Sequence[Item]], Iterator[tuple[Item, Answer]]], items: Sequence[Item], *, workers: int
) -> Iterator[tuple[Item, Answer]]:
    """Yield what ``function`` gives of ``items``, in order: of all of them, or of a group on each of several workers.

    Args:
        function: takes items, and yields each with its answer as it comes.
        items: any number.
        workers: groups at a time.

    Raises:
        IEmoNetError: what is wrong with the bundle.
    """
    if workers == 1:
        yield from function(items)
        return
    size = max(1, min(GROUP, -(-len(items) // workers)))
    groups = [items[i : i + size] for i in range(0, len(items), size)]
    for _, found in map_ordered(lambda group: list(function(group)), groups, workers=workers):
        assert isinstance(found, list)  # what a recording raises is among the answers
        yield from found


def _answered(future: Future[Answer]) -> Answer | Refusal:
    try:
        return future.result()
    except (AudioError, AudioNotFoundError) as error:
        return error
