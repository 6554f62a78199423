"""The section of docs/benchmarks.md on an archive: many files and a long recording on one core."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.common.results_file import Result
from benchmarks.report.markdown import formatted, machine

HEAD = """## An archive on one core

*Together* is how this version classifies many files and long recordings: it decodes utterances together. *One by one*
is the same version with `batch_memory_mb=0`. The *version before* has no `batch_decoder`, and looks for speech in each
window of a long recording apart; its bundle has other networks. All run in fresh processes, in turn, on one thread.
Times are of the processor, *peak memory* is of the whole process, and answers are compared with those of *together*.
The encoder, the detector and the reading of files are over half of the time, and gain nothing together."""
COLUMNS = {
    "processor time, s": "{processor_s[median]:.1f}",
    "seconds of audio a second": "{audio_s_per_s:.0f}",
    "times as long": "{times_as_long:.2f}",
    "peak memory": "{peak_memory_mb:.0f} MB",
    "same transcript": "{same_transcript:.1%}",
    "same label": "{same_label:.1%}",
}


def section(measured: Sequence[Result]) -> list[str]:
    """Return the parts of the section, of the results of ``throughput`` on each processor."""
    found = [HEAD]
    for result in measured:
        files, recording = result["files"], result["recording"]
        found += [
            f"{machine(result)}. {files['recordings']} files of {', '.join(result['corpora'])} "
            f"({files['seconds']:.0f} s; medians of {files['rounds']} processes):\n\n"
            + formatted(files["ways"], COLUMNS),
            f"{machine(result)}. A recording of {result['minutes']:.0f} minutes, read speech with pauses: "
            f"{recording['utterances']} utterances of {recording['seconds']:.0f} s in all (processes: "
            f"{recording['rounds']}). One that was cut elsewhere counts as another:\n\n"
            + formatted(recording["ways"], COLUMNS),
        ]
    return found
