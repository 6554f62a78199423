"""Start, memory, and the time of the voice alone: an earlier version and this one, in fresh processes, in turn."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.common import clips, results_file
from benchmarks.common.paths import BUNDLE, EXAMPLE, ROOT, Data, Repeats, Seed
from benchmarks.common.timing import rounds
from edge_runtime.bundle.bundle import Bundle

SECONDS = (1.0, 4.0, 10.0)
FIRST_S, PEAK_S = 4.0, 10.0
PROCESSES = 9
PROBE = "benchmarks.latency.footprint_probe"
Version = tuple[Path, Path]
"""The folder that holds the package ``edge_runtime``, and a bundle."""


def measure(
    versions: Mapping[str, Version], recordings: Sequence[Path], *, processes: int, seed: int
) -> dict[str, Any]:
    """Return what each version took, one thread each.

    Args:
        versions: by name.
        recordings: the clips are cut from these.
        processes: of each version.
        seed: of the choice of recordings.

    Returns:
        By version: ``start_processor_s`` and ``start_wall_s`` from the start of the process to the first answer, on a
        clip of 4 s; ``peak_memory_mb`` after that and two calls of 10 s; ``ms``, processor time of a call with and
        without the transcript by length, and how many times longer the one takes than the other, pair by pair. Besides,
        of how many clips all versions say the same.
    """
    with tempfile.TemporaryDirectory() as scratch:
        files = {
            s: clips.write(clips.cut(recordings, s, 1, seed=seed, first=EXAMPLE), Path(scratch), f"{s:g}")[0]
            for s in SECONDS
        }
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in versions}
        compiled = Path(scratch) / "compiled"
        for version in versions.values():  # Python compiles both; an installer would have done so
            _probe(version, files, compiled)
        for _, name in rounds(list(versions), processes):
            runs[name].append(_probe(versions[name], files, compiled))
    answers = {name: found[0]["answers"] for name, found in runs.items()}
    first, *others = answers.values()
    return {
        "threads": 1,
        "processes": processes,
        "versions": {name: _summary(found, files) for name, found in runs.items()},
        "clips": len(first),
        "clips_with_the_same_answer": sum(all(o[i] == first[i] for o in others) for i in range(len(first))),
    }


def _probe(version: Version, files: Mapping[float, Path], compiled: Path) -> dict[str, Any]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(compiled)
    tree, bundle = version
    given = [tree, bundle, files[FIRST_S], files[PEAK_S], *files.values()]
    begin = time.perf_counter()
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", PROBE, *map(str, given)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    ) as process:
        assert process.stdout is not None
        found: dict[str, Any] = {"start_wall_s": 0.0}
        for line in process.stdout:
            if not found["start_wall_s"]:
                found["start_wall_s"] = round(time.perf_counter() - begin, 3)
            found |= json.loads(line)
    if process.returncode:
        sys.exit("benchmarks: the runtime failed; see above")
    return found


def _summary(runs: Sequence[Mapping[str, Any]], files: Mapping[float, Path]) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for key in ("start_processor_s", "start_wall_s", "peak_memory_mb"):
        samples = [run[key] for run in runs]
        summary[key] = {"median": round(statistics.median(samples), 3), "samples": samples}
    summary["ms"] = {}
    for seconds, file in files.items():
        whole, voice = ([v for run in runs for v in run["ms"][str(file)][name]] for name in ("whole", "voice"))
        ratios = [a / b for a, b in zip(whole, voice, strict=True)]
        summary["ms"][f"{seconds:g}"] = {
            "whole": round(statistics.median(whole), 2),
            "voice": round(statistics.median(voice), 2),
            "times_faster": round(statistics.median(ratios), 2),
            "n": len(whole),
        }
    return summary


def described(folder: Path) -> str:
    """Return the name, the version and the schema of the bundle in ``folder``."""
    bundle = Bundle.read(folder)
    return f"{bundle.name} {bundle.version}, schema {bundle.manifest['schema']}"


def command(
    before: Annotated[Path, typer.Option(help="A checkout of the earlier version, with its bundle in models/.")],
    bundle: Annotated[Path, typer.Option(help="The bundle of this version.")] = BUNDLE,
    data: Data = Path("data"),
    processes: Repeats = PROCESSES,
    seed: Seed = 0,
    name: Annotated[str, typer.Option(help="Of the results' file.")] = "footprint",
) -> None:
    """Start, memory, and the voice alone; before and after."""
    recordings, source = clips.english(data, EXAMPLE)
    old = before.resolve() / BUNDLE.relative_to(ROOT)
    versions = {"before": (before.resolve(), old), "after": (ROOT, bundle.resolve())}
    result = measure(versions, recordings, processes=processes, seed=seed)
    bundles = {n: described(folder) for n, (_, folder) in versions.items()}
    print(results_file.write(name, {"recordings": source, "bundles": bundles, **result}, seed=seed))
