"""Samples to tensors: the graphs of a bundle and what is done between them."""
