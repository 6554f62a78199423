"""The command ``python -m export`` (also installed as ``export``, which POSIX shells hide behind a builtin)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_runtime.errors import IEmoNetError

if TYPE_CHECKING:
    from export.samples import Samples

FAILED = 1
CHECKPOINTS = Path("checkpoints")
WEIGHTS = Path("weights")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Int8 = Annotated[bool, typer.Option("--int8/--fp32", help="Quantise matrix products and embeddings, or not.")]
Out = Annotated[Path, typer.Option(help="The bundle's folder.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the bundle that is there.")]
Whisper = Annotated[
    str | None, typer.Option(help="Another recogniser: a Whisper's folder or hub id.", metavar="FOLDER|ID")
]
Language = Annotated[str | None, typer.Option(help="What a multilingual Whisper listens for: de, fr, ….")]
Renamed = Annotated[
    list[str] | None,
    typer.Option("--map", help="Rename a label of a classifier or corpus; A= leaves it out.", metavar="A=B"),
]
Evaluate = Annotated[
    Path | None, typer.Option(help="A corpus to measure on what is lost [default: a few built-in recordings].")
]
Limit = Annotated[int, typer.Option(min=1, help="Utterances of it, at the most.")]
LimitPoints = Annotated[float, typer.Option(min=0, help="WA or UA that may be lost on it, in points.")]
AllowShortfall = Annotated[
    bool, typer.Option("--allow-shortfall", help="Write a bundle that loses more, with that in its manifest.")
]


@app.callback()
def root() -> None:
    """Turn what was trained into a bundle of ONNX graphs."""


@app.command(
    epilog="Examples:\n\n  python -m export onnx --int8\n\n  python -m export onnx --fp32 --out models/en-tiny-fp32\n\n"
    "  python -m export onnx --checkpoints runs/calls/checkpoints --evaluate calls.csv --out my-bundle\n\n"
    "  python -m export onnx --checkpoints my-fine-tuned-bert --out my-bundle\n\n"
    "Exit codes: 0 written, 1 something is missing or the bundle loses too much, 2 wrong usage."
)
def onnx(
    int8: Int8 = True,
    checkpoints: Annotated[
        Path, typer.Option(help="Folder that `trainer fit` wrote, or of a fine-tuned text classifier.")
    ] = CHECKPOINTS,
    weights: Annotated[Path, typer.Option(help="Folder that `trainer fetch` wrote.")] = WEIGHTS,
    out: Annotated[
        Path | None, typer.Option(help="The bundle's folder [default: of the recipe, models/en-tiny-int8 or -fp32].")
    ] = None,
    whisper: Whisper = None,
    language: Language = None,
    renamed: Renamed = None,
    untrained_fusion: Annotated[
        bool, typer.Option("--untrained-fusion", help="Without a fusion checkpoint, multiply what both branches say.")
    ] = False,
    full_window: Annotated[
        bool, typer.Option("--full-window", help="Encode 30 s always, as Whisper's authors do; for comparison.")
    ] = False,
    evaluate: Evaluate = None,
    limit: Limit = 500,
    limit_points: LimitPoints = 1.0,
    allow_shortfall: AllowShortfall = False,
    force: Force = False,
) -> None:
    """Export a bundle from checkpoints and pretrained weights, and check that it still is what was trained."""
    if out is None and checkpoints != CHECKPOINTS:
        raise typer.BadParameter("name the bundle's folder with --out; models/en-tiny-* are the recipe's")
    from export import bundle, parts  # noqa: PLC0415 - torch is slow to import
    from export.limits import Limits  # noqa: PLC0415

    precision = "int8" if int8 else "fp32"
    target = out or Path("models") / f"en-tiny-{precision}"
    names = _renamed(renamed)
    bundle.check_target(target, force=force)
    sources = bundle.Sources(weights, checkpoints, whisper or bundle.WHISPER, language, names)
    manifest = bundle.build(
        sources,
        target,
        name=target.name,
        precision=precision,
        stitched=not full_window,
        force=force,
        untrained_fusion=untrained_fusion,
        tried=_tried(evaluate, parts.labels_of(checkpoints, names), limit, names),
        limits=Limits(limit_points, allow_shortfall),
    )
    _report(manifest, target)


@app.command(
    epilog="Examples:\n\n  python -m export swap models/en-tiny-int8 --text my-fine-tuned-bert --map joy=happy "
    "--map anger=angry --map sadness=sad --out my-bundle\n\n"
    "  python -m export swap models/en-tiny-int8 --speech runs/ravdess/checkpoints/speech --out models/paper-int8\n\n"
    "  python -m export swap models/en-tiny-int8 --whisper openai/whisper-base --language de --out de-base-int8"
)
def swap(
    bundle: Annotated[Path, typer.Argument(help="The bundle to start from; it stays as it is.", metavar="BUNDLE")],
    out: Out,
    speech: Annotated[Path | None, typer.Option(help="Another voice branch: a checkpoint.", metavar="FOLDER")] = None,
    text: Annotated[
        Path | None,
        typer.Option(help="Another words branch: a checkpoint, or a fine-tuned text classifier.", metavar="FOLDER"),
    ] = None,
    whisper: Whisper = None,
    language: Language = None,
    renamed: Renamed = None,
    int8: Int8 = True,
    evaluate: Evaluate = None,
    limit: Limit = 500,
    limit_points: LimitPoints = 1.0,
    allow_shortfall: AllowShortfall = False,
    force: Force = False,
) -> None:
    """Replace voice, words or recogniser of a bundle, check what is new, and say whether fusion needs training."""
    from edge_runtime.bundle import Bundle  # noqa: PLC0415
    from export.limits import Limits  # noqa: PLC0415 - torch is slow to import
    from export.swap import Replacement  # noqa: PLC0415
    from export.swap import swap as make  # noqa: PLC0415

    names = _renamed(renamed)
    manifest = make(
        bundle,
        Replacement(speech, text, whisper, language, names),
        out,
        name=out.name,
        precision="int8" if int8 else "fp32",
        force=force,
        tried=_tried(evaluate, Bundle.read(bundle).labels, limit, names),
        limits=Limits(limit_points, allow_shortfall),
    )
    _report(manifest, out)


def _renamed(pairs: list[str] | None) -> dict[str, str]:
    names = {}
    for pair in pairs or ():
        old, equals, new = pair.partition("=")
        if not equals or not old:
            raise typer.BadParameter(f"--map {pair}: write it as theirs=ours, or theirs= to leave it out")
        names[old.strip()] = new.strip()
    return names


def _tried(corpus: Path | None, labels: Sequence[str], limit: int, names: dict[str, str]) -> Samples | None:
    if corpus is None:
        return None
    from export import samples  # noqa: PLC0415 - torch is slow to import

    return samples.of_corpus(corpus, labels, limit=limit, seed=0, renamed=names)


def _report(manifest: dict[str, Any], folder: Path) -> None:
    """Print what was written, and what was lost on the way."""
    from export.report import lines  # noqa: PLC0415 - torch is slow to import

    for line in lines(manifest, folder):
        print(line)


def main() -> None:
    """Run the command; what goes wrong is said in a line, without a traceback."""
    try:
        app()
    except (IEmoNetError, OSError) as error:
        print(f"export: {error}", file=sys.stderr)
        sys.exit(FAILED)
