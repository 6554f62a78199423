"""What ``python -m export`` can do (also installed as ``export``, which POSIX shells hide behind a builtin)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_runtime.cli.command import FAILED, report_error
from edge_runtime.cli.interrupts import after_cleaning_up
from edge_runtime.cli.json_output import print_json
from edge_runtime.errors import IEmoNetError
from edge_runtime.formats.printable import visible
from export.__main__ import main
from export.commands.compare import compare
from export.commands.inspect import inspect

if TYPE_CHECKING:
    from export.evaluation.data import Samples
    from export.quantization.config import Recipe

__all__ = ["app", "main"]

CHECKPOINTS = Path("checkpoints")
WEIGHTS = Path("weights")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Int8 = Annotated[bool, typer.Option("--int8", help="Matrix products and embeddings in 8 bits (the default).")]
Fp32 = Annotated[bool, typer.Option("--fp32", help="Everything as it was trained.")]
Fp16 = Annotated[bool, typer.Option("--fp16", help="16 bits, for CUDA.")]
Int4 = Annotated[bool, typer.Option("--int4", help="Weights in 4 bits, activations as trained: smaller, not faster.")]
Target = Annotated[
    str,
    typer.Option(
        "--target",
        help="What int8 is for: avx2 (safe everywhere), avx512_vnni, arm64, or auto: this machine.",
        metavar="NAME",
    ),
]
Calibrate = Annotated[
    Path | None, typer.Option(help="A corpus to calibrate static int8 with, by its train part; without, dynamic int8.")
]
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
    Path | None,
    typer.Option(help="A corpus to measure on what is lost [default: the run's own, or a few sentences]."),
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
    "  python -m export onnx --checkpoints runs/calls/checkpoints --out my-bundle\n\n"
    "  python -m export onnx --checkpoints runs/calls/checkpoints --evaluate other-calls.csv --out my-bundle\n\n"
    "  python -m export onnx --checkpoints my-fine-tuned-bert --out my-bundle\n\n"
    "Exit codes: 0 written, 1 something is missing or the bundle loses too much, 2 wrong usage."
)
def onnx(
    int8: Int8 = False,
    fp32: Fp32 = False,
    fp16: Fp16 = False,
    int4: Int4 = False,
    machine: Target = "avx2",
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
    calibrate: Calibrate = None,
    evaluate: Evaluate = None,
    limit: Limit = 500,
    limit_points: LimitPoints = 1.0,
    allow_shortfall: AllowShortfall = False,
    force: Force = False,
) -> None:
    """Export a bundle from checkpoints and pretrained weights, and check that it still is what was trained."""
    if out is None and checkpoints != CHECKPOINTS:
        raise typer.BadParameter("name the bundle's folder with --out; models/en-tiny-* are the recipe's")
    from export import build, components  # noqa: PLC0415
    from export.evaluation.limits import Limits  # noqa: PLC0415

    recipe = _recipe({"int8": int8, "fp32": fp32, "fp16": fp16, "int4": int4}, machine, calibrate)
    target = out or Path("models") / f"en-tiny-{recipe.precision}"
    names = _renamed(renamed)
    labels = components.labels_of(checkpoints, names)
    build.check_target(target, force=force)
    sources = build.Sources(weights, checkpoints, whisper or build.WHISPER, language, names)
    with after_cleaning_up():
        manifest = build.build(
            sources,
            target,
            name=target.name,
            recipe=recipe,
            stitched=not full_window,
            force=force,
            untrained_fusion=untrained_fusion,
            tried=_samples(evaluate, labels, limit, names) or _of_run(checkpoints, labels, limit),
            limits=Limits(limit_points, allow_shortfall),
            calibrate=_samples(calibrate, labels, limit, names, train=True),
            say=_say,
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
    int8: Int8 = False,
    fp32: Fp32 = False,
    fp16: Fp16 = False,
    int4: Int4 = False,
    machine: Target = "avx2",
    calibrate: Calibrate = None,
    evaluate: Evaluate = None,
    limit: Limit = 500,
    limit_points: LimitPoints = 1.0,
    allow_shortfall: AllowShortfall = False,
    force: Force = False,
) -> None:
    """Replace voice, words or recogniser of a bundle, check what is new, and say whether fusion needs training."""
    from edge_runtime.bundle.bundle import Bundle  # noqa: PLC0415
    from export.evaluation.limits import Limits  # noqa: PLC0415 - torch is slow to import
    from export.swap import Replacement  # noqa: PLC0415
    from export.swap import swap as make  # noqa: PLC0415

    names = _renamed(renamed)
    labels = Bundle.read(bundle).labels
    with after_cleaning_up():
        manifest = make(
            bundle,
            Replacement(speech, text, whisper, language, names),
            out,
            name=out.name,
            recipe=_recipe({"int8": int8, "fp32": fp32, "fp16": fp16, "int4": int4}, machine, calibrate),
            force=force,
            tried=_samples(evaluate, labels, limit, names),
            limits=Limits(limit_points, allow_shortfall),
            calibrate=_samples(calibrate, labels, limit, names, train=True),
            say=_say,
        )
    _report(manifest, out)


@app.command(
    epilog="Examples:\n\n  python -m export verify models/en-tiny-int8\n\n"
    "Exit codes: 0 it is what was exported, 1 it is not, 2 wrong usage."
)
def verify(
    bundle: Annotated[Path, typer.Argument(help="The bundle to check.", metavar="BUNDLE")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a bundle again: every checksum, every graph, and whether it says here what it said when it was made."""
    from export.evaluation.check import check  # noqa: PLC0415 - onnxruntime is slow to import

    found = check(bundle)
    if as_json:
        print_json(found, indent=1)
    else:
        wrong = found.pop("wrong")
        for key, value in found.items():
            print(visible(f"{key.replace('_', ' ')}: {value}"))
        print("\n".join(f"wrong: {visible(text)}" for text in wrong) or "nothing is wrong")
        found["wrong"] = wrong
    if found["wrong"]:
        raise typer.Exit(FAILED)


