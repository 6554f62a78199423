"""Accuracy and size of each precision."""
