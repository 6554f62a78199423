"""One JSON file for each measurement, with the machine, versions and date of that measurement."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edge_runtime.system.writing import write_text

Result = Mapping[str, Any]
NUMBERS = re.compile(r"\[\n[-+.eE\d,\s]*\]")
RESULTS = Path(__file__).parents[1] / "results"
PACKAGES = ("onnxruntime", "numpy", "tokenizers", "soundfile", "soxr", "torch", "transformers", "edge-iemonet")


def read(name: str) -> Result:
    """Return the result of ``name``; an empty one where nothing was measured."""
    return read_all().get(name, {})


def read_all() -> dict[str, Result]:
    """Return every result by the name of its file."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))}


def write(name: str, result: Result, *, seed: int = 0) -> Path:
    """Write ``result`` as ``results/name.json`` and return the path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    document = {
        "measurement": name,
        "date": datetime.date.today().isoformat(),
        "machine": {"system": platform.platform(), "processor": _processor()},
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "seed": seed,
        **result,
    }
    write_text(path, _compact(json.dumps(document, indent=1, ensure_ascii=False)) + "\n")
    return path


def _processor() -> dict[str, Any]:
    """Return the processor's name and those of its features that the speed of int8 depends on."""
    fields: dict[str, str] = {}
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = (line.partition(":") for line in info.read_text().splitlines())
        fields = {key.strip(): value.strip() for key, _, value in lines}
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    wanted = {"avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"}
    return {
        "name": fields.get("model name", platform.processor() or platform.machine()),
        "cores": os.cpu_count(),
        "features": sorted(flags & wanted),
    }


def _compact(text: str) -> str:
    """Return JSON with each list of numbers on one line: raw samples are many."""
    return NUMBERS.sub(lambda found: re.sub(r"\s+", " ", found[0]).replace("[ ", "[").replace(" ]", "]"), text)
