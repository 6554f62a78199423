"""Many recordings at once: in order, with the errors of bad ones, and no more ahead than is needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from edge_runtime import AudioError, AudioNotFoundError, BundleError
from edge_runtime.system.parallel import WAITING, map_ordered, split_threads


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_answers_come_in_order_with_their_errors(workers: int) -> None:
    def answer(n: int) -> int:
        time.sleep(0.002 * (n % 3))
        if n % 4 == 3:
            raise AudioError(str(n)) if n % 8 == 3 else AudioNotFoundError(str(n))
        return n * n

    found = list(map_ordered(answer, range(30), workers=workers))
    assert [item for item, _ in found] == list(range(30))
    for item, value in found:
        assert str(value) == (str(item) if item % 4 == 3 else str(item * item))
        assert isinstance(value, AudioError | AudioNotFoundError) == (item % 4 == 3)


def test_no_more_is_taken_ahead_than_is_needed() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    answers = map_ordered(lambda n: n, items(), workers=2)
    for expected in range(1, 20):
        assert next(answers)[1] == expected
        assert taken <= expected + 2 * WAITING
    answers.close()


def test_items_run_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=20)
    assert len(list(map_ordered(lambda _: together.wait(), range(3), workers=3))) == 3


def test_an_error_of_the_bundle_ends_all() -> None:
    def broken(_: int) -> int:
        raise BundleError("broken")

    with pytest.raises(BundleError):
        list(map_ordered(broken, range(100), workers=2))


@pytest.mark.parametrize(
    ("budget", "recordings", "expected"),
    [(4, 1, (1, 4)), (4, 0, (1, 4)), (4, 3, (3, 1)), (4, 9, (4, 1)), (1, 9, (1, 1))],
)
def test_several_recordings_get_a_thread_each_and_one_gets_all(
    budget: int, recordings: int, expected: tuple[int, int]
) -> None:
    assert split_threads(budget, recordings) == expected
