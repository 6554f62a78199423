"""Accuracy under noise, rooms and codecs, on speakers that were held out."""
