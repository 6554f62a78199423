"""Memory and disk that a program takes. Nothing but the standard library is imported, so the probe adds nothing."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from pathlib import Path

NOT_OURS = ("pip", "setuptools", "pkg_resources", "wheel", "_distutils_hack", "distutils-precedence.pth")
BUNDLES = "edge_iemonet_bundles"


def peak_memory_mb() -> float:
    """Return the most memory that this process ever held, in MB of 2^20 bytes."""
    # On Linux ru_maxrss starts from the parent that forked this process; VmHWM is of the process alone.
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    own = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    peak_kb = int(own[0]) if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak_kb / 1024, 1)


def packages(folder: Path) -> list[Path]:
    """Return what was installed into a site-packages ``folder``, without pip and its like, and without bundles."""
    return [p for p in folder.iterdir() if not p.name.startswith(NOT_OURS) and p.name != BUNDLES]


def megabytes(paths: Sequence[Path]) -> float:
    """Return the size of files and folders in MB of 10^6 bytes, without the files that Python compiles."""
    files = [f for p in paths for f in ([p] if p.is_file() else p.rglob("*")) if f.is_file() and f.suffix != ".pyc"]
    return round(sum(f.stat().st_size for f in files) / 1e6, 1)
