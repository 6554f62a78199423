"""The section of docs/benchmarks.md on an archive: many files and a long recording on one core."""

from __future__ import annotations

from benchmarks.common.results_file import Result
from benchmarks.report.markdown import formatted, machine

HEAD = """## An archive on one core

The version before decodes each utterance alone; this one decodes utterances together, and looks for speech in a block
at a time where a recording is long. Both run in fresh processes, in turn, on one thread. Times are of the processor.
*Peak memory* is of the whole process."""
COLUMNS = {
    "processor time, s": "{processor_s[median]:.0f}",
    "seconds of audio a second": "{audio_s_per_s:.0f}",
    "times faster": "{times_faster:.2f}",
    "peak memory": "{peak_memory_mb:.0f} MB",
    "same label": "{same_label:.1%}",
    "same transcript": "{same_transcript:.1%}",
}


def section(result: Result) -> list[str]:
    """Return the parts of the section, of the result of ``throughput``."""
    files, recording = result["files"], result["recording"]
    return [
        HEAD,
        f"{machine(result)}. {files['recordings']} files of {', '.join(result['corpora'])} "
        f"({files['seconds_spoken']:.0f} s; medians of {files['rounds']} processes each):\n\n"
        + formatted(files["versions"], COLUMNS),
        f"A recording of {result['minutes']:.0f} minutes, read speech with pauses ({recording['utterances']} "
        f"utterances, {recording['seconds_spoken']:.0f} s of them; run {recording['rounds']} times). An utterance "
        "counts as another where either version cut elsewhere:\n\n" + formatted(recording["versions"], COLUMNS),
    ]
