"""Pretrained weights: where they come from, and what they become."""
