"""Size, speed and agreement of every network in every precision, beside torch."""

from __future__ import annotations

import logging
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import nn

from benchmarks.common import results_file
from benchmarks.common.paths import Data, Repeats, Seed, Weights
from benchmarks.common.timing import in_turn, paired
from benchmarks.precision.models import NETWORKS, RANDOM, Feed, MeasuredNetwork, Sources
from edge_runtime.inference.onnx_runtime import ort
from edge_runtime.inference.session import CPU
from export.evaluation.agreement import accuracy
from export.graphs.torch_export import write
from export.quantization.config import QuantizationConfig
from export.quantization.error import GraphError
from export.quantization.outliers import TEXT_CHANNELS
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


def measure(name: str, sources: Sources, *, rounds: int) -> dict[str, Any]:
    """Return a row of the table.

    Each round runs every variant once after the other, so that noise meets them alike; a ratio is the median of the
    ratios of each round.
    """
    network = NETWORKS[name](sources)
    with tempfile.TemporaryDirectory() as folder:
        graphs, failed = _graphs(network, Path(folder))
        found: dict[str, Any] = {
            "weights": network.weights,
            "random_weights": network.weights == RANDOM,
            "judged_on": len(network.judged),
            "rounds": rounds,
            "graphs": {label: {"mb": round(path.stat().st_size / 1e6, 2)} for label, path in graphs.items()},
            "failed": failed,
        }
        metric = GraphError(graphs["fp32"], network.judged, output=network.output)
        for label, path in graphs.items():
            scores = metric.scores(path)
            error = metric.error(scores)
            kept = found["graphs"][label]
            kept["same_label"] = round(1 - error.points / 100, 4)
            kept["mean_share_moved"] = float(f"{error.distance:.2e}")
            if network.truth is not None:
                kept |= {k: round(v, 4) for k, v in accuracy(network.truth, scores.argmax(-1)).items()}
        timed = {label: path for label, path in graphs.items() if label not in UNTIMED}
        found["latency"] = {
            size: {str(threads): _latency(network, timed, feed, threads, rounds) for threads in THREADS}
            for size, feed in network.timed.items()
        }
    return found


def _graphs(network: MeasuredNetwork, folder: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """Return the graph in every precision, and why those that are missing could not be made."""
    exact = folder / "fp32.onnx"
    write(network.graph, exact)
    graphs, failed = {"fp32": exact}, {}
    is_text = network.graph.inputs[0] == "input_ids"
    fused = folder / "fused.onnx"
    if _fuse(exact, fused, network.original):
        graphs["fp32 fused"] = fused
    for label, recipe in RECIPES.items():
        target = folder / f"{len(graphs)}-{recipe.precision}.onnx"
        try:
            config = replace(recipe, exact_channels=TEXT_CHANNELS) if is_text else recipe
            quantize(exact, target, config, network.judged[:CALIBRATION])
            ort.InferenceSession(str(target), providers=[CPU])
        except Exception as error:  # a row says what could not be made; onnxruntime's own classes derive from Exception
            if not isinstance(error, ExportError) and not type(error).__module__.startswith("onnxruntime"):
                raise
            failed[label] = str(error).partition("\n")[0].replace(str(folder), "")
        else:
            graphs[label] = target
    return graphs, failed


def _fuse(source: Path, target: Path, network: nn.Module) -> bool:
    """Write ``source`` with onnxruntime's offline fusions as ``target``; False if ``network`` is no text encoder.

    Attention, layer norms with the sum before them, and GELU with its bias become operations that onnxruntime alone
    knows. Embeddings stay apart, as their tables are to be quantised by row.
    """
    # After the runtime, which turns off onnxruntime's telemetry.
    from onnxruntime.transformers.fusion_options import FusionOptions  # noqa: PLC0415
    from onnxruntime.transformers.optimizer import optimize_model  # noqa: PLC0415

    config = getattr(getattr(network, "encoder", None), "config", None)
    if config is None:
        return False
    logging.getLogger("onnxruntime.transformers").setLevel(logging.ERROR)
    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False
    fused = optimize_model(
        str(source),
        "bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        optimization_options=options,
        opt_level=0,
    )
    fused.save_model_to_file(str(target))
    return True


def _latency(
    network: MeasuredNetwork, graphs: dict[str, Path], feed: Feed, threads: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Return the median of each variant in ms, and how many times faster than torch it is."""
    torch.set_num_threads(threads)
    calls = {TORCH: _torch(network, feed), **{label: _session(path, feed, threads) for label, path in graphs.items()}}
    samples, _ = in_turn(calls, rounds)
    return {
        label: {"ms": round(statistics.median(ms), 2), "times_torch": paired(ms, samples[TORCH])["median"]}
        for label, ms in samples.items()
    }


def _torch(network: MeasuredNetwork, feed: Feed) -> Callable[[], Any]:
    tensors = [torch.from_numpy(feed[name]) for name in network.graph.inputs]

    def run() -> Any:
        with torch.inference_mode():
            return network.original(*tensors)

    return run


def _session(path: Path, feed: Feed, threads: int) -> Callable[[], Any]:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as the runtime does
    session = ort.InferenceSession(str(path), options, providers=[CPU])
    return lambda: session.run(None, feed)


def command(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of: {', '.join(NETWORKS)} [default: all].")] = None,
    data: Data = Path("data"),
    weights: Weights = Path("weights"),
    text: Annotated[
        list[str] | None,
        typer.Option(help="A checkpoint of SemEval, measured on its test.", metavar="NAME=FOLDER"),
    ] = None,
    speech: Annotated[Path | None, typer.Option(help="A checkpoint of speech emotion on encoder states.")] = None,
    is09: Annotated[Path | None, typer.Option(help="A checkpoint of the paper's speech network.")] = None,
    inputs: Annotated[int, typer.Option(help="Tweets and recordings to compare answers on, at the most.")] = 1000,
    rounds: Repeats = 15,
    seed: Seed = 0,
) -> None:
    """MB, latency, agreement: every network and precision."""
    trained = {name: Path(folder) for name, _, folder in (pair.partition("=") for pair in text or ())}
    sources = Sources(weights, data, trained, speech, is09, inputs, seed)
    for name in names or NETWORKS:
        row = measure(name, sources, rounds=rounds)
        rows = {**results_file.read("precision").get("networks", {}), name: row}
        networks = {n: rows[n] for n in NETWORKS if n in rows}
        print(results_file.write("precision", {"networks": networks}, seed=seed), name)
