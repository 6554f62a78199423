"""A timeline written down: for people, for programs, for Praat, for players, and as a page of its own."""
