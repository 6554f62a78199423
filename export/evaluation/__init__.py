"""What a conversion changed: references, labels, words, scores."""
