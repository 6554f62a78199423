"""The command ``edge-iemonet``."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from edge_runtime import cli_listen, cli_timeline
from edge_runtime.cli_classify import CLASSIFY_EXAMPLES, SOME_FAILED, TEXT_EXAMPLES, USAGE, classify, classify_text
from edge_runtime.errors import IEmoNetError

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


app.command(epilog=CLASSIFY_EXAMPLES)(classify)
app.command(epilog=TEXT_EXAMPLES)(classify_text)


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
