"""Fusion of both branches (the paper's classification block, section 4)."""
