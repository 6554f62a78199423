"""Offline trainer of edge-iemonet: corpora, networks, protocols and metrics; writes checkpoints."""
