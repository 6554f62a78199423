"""The command ``python -m export``."""

from edge_runtime.command import run


def main() -> None:
    """Run the command and exit."""
    run("export", "export.cli", refused=1)


if __name__ == "__main__":
    main()
