"""The command edge-iemonet."""
