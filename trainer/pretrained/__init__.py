"""Pretrained weights: their download, and Whisper as a torch module."""
