"""``python -m benchmarks``: measure, and write ``benchmarks/results/*.json``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks import accuracy, fuzz, paths, picture, process, quantisation, recognition, record, render, results_page
from export.bundle import Sources, build
from trainer.corpora import ravdess
from trainer.experiment.run import Place

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "jfk.wav"

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

Data = Annotated[Path, typer.Option(help="Folder that holds ravdess/, emodb/ and meld/.")]
Weights = Annotated[Path, typer.Option(help="Folder that `trainer fetch` wrote.")]
Clips = Annotated[int, typer.Option(help="How many recordings.")]
Seed = Annotated[int, typer.Option(help="Of the choice of recordings.")]


@app.command(name="recognition")
def recognition_command(
    data: Data = Path("data"), weights: Weights = Path("weights"), clips: Clips = 120, seed: Seed = 0
) -> None:
    """Word error rate and agreement with torch: full window and stitched, fp32 and int8."""
    print(record.write("recognition", recognition.measure(data, weights, EXAMPLE, clips=clips, seed=seed), seed=seed))


@app.command(name="quantisation")
def quantisation_command(
    data: Data = Path("data"),
    weights: Weights = Path("weights"),
    checkpoints: Annotated[Path, typer.Option(help="Folder that `trainer fit` wrote.")] = Path("checkpoints"),
    clips: Clips = 400,
    seed: Seed = 0,
) -> None:
    """Labels and accuracy of int8 against fp32, branch by branch."""
    with tempfile.TemporaryDirectory() as scratch:
        fp32 = Path(scratch) / "fp32"
        build(Sources(weights, checkpoints), fp32, name="fp32", precision="fp32")
        result = quantisation.measure(data, ROOT / "models" / "en-tiny-int8", fp32, clips=clips, seed=seed)
    print(record.write("quantisation", result, seed=seed))


@app.command(name="process")
def process_command(data: Data = Path("data"), clips: Clips = 100, seed: Seed = 0) -> None:
    """Start-up, memory, speed and installed size of the slim package, in a fresh environment."""
    recordings = [u.audio.resolve() for u in ravdess.load(data / "ravdess") if u.audio]
    chosen = np.random.default_rng(seed).choice(len(recordings), clips, replace=False)
    result = process.measure([recordings[i] for i in sorted(chosen)], EXAMPLE)
    print(record.write("process", result, seed=seed))


@app.command(name="accuracy")
def accuracy_command(
    names: Annotated[list[str], typer.Argument(help=f"Of: {', '.join([*accuracy.EXPERIMENTS, accuracy.SVM])}.")],
    data: Data = Path("data"),
    weights: Weights = Path("weights"),
    runs: Annotated[Path, typer.Option(help="Where the runs are kept; an interrupted one goes on.")] = Path("runs"),
    cache: Annotated[Path, typer.Option(help="Folder for features.")] = Path("cache"),
) -> None:
    """Train and test one experiment after the other; hours on small machines, so each can be interrupted."""
    place = Place(runs, weights, cache, resume=True, quiet=True)
    for name in names:
        found = accuracy.measure(name, data, place)
        print(record.write(f"accuracy-{name}", found, seed=found["experiment"].get("seed", 0)))


@app.command(name="paths")
def paths_command(
    weights: Weights = Path("weights"), cache: Annotated[Path, typer.Option(help="For features.")] = Path("cache"),
    seed: Seed = 0,
) -> None:  # fmt: skip
    """Whether every line of Tables 2 to 4 runs, on synthetic speech by espeak-ng."""
    print(record.write("paths", paths.measure(weights, cache, seed=seed), seed=seed))


@app.command(name="is09")
def is09_command(data: Data = Path("data"), clips: Clips = 120, seed: Seed = 0) -> None:
    """Our IS09 features beside openSMILE's, which is installed by `pip install -e .[oracle]`."""
    from benchmarks import is09  # noqa: PLC0415 - needs openSMILE, which is optional

    print(record.write("is09", is09.measure(data, clips=clips, seed=seed), seed=seed))


@app.command(name="recognition-errors")
def recognition_errors_command(data: Data = Path("data"), weights: Weights = Path("weights"), seed: Seed = 0) -> None:
    """What kinds of errors our recogniser makes, and whether simulated ones hit their rate."""
    from benchmarks import recognition_errors  # noqa: PLC0415 - reads many sentences aloud by espeak-ng

    bundle = ROOT / "models" / "en-tiny-int8"
    result = recognition_errors.measure(data, weights, bundle, seed=seed)
    print(record.write("recognition_errors", result, seed=seed))


@app.command(name="picture")
def picture_command(data: Data = Path("data")) -> None:
    """Draw docs/classify.svg: the example clip, and a RAVDESS sentence said sadly."""
    sad = data / "ravdess" / "Actor_08" / "03-01-04-02-02-01-08.flac"
    target = ROOT / "docs" / "classify.svg"
    picture.draw(ROOT / "models" / "en-tiny-int8", [EXAMPLE, sad], ["jfk.wav", "ravdess-sad.flac"], target)
    print(target)


@app.command(name="render")
def render_command() -> None:
    """Write the figures into README.md, from the results and the bundle's manifest."""
    render.render(record.RESULTS, ROOT / "models" / "en-tiny-int8", ROOT / "README.md")
    results_page.render(record.RESULTS, ROOT / "docs" / "results.md")


app.command(name="fuzz")(fuzz.command)


if __name__ == "__main__":
    app()
