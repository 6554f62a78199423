"""The machine: processors, paths, and files that are written whole."""
