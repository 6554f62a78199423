"""Whether an error is a write that failed, most likely on a full disk: each library says it in its own way."""

from __future__ import annotations

import errno

from safetensors import SafetensorError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
TORCH = ("iostream error", "inline_container.cc", "PytorchStreamWriter")
"""torch.save raises a RuntimeError that names no cause; one of these is in its message."""


def failed_write(error: Exception) -> str | None:
    """Return what failed in a line, or None where ``error`` is something else."""
    if isinstance(error, OSError) and error.errno in FULL:
        return str(error)
    if isinstance(error, SafetensorError) and "I/O error" in str(error):
        return str(error)
    if type(error) is RuntimeError and any(mark in str(error) for mark in TORCH):
        return f"torch could not write a file ({str(error).splitlines()[0]})"
    return None
