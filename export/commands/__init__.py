"""The commands that look at bundles and compare them."""
