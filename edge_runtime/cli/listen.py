"""The command ``edge-iemonet listen``."""

from __future__ import annotations

import queue
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from edge_runtime.cli import COMMAND, interrupts
from edge_runtime.cli.command import FAILED, print_status, report_error, standard_input
from edge_runtime.cli.json_output import print_json
from edge_runtime.cli.options import (
    Baselines,
    Bundle,
    Context,
    Device,
    Json,
    NoBaseline,
    Threads,
    check_baseline_options,
    finite,
)
from edge_runtime.errors import AudioError, IEmoNetError

if TYPE_CHECKING:
    from edge_runtime.audio.live_sources import Microphone, Pipe
    from edge_runtime.live import Event

    Source = Microphone | Pipe

WAITING = 50
"""Portions of sound that may wait; a pipe is read no further, a microphone loses sound and says so."""
LOOK_S = 0.2
EXAMPLES = """
Examples:

  edge-iemonet listen

  ffmpeg -i rtsp://camera -f wav - | edge-iemonet listen - --json

  arecord -f S16_LE -r 16000 -t raw | edge-iemonet listen - --format s16le --rate 16000

  edge-iemonet listen --baseline ann.baseline

Each utterance is compared with the finished ones before it, if the bundle can; what is given by --baseline comes
before the first. No answer is changed by what comes later.

The microphone needs the extra: pip install 'edge-iemonet\\[mic]'. Ctrl-C ends it, and what was being said is answered.

Exit codes: 0 the pipe ended, 130 Ctrl-C ended it, 1 the sound cannot be used or broke off, 2 wrong usage, or no
bundle, device, microphone or baseline.
"""


