"""The command ``python -m benchmarks``."""

from edge_runtime.command import run

if __name__ == "__main__":
    run("benchmarks", "benchmarks.cli", refused=1)
