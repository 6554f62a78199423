"""How many processors this process may use: the fewer of those it may run on and its container's share of time."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

MOUNT = re.compile(r"\S+ \S+ \S+ (?P<begin>\S+) (?P<place>\S+) .*- (?P<kind>cgroup2?) \S+ (?P<options>\S+)")
"""A line of mountinfo: which part of the tree of control groups is mounted where."""
MOST_THREADS = 256
"""More than any machine of our users has; each takes memory in each graph."""


def processors() -> int:
    """Return how many threads can run at a time: bounded by the affinity, and by the CPU quotas of cgroups v1 and v2.

    Part of a processor counts as one.
    """
    return min([_allowed(), *_quotas(Path("/"))])


def thread_budget(threads: int | None) -> int:
    """Return how many threads to use: as told, or as many as the processors that this process may use.

    Those are the ones it may run on (its affinity), or fewer where its container has a CPU quota.

    Raises:
        ValueError: less than one, or more than ``MOST_THREADS``.
    """
    if threads is None:
        return processors()
    if not 1 <= threads <= MOST_THREADS:
        raise ValueError(f"threads={threads}: must be 1 to {MOST_THREADS}")
    return threads


def limit_torch_threads() -> None:
    """Make torch keep to a CPU quota, of which it does not know; call this before it is imported.

    Nothing changes where there is no quota, or where the user has set ``OMP_NUM_THREADS``, which torch and other
    libraries that compute in threads read.
    """
    if processors() < _allowed():
        os.environ.setdefault("OMP_NUM_THREADS", str(processors()))


def _allowed() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[int]:
    """Yield each CPU quota, in whole processors, of this process's control groups and of those around them.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    for group, top in _groups(root):
        for folder in (group, *group.parents):
            quota = _quota(folder)
            if quota is not None:
                yield quota
            if folder == top:
                break


def _groups(root: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the folder of each control group that can have a CPU quota, and the topmost one that can be seen."""
    own: dict[str, str] = {}
    for line in _lines(root / "proc/self/cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            own["cgroup2"] = path
        elif "cpu" in controllers.split(","):
            own["cgroup"] = path
    for line in _lines(root / "proc/self/mountinfo"):
        found = MOUNT.fullmatch(line)
        if found is None or found["kind"] not in own:
            continue
        if found["kind"] == "cgroup" and "cpu" not in found["options"].split(","):
            continue
        top = root / _unescaped(found["place"]).lstrip("/")
        try:
            yield top / Path(own[found["kind"]]).relative_to(_unescaped(found["begin"])), top
        except ValueError:  # in a container, whose own group is mounted, and named as the host names it
            yield top, top


def _quota(folder: Path) -> int | None:
    """Return the quota that stands in a control group's folder, or None where there is none, or it makes no sense."""
    stated = _lines(folder / "cpu.max") or _lines(folder / "cpu.cfs_quota_us") + _lines(folder / "cpu.cfs_period_us")
    try:
        time, period = map(int, " ".join(stated).split())
    except ValueError:  # "max": as much as there is
        return None
    return -(-time // period) if time > 0 and period > 0 else None  # rounded up


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _unescaped(path: str) -> str:
    """Return a path of mountinfo, where a blank is written as \\040."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)
