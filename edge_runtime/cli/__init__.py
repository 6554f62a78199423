"""The command edge-iemonet."""

COMMAND = "edge-iemonet"
