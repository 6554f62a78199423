"""The command ``trainer``, also ``python -m trainer``."""

import os

from edge_runtime.cli.interrupts import at_once


def main() -> None:
    """Run the command and exit."""
    # Of an encoder's unused pooler, which is meant; the library reads this when it is imported.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    with at_once():
        from edge_runtime.cli.command import run  # noqa: PLC0415 - only now can Ctrl-C be answered
        from edge_runtime.system.processors import limit_torch_threads  # noqa: PLC0415

        limit_torch_threads()
        run("trainer", "trainer.cli", refused=1)


if __name__ == "__main__":
    main()
