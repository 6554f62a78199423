"""What ``python -m export`` can do (also installed as ``export``, which POSIX shells hide behind a builtin)."""

from __future__ import annotations

import typer

from export.__main__ import main
from export.commands import compare, inspect, onnx, swap, verify

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root() -> None:
    """Turn what was trained into a bundle of ONNX graphs."""


app.command(epilog=onnx.EPILOG)(onnx.onnx)
app.command(epilog=swap.EPILOG)(swap.swap)
app.command(epilog=verify.EPILOG)(verify.verify)
app.command(epilog=inspect.EPILOG)(inspect.inspect)
app.command(epilog=compare.EPILOG)(compare.compare)
