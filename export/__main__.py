"""``python -m export`` is the command ``export``."""

from export.cli import main

main()
