"""The command ``python -m export``."""

from edge_runtime.cli.interrupts import at_once


def main() -> None:
    """Run the command and exit."""
    with at_once():
        from edge_runtime.cli.command import run  # noqa: PLC0415 - only now can Ctrl-C be answered
        from edge_runtime.system.processors import limit_torch_threads  # noqa: PLC0415

        limit_torch_threads()
        run("export", "export.cli", refused=1)


if __name__ == "__main__":
    main()
