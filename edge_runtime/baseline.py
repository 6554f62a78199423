"""A speaker's baseline: how other recordings of the same speaker sound, with which a recording is compared."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.bundle import Bundle, checksums
from edge_runtime.errors import BaselineError
from edge_runtime.system.paths import status, why
from edge_runtime.system.writing import writing

Float = NDArray[np.float32]

MOST_RECORDINGS = 64
"""A baseline keeps the last so many: some minutes of speech, after which more changes little; a voice and a room of
long ago count no longer; and 64 rows of 384 numbers take 100 kB, however long somebody is listened to."""
LEAST_SPEECH_S = 1.0
"""Less speech than this says nothing about a speaker: such a baseline has a weight of nothing."""
LARGEST_VALUE = 1e6
"""No feature and no seconds of a recording come near it; with values far beyond it a graph computes no numbers, and the
bundle would be blamed for the baseline."""
VERSION = 1
BEGINNING = b'{"edge_iemonet_baseline": '
"""How every saved baseline begins."""
LONGEST_HEADER, LARGEST_FILE = 4 << 10, 64 << 20
"""Bytes. No more of a file is ever read."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """Recordings of one speaker (or of one channel), as statistics of their sound; nothing can be heard from it.

    It belongs to the graphs that made it. ``first + second`` joins two of the same graphs; of more than
    ``MOST_RECORDINGS`` the last are kept.

    Attributes:
        pooled: (recordings, features), float32: a row for each recording, the oldest first.
        seconds: (recordings,), float32: seconds of speech in each.
        graphs: checksum of the graphs that made it, in hexadecimal; see ``checksum``.
        bundle: name and version of their bundle, for people.
        notes: what a user should know of how it was made, such as that nobody speaks in a recording; not saved.
    """

    pooled: Float
    seconds: Float
    graphs: str
    bundle: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the values, and keep copies that nobody can change.

        Raises:
            BaselineError: there are none, their shapes do not fit, or they are no finite numbers.
        """
        try:
            with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is refused as such
                pooled, seconds = (np.array(values, np.float32) for values in (self.pooled, self.seconds))
        except (TypeError, ValueError) as error:
            raise BaselineError(f"a baseline of values that are no numbers: {error}") from error
        if pooled.ndim != 2 or not pooled.size or seconds.shape != pooled.shape[:1]:
            raise BaselineError(
                f"a baseline of shapes {pooled.shape} and {seconds.shape}; expected (recordings, features) and "
                "(recordings,)"
            )
        if not np.isfinite(pooled).all() or not np.isfinite(seconds).all() or (seconds < 0).any():
            raise BaselineError("a baseline has values that are no finite numbers, or seconds below 0")
        if max(np.abs(pooled).max(), seconds.max()) > LARGEST_VALUE:
            raise BaselineError(f"a baseline has values beyond {LARGEST_VALUE:.0f}, which no recording gives")
        for name, values in (("pooled", pooled), ("seconds", seconds)):
            kept = values[-MOST_RECORDINGS:].copy()
            kept.flags.writeable = False
            object.__setattr__(self, name, kept)

    @property
    def recordings(self) -> int:
        """How many it has."""
        return len(self.seconds)

    @property
    def speech_s(self) -> float:
        """Seconds of speech in all of them."""
        return round(float(self.seconds.sum(dtype=np.float64)), 3)

    def __add__(self, other: Baseline) -> Baseline:
        """Return both as one, the recordings of ``other`` being the later ones.

        Raises:
            BaselineError: they were made by different graphs.
        """
        if not isinstance(other, Baseline):
            return NotImplemented
        if (other.graphs, other.pooled.shape[1]) != (self.graphs, self.pooled.shape[1]):
            raise BaselineError(f"two baselines of different bundles: {self.made_by} and {other.made_by}; join no such")
        pooled = np.concatenate([self.pooled, other.pooled])
        seconds = np.concatenate([self.seconds, other.seconds])
        return Baseline(pooled, seconds, self.graphs, other.bundle, (*self.notes, *other.notes))

    def __eq__(self, other: object) -> bool:
        """Whether both have the same recordings, of the same graphs."""
        return isinstance(other, Baseline) and self._content == other._content

    def __hash__(self) -> int:
        """Return a hash of what is compared."""
        return hash(self._content)

    def __repr__(self) -> str:
        """Return how much it holds, and whose it is."""
        return f"<Baseline of {self.recordings} recordings, {self.speech_s:.1f} s of speech, by {self.made_by}>"

    @property
    def made_by(self) -> str:
        """The bundle that made it, for messages."""
        return f"{self.bundle} (graphs {self.graphs[:12]})"

    @property
    def _content(self) -> tuple[str, int, bytes, bytes]:
        return self.graphs, self.recordings, self.seconds.tobytes(), self.pooled.tobytes()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to ``path``: a line of JSON, then ``seconds`` and ``pooled`` as little-endian floats of 32 bits.

        A file that is there keeps its content until all is written.

        Raises:
            OSError: it cannot be written.
        """
        values = b"".join(array.astype("<f4").tobytes() for array in (self.seconds, self.pooled))
        header = {
            "edge_iemonet_baseline": VERSION,
            "bundle": self.bundle,
            "graphs": self.graphs,
            "recordings": self.recordings,
            "features": self.pooled.shape[1],
            "sha256": hashlib.sha256(values).hexdigest(),
        }
        with writing(Path(path)) as file:
            file.write(json.dumps(header).encode() + b"\n" + values)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Baseline:
        """Read what ``save`` wrote; nothing in a file is ever executed.

        Raises:
            BaselineError: there is no such file, it is no baseline, of another version, damaged, or too large.
        """
        return cls.from_bytes(_read(path, LARGEST_FILE + 1), name=os.fsdecode(path))

    @classmethod
    def from_bytes(cls, data: bytes, *, name: str = "bytes") -> Baseline:
        """Read the content of a file that ``save`` wrote; nothing in it is ever executed.

        Args:
            data: all of the file.
            name: of it, for messages.

        Raises:
            BaselineError: it is no baseline, of another version, damaged, or too large.
        """
        line, end, values = data.partition(b"\n")
        if not data.startswith(BEGINNING) or not end or len(line) > LONGEST_HEADER:
            raise BaselineError(f"{name}: no saved baseline; make one with model.baseline or --save-baseline")
        if len(data) > LARGEST_FILE:
            raise BaselineError(f"{name}: more than {LARGEST_FILE} bytes; no baseline has so many")
        try:
            return cls._of(json.loads(line), values)
        except BaselineError as error:
            raise BaselineError(f"{name}: {error}") from error
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BaselineError(f"{name}: damaged, its first line does not fit ({error}); save it again") from error

    @classmethod
    def _of(cls, header: dict[str, Any], values: bytes) -> Baseline:
        if header["edge_iemonet_baseline"] != VERSION:
            raise BaselineError(
                f"a baseline of version {header['edge_iemonet_baseline']!r:.20}, and {VERSION} is read here; "
                "update edge-iemonet, or make it again"
            )
        recordings, features = (_count(header[key]) for key in ("recordings", "features"))
        graphs, bundle = (_text(header[key]) for key in ("graphs", "bundle"))
        if recordings > MOST_RECORDINGS or len(values) != 4 * recordings * (1 + features):
            raise BaselineError(
                f"damaged: {len(values)} bytes of values for {recordings} recordings of {features} features"
            )
        if hashlib.sha256(values).hexdigest() != header["sha256"]:
            raise BaselineError("damaged: its values do not have the stated sha256; save it again")
        numbers = np.frombuffer(values, "<f4")
        return cls(numbers[recordings:].reshape(recordings, features), numbers[:recordings], graphs, bundle)


def join(parts: Iterable[tuple[str, Baseline | None]]) -> Baseline:
    """Return what was pooled of several recordings as one baseline.

    Args:
        parts: name and baseline of each recording, in order; None of one in which nobody speaks. That one gets a note,
            and so does a recording that was there before: it counts once.

    Raises:
        BaselineError: there are no recordings, or less than ``LEAST_SPEECH_S`` of speech in all of them together.
    """
    found: Baseline | None = None
    names: list[str] = []
    notes: list[str] = []
    seen: dict[Baseline, str] = {}
    for name, part in parts:
        names.append(name)
        if part is None:
            notes.append(f"{name}: no speech, so it is not in the baseline")
        elif part in seen:
            notes.append(f"{name}: the same recording as {seen[part]}, so it counts once")
        else:
            seen[part] = name
            found = part if found is None else found + part
    if found is None or found.speech_s < LEAST_SPEECH_S:
        where = names[0] if len(names) == 1 else f"{len(names)} recordings"
        heard = "no speech" if found is None else f"{found.speech_s:.1f} s of speech"
        raise BaselineError(f"{where}: {heard}; a baseline needs {LEAST_SPEECH_S:.0f} s of speech, and better 10 s")
    return replace(found, notes=(*found.notes, *notes))


def is_saved(path: str | os.PathLike[str]) -> bool:
    """Whether a saved baseline is at ``path``, rather than a recording or nothing that can be read."""
    try:
        return _read(path, len(BEGINNING)) == BEGINNING
    except BaselineError:
        return False


def checksum(bundle: Bundle) -> str:
    """Return what tells the graphs that make a baseline from others: a sha256 over the manifest's own of each."""
    parts = [part for slot in ("speech_encoder", "speech_emotion") for part in checksums(bundle.manifest, slot)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _read(path: str | os.PathLike[str], most: int) -> bytes:
    """Return the first bytes of a regular file; a pipe or a device is not opened, as reading it may never end."""
    name = os.fsdecode(path)
    try:
        found = status(path)
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise BaselineError(f"{name}: not a regular file, and so no saved baseline")
        with Path(path).open("rb") as file:
            return file.read(most)
    except (OSError, ValueError) as error:
        if isinstance(error, BaselineError):
            raise
        raise BaselineError(f"{name}: {why(path, error)}") from error


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise TypeError(f"{value!r:.20} where a number of 1 or more is expected")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.20} where a text is expected")
    return value
