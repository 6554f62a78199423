"""The command ``edge-iemonet``, also ``python -m edge_runtime``."""

from edge_runtime.cli import COMMAND
from edge_runtime.cli.interrupts import at_once


def main() -> None:
    """Run the command and exit."""
    with at_once():
        from edge_runtime.cli.command import run  # noqa: PLC0415 - only now can Ctrl-C be answered

        run(COMMAND, "edge_runtime.cli.app", refused=2)


if __name__ == "__main__":
    main()
