"""What a user gets, in words."""

from __future__ import annotations

from benchmarks.report.markdown import Result, machine, table


def use(process: Result) -> str:
    """Return the table of start-up, speed, memory and sizes."""
    speed, sizes = process["speed"], process["installed_mb"]
    rows = [
        ("process start to first result (11 s clip)", f"{process['first_result_s']['median']:.2f} s"),
        (f"a clip ({speed['median_clip_s']:.1f} s), everything", f"{speed['median_ms']:.0f} ms"),
        (f"real-time factor over {speed['clips']} clips", f"{speed['rtf']:.3f}"),
        ("peak memory", f"{speed['peak_memory_mb']:.0f} MB"),
        (
            "installed, without the bundle",
            f"{sizes['slim_environment']:.0f} MB (and {sizes['compiled_by_python']:.0f} MB that Python compiles)",
        ),
        ("the bundle", f"{sizes['bundle']:.0f} MB"),
    ]
    return f"One thread of {machine(process)}, medians:\n\n" + table(("what", "measured"), rows)
