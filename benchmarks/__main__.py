"""The command ``python -m benchmarks``."""

from edge_runtime.cli.interrupts import at_once

if __name__ == "__main__":
    with at_once():
        from edge_runtime.cli.command import run
        from edge_runtime.system.processors import limit_torch_threads

        limit_torch_threads()
        run("benchmarks", "benchmarks.cli", refused=1)
