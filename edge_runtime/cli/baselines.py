"""What a command compares recordings with: saved baselines, other recordings, or the others of the same speaker."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import typer

from edge_runtime.audio.find_recordings import STDIN, find_recordings
from edge_runtime.baseline import MOST_RECORDINGS, Baseline, is_saved, join
from edge_runtime.cli import COMMAND
from edge_runtime.cli.command import FAILED, print_status, report_error
from edge_runtime.cli.interrupts import after_cleaning_up
from edge_runtime.cli.progress import with_progress
from edge_runtime.errors import AudioError, AudioNotFoundError, BaselineError
from edge_runtime.pipeline import IEmoNet
from edge_runtime.system.parallel import map_ordered
from edge_runtime.system.writing import check_writable

SUFFIX = ".baseline"
"""What a saved baseline is best called; one is known by its content as well."""


@dataclass(frozen=True)
class Wanted:
    """What ``classify`` was told to compare its recordings with.

    Attributes:
        given: what ``--baseline`` names.
        same_speaker: whether each recording is compared with the others.
        save_to: the file that gets all that is compared with.
    """

    given: Sequence[str]
    same_speaker: bool
    save_to: Path | None

    def check(self, recordings: Sequence[str]) -> None:
        """Say before the work what cannot be done, with ``recordings`` as they were named.

        Raises:
            BadParameter: options that contradict each other, standard input, or a file that cannot be written or
                holds something else than a baseline, such as a recording.
        """
        if self.given and self.same_speaker:
            raise typer.BadParameter("--baseline and --same-speaker are two things to compare with; choose one")
        if self.same_speaker and STDIN in recordings:
            raise typer.BadParameter("--same-speaker reads each recording twice, and standard input is there once")
        if self.save_to is None:
            return
        if not self.given and not self.same_speaker:
            raise typer.BadParameter("--save-baseline writes what --baseline or --same-speaker compares with; give one")
        try:
            if self.save_to.is_file() and self.save_to.stat().st_size and not is_saved(self.save_to):
                raise typer.BadParameter(f"{self.save_to}: is there already, and no baseline; name another file")
            check_writable(self.save_to)
        except OSError as error:
            why = f"cannot be written there ({error.strerror})"
            raise typer.BadParameter(f"{self.save_to}: {why}; name another file") from error

    def make(self, model: IEmoNet, recordings: Sequence[str], *, workers: int) -> Callable[[str], Baseline | None]:
        """Make all baselines, save what is to be saved, and return what gives each of ``recordings`` its own.

        Raises:
            BaselineError: what ``--baseline`` names cannot be used, or there is too little speech.
            BundleError: the bundle takes no baseline.
            Exit: the file to save could not be written, which has been said.
        """
        if self.same_speaker:
            speaker = pool_each(model, recordings, workers=workers)
            if self.save_to is not None:
                _save(speaker.together(), self.save_to)
            return speaker.without
        baseline = read_baselines(model, self.given, recordings, workers=workers) if self.given else None
        if self.save_to is not None and baseline is not None:
            _save(baseline, self.save_to)
        return lambda _: baseline


def read_baselines(model: IEmoNet, names: Sequence[str], compared: Sequence[str] = (), *, workers: int = 1) -> Baseline:
    """Return what ``names`` mean as one baseline: what was saved first, then what the recordings make.

    Args:
        model: makes them.
        names: of saved baselines and recordings.
        compared: the recordings that will be compared with it; one that is among its own gets a note.
        workers: recordings at a time.

    Raises:
        BaselineError: a name cannot be used, or there is too little speech.
        BundleError: the bundle takes no baseline.
    """
    saved: list[Baseline] = []
    recordings: list[str] = []
    for name in names:
        if Path(name).suffix.lower() == SUFFIX or is_saved(name):
            saved.append(Baseline.load(name))
        else:
            recordings += _recordings(name)
    if recordings:
        pooled = map_ordered(lambda name: model.pool(Path(name)), recordings, workers=workers)
        parts = with_progress(pooled, len(recordings), printed=False, label="baseline")
        saved.append(join((name, _usable(part)) for name, part in parts))
    own = {os.path.realpath(name) for name in recordings} & {os.path.realpath(name) for name in compared}
    if own:
        print_status(
            f"--baseline: has {len(own)} of the recordings that are compared with it, which then seem more usual than "
            "they are; name other recordings, or use classify --same-speaker"
        )
    found = reduce(add, saved)
    for note in found.notes:
        report_error(COMMAND, f"--baseline: {note}")
    return found


class SameSpeaker:
    """The recordings of one speaker, of which each is compared with all others.

    Only so many are remembered that each has ``MOST_RECORDINGS`` others.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._parts: deque[tuple[str, Baseline]] = deque()

    def add(self, name: str, part: Baseline) -> None:
        """Take what was pooled of the recording ``name``; the same file counts once, whatever it is called."""
        name = os.path.realpath(name)
        if any(name == other for other, _ in self._parts):
            return
        self._parts.append((name, part))
        sizes = Counter({other: kept.recordings for other, kept in self._parts})
        while sizes.total() - sizes[self._parts[0][0]] - max(sizes.values()) >= MOST_RECORDINGS:
            del sizes[self._parts.popleft()[0]]

    def without(self, name: str) -> Baseline | None:
        """Return the baseline of the recording ``name``: all others; None if there are none."""
        name = os.path.realpath(name)
        others = [part for other, part in self._parts if other != name]
        return reduce(add, others) if others else None

    def together(self) -> Baseline:
        """Return all of them as one baseline.

        Raises:
            BaselineError: there is too little speech in all of them.
        """
        return join(self._parts)


def pool_each(model: IEmoNet, names: Sequence[str], *, workers: int) -> SameSpeaker:
    """Listen to the recordings of one speaker for the first time; what cannot be used is left for the second time."""
    found = SameSpeaker()
    parts = map_ordered(lambda name: model.pool(Path(name)), names, workers=workers)
    for name, part in with_progress(parts, len(names), printed=False, label="same speaker"):
        if isinstance(part, Baseline):
            found.add(name, part)
    if len(names) == 1:
        print_status(f"--same-speaker: {names[0]} is the only recording, so there is no other to compare it with")
    return found


def _save(baseline: Baseline, path: Path) -> None:
    try:
        with after_cleaning_up():
            baseline.save(path)
    except OSError as error:
        report_error(COMMAND, f"{path}: could not be written ({error.strerror})")
        raise typer.Exit(FAILED) from error


def _recordings(name: str) -> Sequence[str]:
    if name == STDIN:
        raise BaselineError("--baseline: standard input cannot be one; name a file")
    try:
        found = find_recordings(name)
    except (AudioError, AudioNotFoundError) as error:
        raise BaselineError(f"--baseline: {error}") from error
    if found.unreadable:
        raise BaselineError(f"--baseline: {found.unreadable[0]}")
    if found.note:
        report_error(COMMAND, f"{name}: {found.note}")
    return found.files


def _usable(part: Baseline | AudioError | AudioNotFoundError | None) -> Baseline | None:
    if isinstance(part, AudioError | AudioNotFoundError):
        raise BaselineError(f"--baseline: {part}") from part
    return part
