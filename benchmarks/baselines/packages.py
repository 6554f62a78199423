"""The size of each package that the runtime brings with it, and which of them it loads to classify a recording."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.common import results_file
from benchmarks.common.footprint import megabytes
from benchmarks.common.paths import BUNDLE, EXAMPLE

OURS = "edge-iemonet"
LOADED = f"""
import sys
from edge_runtime import IEmoNet
IEmoNet.load({str(BUNDLE)!r}, device="cpu", threads=1)({str(EXAMPLE)!r})
import json
print(json.dumps(sorted(sys.modules)))
"""


def measure() -> list[dict[str, Any]]:
    """Return each package below the runtime, the largest first: name, megabytes, what requires it, whether it loads."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)  # noqa: S603
    modules = set(json.loads(done.stdout))
    found: dict[str, dict[str, Any]] = {}
    waiting = [(OURS, "")]
    while waiting:
        name, parent = waiting.pop(0)
        if name in found:
            continue
        package = distribution(name)
        files = [f for path in package.files or [] if (f := package.locate_file(path)).is_file()]  # type: ignore[attr-defined]
        found[name] = {
            "package": name,
            "mb": megabytes(files),  # type: ignore[arg-type]
            "required_by": parent,
            "loaded": bool(modules & _modules(package)),
        }
        waiting += [(child, name) for child in _requirements(package)]
    del found[OURS]
    return sorted(found.values(), key=lambda entry: -float(entry["mb"]))


def _requirements(package: Distribution) -> list[str]:
    """Return what a package requires here, without its extras."""
    stated = [Requirement(line) for line in package.requires or []]
    return [canonicalize_name(r.name) for r in stated if r.marker is None or r.marker.evaluate({"extra": ""})]


def _modules(package: Distribution) -> set[str]:
    """Return the names of the modules that a package has at its top."""
    tops = {path.parts[0] for path in package.files or [] if path.suffix in {".py", ".so", ".pyd"}}
    return {top.split(".")[0] for top in tops}


def command() -> None:
    """Size of each package that the runtime requires."""
    packages = measure()
    total = round(sum(entry["mb"] for entry in packages), 1)
    print(results_file.write("packages", {"total_mb": total, "packages": packages}))
