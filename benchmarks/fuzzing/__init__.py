"""Damaged and strange files through the runtime, in processes that may die."""
