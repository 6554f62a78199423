"""The command ``edge-iemonet timeline``."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from edge_runtime.cli import COMMAND
from edge_runtime.cli.command import FAILED, report_error, standard_input
from edge_runtime.cli.interrupts import after_cleaning_up
from edge_runtime.cli.json_output import print_json
from edge_runtime.cli.options import (
    Baselines,
    BatchMemory,
    Bundle,
    Context,
    Device,
    Json,
    NoBaseline,
    Threads,
    check_baseline_options,
)
from edge_runtime.errors import AudioError, AudioNotFoundError
from edge_runtime.formats.printable import visible
from edge_runtime.system.parallel import BATCH_MEMORY_MB
from edge_runtime.system.writing import check_writable, write_text

if TYPE_CHECKING:
    from edge_runtime.prediction import Segment
    from edge_runtime.timeline import Timeline

STDOUT = "-"
EXAMPLES = """
Examples:

  edge-iemonet timeline call.wav

  edge-iemonet timeline call.wav --html report.html --embed-audio

  edge-iemonet timeline call.wav --channels split --csv call.csv --vtt call.vtt --textgrid call.TextGrid

  ffmpeg -i film.mkv -f wav - | edge-iemonet timeline - --json > film.jsonl

  edge-iemonet timeline monday.wav --baseline ann.baseline

Each utterance is compared with those before it on its channel, if the bundle can. What is given by --baseline comes
before the first. The recording is read once: no answer is changed by what comes later.

