"""Size, speed and agreement of every network in every precision, beside torch."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from benchmarks.common import results_file
from benchmarks.precision.fusions import fuse
from benchmarks.precision.models import RANDOM, SUBJECTS, Feed, Place, Subject
from edge_runtime.inference.onnx_runtime import ort
from export.evaluation.agreement import accuracy
from export.graphs.torch_export import write
from export.quantization.config import QuantizationConfig
from export.quantization.error import GraphError
from export.quantization.quantize import quantize
from trainer.errors import ExportError

THREADS = (1, 2)
TORCH = "torch fp32"
RECIPES = {
    "int8, 7 bits": QuantizationConfig("int8", "avx2"),
    "int8, 8 bits": QuantizationConfig("int8", "avx512_vnni"),
    "int8 static": QuantizationConfig("int8", "avx512_vnni", static=True),
    "fp16": QuantizationConfig("fp16"),
}
UNTIMED = ("fp16",)
"""For CUDA; on a CPU it is no faster than fp32, and only its answers are of interest."""
CALIBRATION = 16


def measure(name: str, place: Place, *, rounds: int) -> dict[str, Any]:
    """Return a row of the table.

    Each round runs every variant once after the other, so that noise meets them alike; a ratio is the median of the
    ratios of each round.
    """
    subject = SUBJECTS[name](place)
    with tempfile.TemporaryDirectory() as folder:
        graphs, failed = _graphs(subject, Path(folder))
        found: dict[str, Any] = {
            "weights": subject.weights,
            "random_weights": subject.weights == RANDOM,
            "judged_on": len(subject.judged),
            "rounds": rounds,
            "graphs": {label: {"mb": round(path.stat().st_size / 1e6, 2)} for label, path in graphs.items()},
            "failed": failed,
        }
        metric = GraphError(graphs["fp32"], subject.judged, output=subject.output)
        for label, path in graphs.items():
            scores = metric.scores(path)
            error = metric.error(scores)
            kept = found["graphs"][label]
            kept["same_label"] = round(1 - error.points / 100, 4)
            kept["mean_share_moved"] = float(f"{error.distance:.2e}")
            if subject.truth is not None:
                kept |= {k: round(v, 4) for k, v in accuracy(subject.truth, scores.argmax(-1)).items()}
        timed = {label: path for label, path in graphs.items() if label not in UNTIMED}
        found["latency"] = {
            size: {str(threads): _latency(subject, timed, feed, threads, rounds) for threads in THREADS}
            for size, feed in subject.timed.items()
        }
    return found


def _graphs(subject: Subject, folder: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """Return the graph in every precision, and why those that are missing could not be made."""
    exact = folder / "fp32.onnx"
    write(subject.graph, exact)
    graphs, failed = {"fp32": exact}, {}
    fused = folder / "fused.onnx"
    if fuse(exact, fused, subject.original):
        graphs["fp32 fused"] = fused
    for label, recipe in RECIPES.items():
        target = folder / f"{len(graphs)}-{recipe.precision}.onnx"
        try:
            quantize(exact, target, recipe, subject.judged[:CALIBRATION])
            ort.InferenceSession(str(target), providers=["CPUExecutionProvider"])
        except Exception as error:  # a row says what could not be made; onnxruntime's own classes derive from Exception
            if not isinstance(error, ExportError) and not type(error).__module__.startswith("onnxruntime"):
                raise
            failed[label] = str(error).partition("\n")[0].replace(str(folder), "")
        else:
            graphs[label] = target
    return graphs, failed


def _latency(
    subject: Subject, graphs: dict[str, Path], feed: Feed, threads: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Return the median of each variant in ms, and how many times faster than torch it is."""
    torch.set_num_threads(threads)
    ways: dict[str, Callable[[], Any]] = {TORCH: _torch(subject, feed)}
    ways |= {label: _session(path, feed, threads) for label, path in graphs.items()}
    seconds: dict[str, list[float]] = {label: [] for label in ways}
    for turn in range(rounds + 1):
        for label, way in ways.items():
            begun = time.perf_counter()
            way()
            if turn:  # the first warms up
                seconds[label].append(time.perf_counter() - begun)
    base = np.array(seconds[TORCH])
    return {
        label: {
            "ms": round(1000 * float(np.median(taken)), 2),
            "times_torch": round(float(np.median(base / np.array(taken))), 2),
        }
        for label, taken in seconds.items()
    }


def _torch(subject: Subject, feed: Feed) -> Callable[[], Any]:
    tensors = [torch.from_numpy(feed[name]) for name in subject.graph.inputs]

    def run() -> Any:
        with torch.inference_mode():
            return subject.original(*tensors)

    return run


def _session(path: Path, feed: Feed, threads: int) -> Callable[[], Any]:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as the runtime does
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feed)


def command(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of: {', '.join(SUBJECTS)} [default: all].")] = None,
    data: Annotated[Path, typer.Option(help="Folder that holds ravdess/ and semeval2017-4a/.")] = Path("data"),
    weights: Annotated[Path, typer.Option(help="Folder that `trainer fetch` wrote.")] = Path("weights"),
    text: Annotated[
        list[str] | None,
        typer.Option(help="A checkpoint of SemEval, measured on its test.", metavar="NAME=FOLDER"),
    ] = None,
    speech: Annotated[Path | None, typer.Option(help="A checkpoint of speech emotion on encoder states.")] = None,
    is09: Annotated[Path | None, typer.Option(help="A checkpoint of the paper's speech network.")] = None,
    inputs: Annotated[int, typer.Option(help="Tweets and recordings to compare answers on, at the most.")] = 1000,
    rounds: Annotated[int, typer.Option(help="How often each is timed.")] = 15,
    seed: int = 0,
) -> None:
    """MB, latency and agreement of every network in every precision; rows are added to those measured before."""
    trained = {name: Path(folder) for name, _, folder in (pair.partition("=") for pair in text or ())}
    place = Place(weights, data, trained, speech, is09, inputs, seed)
    path = results_file.RESULTS / "export.json"
    for name in names or SUBJECTS:
        row = measure(name, place, rounds=rounds)
        rows = json.loads(path.read_text(encoding="utf-8"))["networks"] if path.is_file() else {}
        rows[name] = row
        print(results_file.write("export", {"networks": {n: rows[n] for n in SUBJECTS if n in rows}}, seed=seed), name)
