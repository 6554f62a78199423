"""The command ``edge-iemonet listen``."""

from __future__ import annotations

import json
import queue
import signal
import statistics
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from edge_runtime.errors import AudioError, IEmoNetError

if TYPE_CHECKING:
    from edge_runtime.live import Event

FAILED = 1
WAITING = 50
"""Portions of sound that may wait; a pipe is read no further, a microphone loses sound and says so."""
LOOK_S = 0.2
EXAMPLES = """
Examples:

  edge-iemonet listen

  ffmpeg -i rtsp://camera -f wav - | edge-iemonet listen - --json

  arecord -f S16_LE -r 16000 -t raw | edge-iemonet listen - --format s16le --rate 16000

The microphone needs the extra: pip install 'edge-iemonet[mic]'. Ctrl-C ends it, and what was being said is answered.

Exit codes: 0 done, 1 the sound cannot be used or broke off, 2 wrong usage, or no bundle, device or microphone.
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
        float | None, typer.Option(help="Say what it sounds like so far, each so many seconds.", metavar="SECONDS")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    bundle: Annotated[str | None, typer.Option(help="Folder or name of the bundle to use.", metavar="DIR")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads to use.")] = None,
) -> None:
    """Listen to a microphone or a pipe, and say at each utterance's end what was said and how."""
    if source not in {None, "-"}:
        raise typer.BadParameter(f"{source!r}: give - for standard input, or nothing for a microphone")
    if provisional is not None and not provisional > 0:
        raise typer.BadParameter("--provisional takes a number of seconds above 0")
    # Imported here so that --help and usage errors need not wait for onnxruntime.
    from edge_runtime.pipeline import IEmoNet  # noqa: PLC0415
    from edge_runtime.sources import Microphone, Pipe  # noqa: PLC0415

    model = IEmoNet.load(bundle, device=device, threads=threads)
    show = Lines(as_json=as_json, labels=model.labels)
    failed: IEmoNetError | None = None
    try:
        heard = Microphone(microphone) if source is None else Pipe(0, encoding, rate=rate, channels=channels)
    except AudioError as error:
        print(f"edge-iemonet: {error}", file=sys.stderr)
        raise typer.Exit(FAILED) from error
    stream = model.stream(heard.sample_rate, provisional_s=provisional)
    if sys.stderr.isatty():
        print("listening; Ctrl-C ends it", file=sys.stderr)
    try:
        for samples, arrived in _arriving(heard):
            show(stream.feed(samples, arrived=arrived))
    except IEmoNetError as error:
        failed = error  # said last, after the answer to what was being said before it
    show(stream.close())
    if isinstance(heard, Microphone) and heard.lost:
        print(f"edge-iemonet: sound was lost {heard.lost} times; this machine is too slow for it", file=sys.stderr)
    print(show.summary(stream.duration_s), file=sys.stderr)
    if failed is not None:
        print(f"edge-iemonet: {failed}", file=sys.stderr)
        raise typer.Exit(FAILED)


class Lines:
    """Prints events, and remembers how late they were."""

    def __init__(self, *, as_json: bool, labels: tuple[str, ...]) -> None:
        """Print JSON or rows of a table."""
        from edge_runtime.formats.table import Table  # noqa: PLC0415

        self._json, self._table = as_json, Table(labels, channels=False, colour=sys.stdout.isatty())
        self._latencies: list[float] = []

    def __call__(self, events: Iterable[Event]) -> None:
        """Print ``events``."""
        for event in events:
            if event.final:
                self._latencies.append(event.latency_s)
            if self._json:
                print(json.dumps(event.to_dict(), ensure_ascii=False), flush=True)
            else:
                more = f"  ({event.latency_s:.2f} s later)" if event.final else "  …"
                print(self._table.row(event.segment) + more, flush=True)

    def summary(self, heard_s: float) -> str:
        """Return a line about all that was heard."""
        from edge_runtime.formats.clock import clock  # noqa: PLC0415

        if not self._latencies:
            return f"{clock(heard_s)} heard, no speech"
        median, longest = statistics.median(self._latencies), max(self._latencies)
        return (
            f"{clock(heard_s)} heard, {len(self._latencies)} utterances; from the end of speech to the answer "
            f"{median:.2f} s (median), {longest:.2f} s (longest)"
        )


def _arriving(source: Iterable[Any]) -> Iterator[tuple[Any, float]]:
    """Yield portions of ``source`` with the time they came, until it ends or Ctrl-C is pressed.

    They are read in a thread of their own, so that it is known how long they waited, and so that an interrupt never
    breaks into a model that is thinking. A second Ctrl-C ends the process as usual.
    """
    waiting: queue.Queue[tuple[Any, float] | BaseException | None] = queue.Queue(WAITING)
    stopped = threading.Event()

    def read() -> None:
        try:
            for samples in source:
                waiting.put((samples, time.perf_counter()))
        except BaseException as error:
            waiting.put(error)
        else:
            waiting.put(None)

    def stop(*_: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    threading.Thread(target=read, daemon=True).start()
    try:
        while not stopped.is_set():
            try:
                portion = waiting.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            if portion is None:
                return
            if isinstance(portion, BaseException):
                raise portion
            yield portion
    finally:
        signal.signal(signal.SIGINT, before)