def listen(
    source: Annotated[
        str | None, typer.Argument(help="- is standard input; without it, a microphone.", metavar="[-]")
    ] = None,
    encoding: Annotated[
        Literal["wav", "s16le", "f32le"],
        typer.Option("--format", help="Of standard input: wav, or bare samples of 16 bits or floats."),
    ] = "wav",
    rate: Annotated[int, typer.Option(help="Of bare samples, in Hz.")] = 16_000,
    channels: Annotated[int, typer.Option(help="Of bare samples; they are mixed.")] = 1,
    microphone: Annotated[str | None, typer.Option(help="Name or number of the microphone.", metavar="NAME")] = None,
    provisional: Annotated[
        float | None,
        typer.Option(callback=finite, help="Say what it sounds like so far, each so many seconds.", metavar="SECONDS"),
    ] = None,
    as_json: Json = False,
    baseline: Baselines = None,
    no_baseline: NoBaseline = False,
    context: Context = False,
    bundle: Bundle = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Listen to a microphone or a pipe, and say at each utterance's end what was said and how."""
    if source not in {None, "-"}:
        raise typer.BadParameter(f"{source!r}: give - for standard input, or nothing for a microphone")
    if provisional is not None and not provisional > 0:
        raise typer.BadParameter("--provisional takes a number of seconds above 0")
    check_baseline_options(baseline, no_baseline=no_baseline)
    # Imported here so that --help and usage errors need not wait for onnxruntime.
    from edge_runtime.audio.live_sources import Microphone, Pipe  # noqa: PLC0415
    from edge_runtime.cli.baselines import read_baselines  # noqa: PLC0415
    from edge_runtime.pipeline import IEmoNet  # noqa: PLC0415

    model = IEmoNet.load(bundle, device=device, threads=threads)
    before = read_baselines(model, baseline) if baseline else not no_baseline
    printer = _EventPrinter(as_json=as_json, labels=model.labels)
    arriving = _Arriving(
        lambda: (
            Microphone(microphone)
            if source is None
            else Pipe(standard_input().fileno(), encoding, rate=rate, channels=channels)
        )
    )
    failed: IEmoNetError | None = None
    received_s = 0.0
    try:
        opened = arriving.source()
        if opened is not None:
            if sys.stderr.isatty():
                print_status("listening; Ctrl-C ends it")
            stream = model.stream(opened.sample_rate, provisional_s=provisional, baseline=before, context=context)
            try:
                for samples, arrived in arriving:
                    printer(stream.feed(samples, arrived=arrived))
            except IEmoNetError as error:
                failed = error  # said last, after the answer to what was being said before it
            printer(stream.close())
            received_s = stream.duration_s
    except AudioError as error:
        report_error(COMMAND, error)
        raise typer.Exit(FAILED) from error
    lost = getattr(opened, "lost", 0)
    if lost:
        report_error(COMMAND, f"sound was lost {lost} times; this machine is too slow for it")
    print_status(printer.summary(received_s))
    if failed is not None:
        report_error(COMMAND, failed)
        raise typer.Exit(FAILED)
    if arriving.stopped:
        # Not through Python's own end: a thread may still wait there for sound.
        sys.stdout.flush()
        interrupts.end(arriving.stopped)


class _EventPrinter:
    """Prints events, and remembers how late they were."""

    def __init__(self, *, as_json: bool, labels: tuple[str, ...]) -> None:
        """Print JSON or rows of a table."""
        from edge_runtime.formats.terminal import Table  # noqa: PLC0415

        self._json, self._table = as_json, Table(labels, channels=False, colour=sys.stdout.isatty())
        self._latencies: list[float] = []
        self._uncertain = 0

    def __call__(self, events: Iterable[Event]) -> None:
        """Print ``events``."""
        for event in events:
            if event.final:
                self._latencies.append(event.latency_s)
                self._uncertain += event.segment.uncertain
            if self._json:
                print_json(event.to_dict())
            else:
                more = f"  ({event.latency_s:.2f} s later)" if event.final else "  …"
                print(self._table.row(event.segment) + more, flush=True)

    def summary(self, received_s: float) -> str:
        """Return a line about all that was heard."""
        from edge_runtime.formats.clock import clock  # noqa: PLC0415
        from edge_runtime.formats.emotion import LEGEND  # noqa: PLC0415

        if not self._latencies:
            return f"{clock(received_s)} heard, no speech"
        median, longest = statistics.median(self._latencies), max(self._latencies)
        unsure = f", {self._uncertain} uncertain ({LEGEND})" if self._uncertain else ""
        return (
            f"{clock(received_s)} heard, {len(self._latencies)} utterances{unsure}; from the end of speech to the "
            f"answer {median:.2f} s (median), {longest:.2f} s (longest)"
        )


class _Arriving:
    """Portions of sound with the time they came, until they end, or Ctrl-C or SIGTERM says that it is enough.

    The source is opened and read in a thread of its own: so it is known how long portions waited, an interrupt never
    breaks into a model that is thinking, and is heard while the source waits in C for a pipe that says nothing. A
    second one ends the process at once.

    Attributes:
        stopped: the number of the signal that ended it; 0 if none has.
    """

    def __init__(self, source: Callable[[], Source]) -> None:
        """Begin to open the ``source``."""
        self.stopped = 0
        self._waiting: queue.Queue[Any] = queue.Queue(WAITING)
        for number in interrupts.heeded_signals():
            signal.signal(number, self._stop)
        threading.Thread(target=self._read, args=(source,), daemon=True).start()

    def source(self) -> Source | None:
        """Return what was opened, or None if it was stopped before.

        Raises:
            AudioError: what comes is no sound.
            DeviceError: there is no such microphone.
        """
        found: Source | None = self._next()
        return found

    def __iter__(self) -> Iterator[tuple[Any, float]]:
        """Yield the portions, each with the time it came.

        Raises:
            IEmoNetError: what comes cannot be used, or the microphone is gone.
        """
        while (portion := self._next()) is not None:
            yield portion

    def _next(self) -> Any:
        while not self.stopped:
            with suppress(queue.Empty):
                found = self._waiting.get(timeout=LOOK_S)
                if isinstance(found, BaseException):
                    raise found
                return found
        return None

    def _read(self, open_source: Callable[[], Source]) -> None:
        try:
            source = open_source()
            self._waiting.put(source)
            for samples in source:
                self._waiting.put((samples, time.perf_counter()))
        except BaseException as error:
            self._waiting.put(error)
        else:
            self._waiting.put(None)

    def _stop(self, number: int, _: object) -> None:
        if self.stopped:
            interrupts.end(number)
        self.stopped = number
