"""The command ``edge-iemonet``, also ``python -m edge_runtime``."""

from edge_runtime.command import run


def main() -> None:
    """Run the command and exit."""
    run("edge-iemonet", "edge_runtime.cli", refused=2)


if __name__ == "__main__":
    main()
