"""What the command ``edge-iemonet`` can do; ``edge_runtime.__main__`` runs it."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from edge_runtime.__main__ import main
from edge_runtime.cli import listen, serve, timeline
from edge_runtime.cli.classify import CLASSIFY_EXAMPLES, TEXT_EXAMPLES, classify, classify_text

__all__ = ["app", "main"]

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


app.command(name="timeline", epilog=timeline.EXAMPLES)(timeline.timeline)
app.command(name="listen", epilog=listen.EXAMPLES)(listen.listen)
app.command(name="serve", epilog=serve.EXAMPLES)(serve.serve)
