"""Calls timed in turn, and statistics of the times: percentiles, ratios pair by pair, cost against length."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

Name = TypeVar("Name")
PERCENTILES = (50, 95, 99)


def summary(samples: Sequence[float]) -> dict[str, Any]:
    """Return the percentiles of times in milliseconds, their number, and the times themselves."""
    return {**percentiles(samples), "n": len(samples), "samples": [round(ms, 2) for ms in samples]}


def percentiles(samples: Sequence[float]) -> dict[str, float]:
    """Return the 50th, 95th and 99th percentile, by linear interpolation between the two nearest samples."""
    found = np.percentile(np.asarray(samples, np.float64), PERCENTILES)
    return {f"p{p}": round(float(value), 3) for p, value in zip(PERCENTILES, found, strict=True)}


def rounds(names: Sequence[Name], count: int) -> Iterator[tuple[int, Name]]:
    """Yield (round, name): A B C, A B C, …, so that what slows the machine down slows all of them down.

    Each round begins with another name, so that none always runs after the same one.
    """
    for number in range(count):
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            yield number, name


def paired(mine: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """Return how many times longer ``theirs`` took than ``mine``: median of the pairs' ratios, and their quartiles.

    Raises:
        ValueError: not as many of the one as of the other, or none.
    """
    if len(mine) != len(theirs) or not len(mine):
        raise ValueError(f"{len(mine)} and {len(theirs)} samples are not pairs")
    low, middle, high = np.percentile(np.asarray(theirs, np.float64) / np.asarray(mine, np.float64), [25, 50, 75])
    return {"median": round(float(middle), 2), "quartiles": [round(float(low), 2), round(float(high), 2)]}


def in_turn(
    calls: Mapping[Name, Callable[[], object]], count: int
) -> tuple[dict[Name, list[float]], dict[Name, list[float]]]:
    """Return ``count`` times of each call after a warm-up, taken in turn (see ``rounds``).

    Returns:
        Milliseconds by the clock, and milliseconds of processor time, both by name.
    """
    wall: dict[Name, list[float]] = {name: [] for name in calls}
    processor: dict[Name, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _, name in rounds(list(calls), count):
        begin = time.process_time()
        wall[name].append(milliseconds(calls[name]))
        processor[name].append(1000 * (time.process_time() - begin))
    return wall, processor


def milliseconds(call: Callable[[], object]) -> float:
    """Return the duration of one call."""
    begin = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - begin)


def processor_ms(call: Callable[[], object]) -> float:
    """Return the processor time of one call, in milliseconds; other programs hardly change it, as they do the clock."""
    begin = time.process_time()
    call()
    return 1000 * (time.process_time() - begin)


def line(points: Mapping[float, float]) -> dict[str, Any]:
    """Return the straight line through cost (ms) against duration (s), and how far from straight the cost is.

    Args:
        points: cost by duration, two or more.

    Returns:
        ``fixed_ms`` and ``ms_per_second`` of the least-squares line; ``knee_s``, the duration at which both cost
        the same (below it, shorter clips hardly get cheaper); ``slopes``, the cost of a further second between
        neighbouring durations; ``bend``, the last slope over the first: 1 is linear.
    """
    x, y = np.array(sorted(points)), np.array([points[d] for d in sorted(points)])
    slope, fixed = np.polyfit(x, y, 1)
    slopes = np.diff(y) / np.diff(x)
    return {
        "fixed_ms": round(float(fixed), 2),
        "ms_per_second": round(float(slope), 2),
        "knee_s": round(float(max(fixed, 0.0) / slope), 2),
        "slopes": {f"{a:g} to {b:g} s": round(float(s), 2) for a, b, s in zip(x[:-1], x[1:], slopes, strict=True)},
        "bend": round(float(slopes[-1] / slopes[0]), 2),
    }
