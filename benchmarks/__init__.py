"""Measurements: each writes a JSON file that README and docs quote, and nothing else is quoted."""
