"""Errors of writes that failed, as the libraries were seen to raise them, and errors that look a little like them."""

import errno
import os
from pathlib import Path

import pytest
from safetensors import SafetensorError

from trainer.disk import failed_write


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number), "run/model.bin")


@pytest.mark.parametrize(
    "error",
    [
        os_error(errno.ENOSPC),
        os_error(errno.EDQUOT),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("basic_ios::clear: iostream error"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0\nframe #0"),
    ],
)
def test_a_failed_write_is_told_in_a_line(error):
    reason = failed_write(error)
    assert reason and "\n" not in reason


@pytest.mark.parametrize(
    "error",
    [
        os_error(errno.ENOENT),
        os_error(errno.EACCES),
        SafetensorError("Error while deserializing header: HeaderTooLarge"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        NotImplementedError("iostream error"),
        ValueError("No space left on device"),
    ],
)
def test_other_errors_are_left_alone(error):
    assert failed_write(error) is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_really_full_device():
    with pytest.raises(OSError) as failure, Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"0")
    assert "No space left" in (failed_write(failure.value) or "")
