"""Whether fusion is better than the voice alone, and where it is not."""
