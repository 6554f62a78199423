"""The section of docs/benchmarks.md on start, memory, the voice alone, and the size of packages."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.common.results_file import Result
from benchmarks.report.markdown import formatted, machine

HEAD = """## Start, memory, and the voice alone

The version before is the one whose bundle has schema 2. Both run in fresh processes, in turn, on one thread, from
compiled Python as an installer leaves it. *Start* is processor time from the start of the process to the first answer,
on a clip of 4 s. *Peak memory* is that after two more calls, of 10 s. *With words* and *voice alone* are processor time
of a call with and without the transcript. The processor that has "avx2" alone is the same machine; the wider
instructions were hidden from every library."""
TIMES = {
    "start, s": "{start_processor_s[median]:.2f}",
    "peak memory": "{peak_memory_mb[median]:.0f} MB",
    "4 s with words, ms": "{ms[4][whole]:.0f}",
    "4 s, voice alone, ms": "{ms[4][voice]:.0f}",
    "times faster at 1, 4, 10 s": "{ms[1][times_faster]:.1f}, {ms[4][times_faster]:.1f}, {ms[10][times_faster]:.1f}",
}
PACKAGES = {"MB": "{mb:.1f}", "required by": "{required_by}", "loaded": "{loaded}"}
SHOWN_MB = 2.0


class _ByLength(dict[str, Result]):
    """Results by the length of a clip; ``str.format`` looks up [4] as a number."""

    def __missing__(self, key: object) -> Result:
        return self[str(key)]


def section(measured: Sequence[Result], packages: Result | None) -> list[str]:
    """Return the parts of the section.

    Args:
        measured: the results of ``footprint``, of each processor.
        packages: the result of ``packages``.
    """
    found = [HEAD]
    for result in measured:
        versions = {name: {**v, "ms": _ByLength(v["ms"])} for name, v in result["versions"].items()}
        found.append(
            f"{machine(result)}, {result['processes']} processes each; {_answers(result)}:\n\n"
            + formatted(versions, TIMES)
        )
    if packages:
        idle = [p for p in packages["packages"] if not p["loaded"]]
        rows = {p["package"]: {**p, "loaded": "yes" if p["loaded"] else "no"} for p in packages["packages"]}
        found.append(
            f"{machine(packages)}. "
            f"The packages take {packages['total_mb']:.0f} MB; the {len(idle)} that are never loaded to classify a "
            f"recording are {sum(p['mb'] for p in idle):.0f} MB of it. Those of {SHOWN_MB:g} MB or more:\n\n"
            + formatted({name: row for name, row in rows.items() if row["mb"] >= SHOWN_MB}, PACKAGES)
        )
    return found


def _answers(result: Result) -> str:
    """Return whether both versions answer alike; those with other networks need not."""
    if len({bundle.split(",")[0] for bundle in result["bundles"].values()}) > 1:
        return (
            f"their bundles ({', '.join(result['bundles'].values())}) learned from other data, and answer differently"
        )
    return f"the same answer to {result['clips_with_the_same_answer']} of {result['clips']} calls"
