"""Find a bundle and check that it is whole."""