def _renamed(pairs: list[str] | None) -> dict[str, str]:
    names = {}
    for pair in pairs or ():
        old, equals, new = pair.partition("=")
        if not equals or not old:
            raise typer.BadParameter(f"--map {pair}: write it as theirs=ours, or theirs= to leave it out")
        names[old.strip()] = new.strip()
    return names


def _recipe(asked: dict[str, bool], machine: str, calibrate: Path | None) -> Recipe:
    from export.quantization.config import Recipe, machine_at_hand  # noqa: PLC0415 - onnxruntime is slow to import

    wanted = [name for name, yes in asked.items() if yes] or ["int8"]
    if len(wanted) > 1:
        raise typer.BadParameter(f"{' and '.join(f'--{name}' for name in wanted)}: choose one precision")
    try:
        chosen = machine_at_hand() if machine == "auto" else machine
        return Recipe(wanted[0], chosen, static=calibrate is not None)
    except IEmoNetError as error:
        raise typer.BadParameter(str(error)) from error


def _samples(
    corpus: Path | None, labels: Sequence[str], limit: int, names: dict[str, str], *, train: bool = False
) -> Samples | None:
    if corpus is None:
        return None
    from export.evaluation import data  # noqa: PLC0415 - torch is slow to import

    components = data.LEARNED if train else data.MEASURED
    found = data.of_corpus(corpus, labels, limit=limit, seed=0, renamed=names, parts=components)
    return found if train else data.with_sentences(found)


def _of_run(checkpoints: Path, labels: Sequence[str], limit: int) -> Samples | None:
    """Return recordings that a run was trained on; None of what no run made, or where they are no longer there."""
    from export.evaluation import data  # noqa: PLC0415 - torch is slow to import

    try:
        found = data.of_run(checkpoints.resolve().parent, labels, limit=limit, seed=0)
    except (IEmoNetError, OSError) as error:
        report_error(
            "export",
            f"note: what was trained on cannot be read ({error}); a few built-in sentences are tried instead; "
            "--evaluate names where it is now",
        )
        return None
    return data.with_sentences(found) if found else None


def _say(text: str) -> None:
    """Tell somebody who waits what is being tried; nothing where nobody watches."""
    if sys.stderr.isatty():
        report_error("export", text)


def _report(manifest: dict[str, Any], folder: Path) -> None:
    """Print what was written, and what was lost on the way."""
    from export.report import lines  # noqa: PLC0415 - torch is slow to import

    for line in lines(manifest, folder):
        print(visible(line))


app.command(
    epilog="Examples:\n\n  python -m export inspect models/en-tiny-int8\n\n"
    "  python -m export inspect my-bundle --json\n\nExit code: 0 if it is whole, 1 if something is wrong with it."
)(inspect)
app.command(
    epilog="Examples:\n\n  python -m export compare models/en-tiny-int8 my-bundle\n\n"
    "  python -m export compare A B --audio clip.wav --audio other.flac\n\n"
    "  python -m export compare A B --audio data/ravdess --limit 100 --json\n\n"
    "Exit code: 0 if they were compared, 1 if a bundle or a recording could not be used."
)(compare)
