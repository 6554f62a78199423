"""Accuracy of what the trainer makes."""
