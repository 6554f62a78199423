"""Corpora: each loader turns a folder on disk into records of one type."""