Exit codes: 0 done, 1 the audio cannot be used, 2 wrong usage, or no bundle, device or baseline.
"""


def timeline(
    file: Annotated[str, typer.Argument(help="An audio file of any length; - is standard input.", metavar="FILE")],
    as_json: Json = False,
    csv: Annotated[str | None, typer.Option(help="Write a table of all scores.", metavar="FILE")] = None,
    vtt: Annotated[str | None, typer.Option(help="Write subtitles (WebVTT).", metavar="FILE")] = None,
    textgrid: Annotated[str | None, typer.Option(help="Write a TextGrid for Praat.", metavar="FILE")] = None,
    html: Annotated[str | None, typer.Option(help="Write a page with curves and transcript.", metavar="FILE")] = None,
    embed_audio: Annotated[bool, typer.Option("--embed-audio", help="Put the sound into the page, as MP3.")] = False,
    channels: Annotated[
        Literal["mix", "split"], typer.Option(help="mix all channels, or take each for a speaker of its own.")
    ] = "mix",
    baseline: Baselines = None,
    no_baseline: NoBaseline = False,
    context: Context = False,
    bundle: Bundle = None,
    device: Device = "auto",
    threads: Threads = None,
    batch_memory: BatchMemory = BATCH_MEMORY_MB,
) -> None:
    """Say what is said in a recording and how, utterance by utterance.

    What --csv, --vtt, --textgrid and --html name is written; - is standard output.
    """
    wanted = {name: to for name, to in (("csv", csv), ("vtt", vtt), ("textgrid", textgrid), ("html", html)) if to}
    _check(file, wanted, as_json=as_json, embed_audio=embed_audio)
    check_baseline_options(baseline, no_baseline=no_baseline)
    # Imported here so that --help and usage errors need not wait for onnxruntime.
    from edge_runtime.audio.decode import STANDARD_INPUT, SeekableCopy  # noqa: PLC0415
    from edge_runtime.audio.recording import Recording  # noqa: PLC0415
    from edge_runtime.cli.baselines import read_baselines  # noqa: PLC0415
    from edge_runtime.formats import audio_preview, csv_table, report, webvtt  # noqa: PLC0415
    from edge_runtime.formats import textgrid as praat  # noqa: PLC0415
    from edge_runtime.pipeline import IEmoNet  # noqa: PLC0415

    model = IEmoNet.load(bundle, device=device, threads=threads, batch_memory_mb=batch_memory)
    before = read_baselines(model, baseline, [file]) if baseline else not no_baseline
    name = STANDARD_INPUT if file == STDOUT else Path(file).name
    split = channels == "split"
    segments: list[Segment] = []
    preview = None
    with ExitStack() as stack:
        try:
            audio: Any = Path(file)
            if file == STDOUT:  # a page needs it twice
                audio = stack.enter_context(SeekableCopy(standard_input().buffer, STANDARD_INPUT))
            found = model.timeline(audio, channels=channels, baseline=before, context=context)
            taken = _taken(found, segments if wanted else None)
            if STDOUT in wanted.values():
                for _ in taken:
                    pass
            elif as_json:
                for segment in taken:
                    print_json({"file": file, **segment.to_dict()})
            else:
                _print_table(name, found, taken, model.labels, split=split)
            if html is not None:
                if file == STDOUT:
                    audio.seek(0)
                preview = audio_preview.make_preview(Recording(audio), split=split, keep=embed_audio)
        except (AudioError, AudioNotFoundError) as error:
            report_error(COMMAND, error)
            raise typer.Exit(FAILED) from error
    ways: dict[str, Callable[[], str]] = {
        "csv": lambda: csv_table.render(segments, model.labels),
        "vtt": lambda: webvtt.render(segments),
        "textgrid": lambda: praat.render(segments, found.duration_s),
    }
    if preview is not None:
        ways["html"] = lambda: report.render(
            name, segments, labels=model.labels, duration_s=found.duration_s, preview=preview, notes=found.notes
        )
    with after_cleaning_up():
        for way, to in wanted.items():
            _write(to, ways[way]())


def _check(file: str, wanted: dict[str, str], *, as_json: bool, embed_audio: bool) -> None:
    printed = [way for way, to in wanted.items() if to == STDOUT] + (["json"] if as_json else [])
    if len(printed) > 1:
        raise typer.BadParameter(f"--{' and --'.join(printed)} would all be printed; give the others a FILE")
    if embed_audio and "html" not in wanted:
        raise typer.BadParameter("--embed-audio is for the page that --html writes")
    named = [Path(to) for to in wanted.values() if to != STDOUT]
    for place, times in Counter(os.path.realpath(to) for to in named).items():
        if times > 1 and not Path(place).is_char_device():  # of /dev/null all may be written
            raise typer.BadParameter(f"{place}: is named for more than one kind of file; name one file for each")
    for to in named:
        with suppress(OSError):  # neither has to be there
            if to.samefile(file):
                raise typer.BadParameter(f"{to}: is the recording itself; name another file to write")
        try:
            check_writable(to)
        except OSError as error:  # said before an hour of work rather than after it
            raise typer.BadParameter(f"{to}: cannot be written there ({error.strerror}); name another file") from error


def _taken(timeline: Timeline, segments: list[Segment] | None) -> Iterator[Segment]:
    """Yield the segments, keep them if wanted, and show how far it is, where nothing else does."""
    length = round(timeline.header_duration_s or 0)
    bar = None
    if length and sys.stderr.isatty() and not sys.stdout.isatty():
        bar = typer.progressbar(length=length, label=visible(timeline.name), file=sys.stderr)
    with bar or nullcontext():
        for segment in timeline:
            if bar is not None:
                bar.update(min(round(timeline.duration_s), length) - bar.pos)
            if segments is not None:
                segments.append(segment)
            yield segment
        if bar is not None:
            bar.update(length - bar.pos)


def _print_table(
    name: str, timeline: Timeline, segments: Iterator[Segment], labels: Sequence[str], *, split: bool
) -> None:
    from edge_runtime.formats.clock import clock  # noqa: PLC0415
    from edge_runtime.formats.emotion import LEGEND  # noqa: PLC0415
    from edge_runtime.formats.terminal import Table  # noqa: PLC0415

    table = Table(labels, channels=split, colour=sys.stdout.isatty())
    count = uncertain = 0
    for count, segment in enumerate(segments, start=1):
        if count == 1:
            print(table.header())
        uncertain += segment.uncertain
        print(table.row(segment), flush=True)
    found = f"{count} utterance{'s' * (count != 1)}" if count else "no speech"
    unsure = [f"{uncertain} uncertain ({LEGEND})"] if uncertain else []
    print("; ".join([f"{visible(name)}: {found} in {clock(timeline.duration_s)}", *unsure, *timeline.notes]))


def _write(to: str, text: str) -> None:
    if to == STDOUT:
        print(text, end="")
        return
    try:
        write_text(Path(to), text)
    except OSError as error:
        report_error(COMMAND, f"{to}: could not be written ({error.strerror})")
        raise typer.Exit(FAILED) from error
