"""One JSON file a measurement, with the machine, versions and date it was made on."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edge_runtime.system.writing import write_text

NUMBERS = re.compile(r"\[\n[-+.eE\d,\s]*\]")
RESULTS = Path(__file__).parents[1] / "results"
PACKAGES = ("onnxruntime", "numpy", "tokenizers", "soundfile", "soxr", "torch", "transformers", "edge-iemonet")


def processor() -> dict[str, Any]:
    """Return the processor's name and the features that int8 speed depends on."""
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


def write(name: str, result: dict[str, Any], *, seed: int = 0) -> Path:
    """Write ``result`` as ``results/name.json`` and return the path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    document = {
        "measurement": name,
        "date": datetime.date.today().isoformat(),
        "machine": {"system": platform.platform(), "processor": processor()},
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "seed": seed,
        **result,
    }
    write_text(path, _compact(json.dumps(document, indent=1, ensure_ascii=False)) + "\n")
    return path


def _compact(text: str) -> str:
    """Return JSON with lists of numbers on one line each: raw samples are many."""
    return NUMBERS.sub(lambda found: re.sub(r"\s+", " ", found[0]).replace("[ ", "[").replace(" ]", "]"), text)
