"""A local service: what clients of speech services ask for, live audio, and a page; the extra ``serve``."""
