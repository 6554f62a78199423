"""Other pipelines, each in an environment of its own, on the same clips."""
