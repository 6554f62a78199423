"""What callers give → samples, a sample rate, words or a stream that can be used, or an error that names the cause."""

from __future__ import annotations

import io
import numbers
from collections.abc import Sequence
from typing import Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import AudioError

LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
MOST_CHANNELS = 64
AS_ARRAY = "np.array(samples, np.float32), or of integers up to 32767 np.array(samples, np.int16)"


class SupportsArray(Protocol):
    """What numpy takes for an array, such as a tensor of torch."""

    def __array__(self) -> NDArray[Any]:
        """Return the array."""


def is_array(audio: object) -> bool:
    """Whether ``audio`` is an array, or what numpy takes for one."""
    return hasattr(audio, "__array__") and not isinstance(audio, str | bytes)


def is_batch(audio: object) -> TypeGuard[Sequence[Any]]:
    """Whether ``audio`` is a list of recordings, rather than one or a list of numbers."""
    return isinstance(audio, list | tuple) and not _begins_with_number(audio)


def to_array(audio: Any, *, name: str) -> NDArray[Any]:
    """Return samples (n,) or (n, channels), of a type that ``to_float32`` takes.

    Args:
        audio: an array, or a tensor on any device.
        name: of the recording, for messages.

    Raises:
        AudioError: another shape or type, masked samples, or no array at all.
    """
    if isinstance(audio, list | tuple):
        raise AudioError(
            f"{name}: a list of numbers; a list stands for several recordings. Give a numpy array: {AS_ARRAY}"
            if _begins_with_number(audio)
            else f"{name}: a {type(audio).__name__}; give one recording, as a numpy array: {AS_ARRAY}"
        )
    if not is_array(audio):
        raise AudioError(f"{name}: {type(audio).__name__}; give a numpy array")
    if np.ma.is_masked(audio):
        raise AudioError(f"{name}: some samples are masked; fill them (array.filled(0)), or cut them out")
    try:
        # A tensor may be on another device, or want gradients.
        array = np.asarray(audio.detach().cpu() if hasattr(audio, "detach") else audio)
    except (TypeError, ValueError, RuntimeError) as error:
        raise AudioError(f"{name}: {type(audio).__name__} that cannot be made a numpy array ({error})") from error
    _check_shape(name, array.shape)
    _check_type(name, array.dtype)
    return array


def _begins_with_number(audio: list[Any] | tuple[Any, ...]) -> bool:
    return len(audio) > 0 and isinstance(audio[0], numbers.Number)


def _check_shape(name: str, shape: tuple[int, ...]) -> None:
    if len(shape) not in {1, 2}:
        raise AudioError(f"{name}: of shape {shape}; give (samples,) or (samples, channels)")
    if len(shape) == 2 and 0 < shape[0] <= MOST_CHANNELS < shape[1]:
        raise AudioError(f"{name}: of shape {shape}, which looks like (channels, samples); turn it round: array.T")


def _check_type(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind == "f" or dtype == np.uint8 or (dtype.kind == "i" and dtype.itemsize < 8):
        return
    advice = "give float samples in [-1, 1], or int16, int32, int8 or uint8"
    if dtype.kind in "iu" and dtype.itemsize == 8:
        advice = (
            "the type does not tell what full scale is. Say it: array.astype(np.int16) if the values are those of "
            "16 bits (up to 32767), array.astype(np.int32) of 32 bits, or array / full_scale"
        )
    elif dtype.kind == "u":
        bits = 8 * dtype.itemsize
        advice = (
            "the type does not tell where silence is. If in the middle of the range, "
            f"give array / {1 << (bits - 1)} - 1; if at 0, array.astype(np.int{bits})"
        )
    raise AudioError(f"{name}: of {dtype}; {advice}")


def to_float32(array: NDArray[Any]) -> NDArray[np.float32]:
    """Return samples as float32, integers divided by the full scale of their type; silence in uint8 is 128."""
    # A float64 too large for float32 becomes infinite, and is refused as such.
    with np.errstate(over="ignore"):
        samples: NDArray[np.float32] = array.astype(np.float32, copy=False)
    if array.dtype == np.uint8:
        samples = samples / np.float32(128) - np.float32(1)
    elif array.dtype.kind == "i":
        samples = samples / np.float32(-int(np.iinfo(array.dtype).min))
    return samples


def to_sample_rate(rate: object, *, name: str) -> float:
    """Return a sample rate in Hz, whole or not.

    Raises:
        AudioError: it is no number.
    """
    if isinstance(rate, bool) or not isinstance(rate, numbers.Real):
        raise AudioError(f"{name}: sample rate {rate!r}; give it as a number of Hz, such as 16000")
    if isinstance(rate, numbers.Integral):
        return int(rate)
    hertz = float(rate)
    return int(hertz) if hertz.is_integer() else hertz


def check_format(name: str, rate: float, channels: int) -> None:
    """Refuse what no recording has.

    Raises:
        AudioError: a sample rate or a number of channels out of range.
    """
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(f"{name}: sample rate {rate} Hz; use {LOWEST_RATE} to {HIGHEST_RATE}")
    if not 1 <= channels <= MOST_CHANNELS:
        raise AudioError(f"{name}: {channels} channels; use 1 to {MOST_CHANNELS} (an array is (samples, channels))")


def check_text(text: object, *, name: str) -> None:
    """Refuse what is no text.

    Raises:
        TypeError: it is something else, such as bytes.
    """
    if not isinstance(text, str):
        decode = f"; decode them: {name}.decode()" if isinstance(text, bytes | bytearray) else ""
        raise TypeError(f"{name} is of type {type(text).__name__}, and a text (str) is needed{decode}")


def check_stream(stream: Any, *, name: str) -> None:
    """Refuse a stream that gives no bytes; one that was left at its end is set back to its beginning.

    Raises:
        AudioError: it was closed, opened as text, or not opened for reading.
    """
    try:
        nothing = stream.read(0)
    except (OSError, ValueError) as error:
        raise AudioError(f"{name}: cannot be read ({str(error).rstrip('.')})") from error
    if isinstance(nothing, str):
        raise AudioError(f"{name}: opened as text; open it with mode 'rb'")
    if hasattr(stream, "seekable") and stream.seekable():
        begin = stream.tell()
        # What was just written into it is meant.
        stream.seek(begin if begin < stream.seek(0, io.SEEK_END) else 0)
