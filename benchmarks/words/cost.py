"""``python -m benchmarks words-cost``: size and time of the words branch in int8, and of its variants."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.common import results_file, text_graph
from benchmarks.common.paths import BUNDLE, Repeats, Seed
from benchmarks.common.timing import in_turn
from benchmarks.words.variants import VARIANTS
from edge_runtime import Bundle
from edge_runtime.bundle.contract import TYPES
from edge_runtime.inference.session import Session
from export.quantization.config import QuantizationConfig
from export.quantization.outliers import TEXT_CHANNELS
from export.quantization.quantize import quantize
from trainer.checkpoints import CONFIG
from trainer.text import checkpoint

TOKENS = 12
ROUNDS = 200
Sized = tuple[Session, int]
"""A graph, and its bytes."""


def of_bundle(folder: Path) -> Sized:
    """Return the words' graph of a bundle, on one thread.

    Raises:
        BundleError: the bundle is damaged.
    """
    bundle = Bundle.read(folder)
    slot = bundle.slots[text_graph.SLOT]
    files = [slot.path, *([slot.weights] if slot.weights is not None else [])]
    return bundle.open(text_graph.SLOT, device="cpu", threads=1), sum(file.stat().st_size for file in files)


def of_checkpoint(folder: Path, scratch: Path) -> Sized:
    """Return the graph of a checkpoint in int8, which ``scratch`` gets."""
    network, texts, _ = checkpoint.restore(folder)
    exact, path = scratch / f"{folder.name}-exact.onnx", scratch / f"{folder.name}.onnx"
    _, feeds = text_graph.write_exact(network, texts, exact)
    quantize(exact, path, QuantizationConfig("int8", exact_channels=TEXT_CHANNELS), feeds)
    return Session(path, threads=1), path.stat().st_size


def measure(graphs: Mapping[str, Sized], *, rounds: int, seed: int) -> dict[str, Any]:
    """Return MB of each graph, and the median processor time of an utterance of ``TOKENS`` tokens, taken in turn.

    Args:
        graphs: by name.
        rounds: calls of each.
        seed: of the tokens.
    """
    ids = np.random.default_rng(seed).integers(1000, 20_000, (1, TOKENS))
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), TYPES: np.zeros_like(ids)}
    calls = {
        name: (lambda session=session: session(**{key: inputs[key] for key in session.inputs}))
        for name, (session, _) in graphs.items()
    }
    _, processor = in_turn(calls, rounds)
    networks = {
        name: {"mb": round(size / 1e6, 1), "ms": round(statistics.median(processor[name]), 2)}
        for name, (_, size) in graphs.items()
    }
    return {"tokens": TOKENS, "threads": 1, "rounds": rounds, "networks": networks}


def command(
    bundle: Annotated[Path, typer.Option(help="Whose words branch is measured.")] = BUNDLE,
    trained: Annotated[
        Path, typer.Option(help="Folder of the variants; those that are there are measured too.")
    ] = Path("runs/words"),
    rounds: Repeats = ROUNDS,
    seed: Seed = 0,
) -> None:
    """MB and ms of the words branch in int8."""
    with tempfile.TemporaryDirectory() as scratch:
        graphs = {"bundle": of_bundle(bundle)}
        for name, variant in VARIANTS.items():
            if not variant.seed and (trained / name / CONFIG).is_file():  # another seed costs the same
                graphs[name] = of_checkpoint(trained / name, Path(scratch))
        result = measure(graphs, rounds=rounds, seed=seed)
    version = Bundle.read(bundle).version
    print(results_file.write("words-cost", {"bundle_version": version, **result}, seed=seed))
