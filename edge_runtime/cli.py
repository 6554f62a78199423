"""The command ``edge-iemonet``."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from edge_runtime import cli_listen, cli_timeline
from edge_runtime.errors import AudioError, AudioNotFoundError, IEmoNetError

SOME_FAILED, USAGE = 1, 2

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(version("edge-iemonet"))
        raise typer.Exit


@app.callback()
def root(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Recognise emotion in speech, from voice and words, offline."""


EXAMPLES = """
Examples:

  edge-iemonet classify clip.wav

  edge-iemonet classify calls/*.flac --json > results.jsonl

  ffmpeg -i film.mkv -f wav - | edge-iemonet classify -

Exit codes: 0 all classified, 1 some failed, 2 wrong usage, or no bundle or device.
"""


@app.command(epilog=EXAMPLES)
def classify(
    files: Annotated[list[str], typer.Argument(help="Audio files; - is standard input.", metavar="FILE…")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    transcript: Annotated[
        str | None,
        typer.Option(help="The words, when they are known: leaves out speech recognition.", metavar="TEXT"),
    ] = None,
    bundle: Annotated[str | None, typer.Option(help="Folder or name of the bundle to use.", metavar="DIR")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads to use.")] = None,
) -> None:
    """Say what emotion is in audio files: wav, flac, ogg, mp3, of any rate and number of channels."""
    if transcript is not None and len(files) > 1:
        raise typer.BadParameter("--transcript belongs to one file, and several are given")
    # Imported here so that --help and usage errors need not wait for onnxruntime.
    from edge_runtime.display import render  # noqa: PLC0415
    from edge_runtime.pipeline import IEmoNet  # noqa: PLC0415

    model = IEmoNet.load(bundle, device=device, threads=threads)
    failed = 0
    for file in files:
        try:
            audio = sys.stdin.buffer if file == "-" else Path(file)
            prediction = model(audio, transcript=transcript)
        except (AudioError, AudioNotFoundError) as error:
            print(f"edge-iemonet: {error}", file=sys.stderr)
            failed += 1
            continue
        if as_json:
            print(json.dumps({"file": file, **prediction.to_dict()}, ensure_ascii=False), flush=True)
        else:
            print(render(file, prediction, colour=sys.stdout.isatty()), flush=True)
    if failed:
        raise typer.Exit(SOME_FAILED)


app.command(name="timeline", epilog=cli_timeline.EXAMPLES)(cli_timeline.timeline)
app.command(name="listen", epilog=cli_listen.EXAMPLES)(cli_listen.listen)


def main() -> None:
    """Run the command; what goes wrong is said in a line, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal or pipe that cannot show a bar or a German word gets a substitute, not an error.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app()
    except IEmoNetError as error:
        print(f"edge-iemonet: {error}", file=sys.stderr)
        sys.exit(USAGE)
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        sys.stderr.close()
        sys.exit(SOME_FAILED)
