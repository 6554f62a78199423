"""The command ``python -m benchmarks``."""

from edge_runtime.interrupts import at_once

if __name__ == "__main__":
    with at_once():
        from edge_runtime.command import run

        run("benchmarks", "benchmarks.cli", refused=1)
