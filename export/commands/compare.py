"""The command ``compare``: two bundles side by side, for a person or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import track
from rich.table import Table
from rich.text import Text

from edge_runtime.cli.json_output import print_json
from trainer.console import Console

if TYPE_CHECKING:
    from export.evaluation.bundle_pair import Comparison
    from export.evaluation.data import Sample

EPILOG = (
    "Examples:\n\n  python -m export compare models/en-tiny-int8 my-bundle\n\n"
    "  python -m export compare A B --audio clip.wav --audio other.flac\n\n"
    "  python -m export compare A B --audio data/ravdess --limit 100 --json\n\n"
    "Exit code: 0 if they were compared, 1 if a bundle or a recording could not be used."
)
SOME_FAILED = 1
SHOWN = 10
"""So many recordings that could not be used are listed; --json lists all."""


def compare(
    a: Annotated[str, typer.Argument(help="A bundle's folder, or the name of an installed one.")],
    b: Annotated[str, typer.Argument(help="The other.")],
    audio: Annotated[
        list[Path] | None,
        typer.Option(
            help="A sound file, a corpus' folder or a manifest (.csv, .tsv, .jsonl); may be given several times. "
            "Without it examples/jfk.wav, if it is there."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Utterances of a corpus, at most, drawn at random.")] = 100,
    seed: Annotated[int, typer.Option(help="Of that draw.")] = 0,
    repeats: Annotated[int, typer.Option(min=1, help="Times that each recording is classified by each.")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads of each graph.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Put two bundles side by side: size, latency, agreement, transcripts, and accuracy where labels are known."""
    # Imported here so that --help need not wait for them.
    from edge_runtime import IEmoNet  # noqa: PLC0415
    from export.evaluation.bundle_pair import side_by_side  # noqa: PLC0415
    from export.evaluation.data import gather  # noqa: PLC0415

    samples = gather(audio or [], limit=limit, seed=seed)
    models = IEmoNet.load(a, device="cpu", threads=threads), IEmoNet.load(b, device="cpu", threads=threads)
    found = side_by_side(models, samples, repeats=repeats, progress=_progress)
    if as_json:
        print_json(found.to_dict(), indent=1)
    else:
        show(found, Console())
    if found.skipped:
        raise typer.Exit(SOME_FAILED)


def _progress(samples: Iterable[Sample]) -> Iterable[Sample]:
    if not sys.stderr.isatty():
        return samples
    return track(samples, description="comparing", console=Console(stderr=True), transient=True)


def show(found: Comparison, console: Console) -> None:
    """Print ``found`` as tables."""
    heads = [Text(f"{name} ({which})") for name, which in zip(found.names, "ab", strict=True)]
    sizes = _table("megabytes", heads)
    for slot, pair in found.bytes.items():
        sizes.add_row(slot, *_numbers(pair, 1e6))
    console.print(sizes)
    if found.latency_ms:
        latency = _table("milliseconds, medians", heads)
        for slot, times in found.latency_ms.items():
            latency.add_row(slot, *_numbers(times, 1))
        console.print(latency)
    if found.heard or found.read:
        console.print(_answers(found))
    for note in found.notes:
        console.print(Text(f"note: {note}"), soft_wrap=True)
    for name, reason in list(found.skipped.items())[:SHOWN]:
        console.print(Text(f"not used: {name}: {reason}"), soft_wrap=True)
    if len(found.skipped) > SHOWN:
        console.print(f"and {len(found.skipped) - SHOWN} more; --json lists all")


def _table(title: str, heads: list[Text]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for head in (*heads, Text("b / a")):
        table.add_column(head, justify="right")
    return table


def _numbers(pair: tuple[float | None, float | None], unit: float) -> list[str]:
    a, b = pair
    shown = ["none" if value is None else f"{value / unit:.2f}" for value in pair]
    return [*shown, f"{b / a:.2f}" if a and b is not None else ""]


def _answers(found: Comparison) -> Table:
    table = Table(
        title=f"answers on {found.heard} recordings and {found.read} texts", title_justify="left", show_header=False
    )
    for branch, how in found.agreement.items():
        table.add_row(
            branch,
            f"same label {how['same_label']:.1%} of {how['n']}; scores differ by {how['mean_difference']:.4f} in the "
            f"mean, {how['largest_difference']:.4f} at most",
        )
    if found.transcripts:
        heard = found.transcripts
        table.add_row(
            "transcript", f"the same words {heard['same']} of {heard['n']}; word error rate b to a {heard['wer']:.1%}"
        )
    if found.accuracy:
        for which in ("a", "b"):
            scores = found.accuracy[which]
            table.add_row(
                f"accuracy of {which}", f"WA {scores['wa']:.1%}, UA {scores['ua']:.1%} (n {found.accuracy['n']})"
            )
    return table
