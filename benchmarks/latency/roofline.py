"""The roofline: the least time that the graphs' own products could take here, and each slot's share of that."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from onnx import numpy_helper, parser

from benchmarks.common import clips, results_file
from benchmarks.common.paths import BUNDLE, EXAMPLE, Data, Repeats, Seed
from benchmarks.common.timing import processor_ms
from benchmarks.latency.flops import Product, products
from edge_runtime import IEmoNet
from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.slot import Slot
from edge_runtime.inference.onnx_runtime import ort
from edge_runtime.inference.session import CPU, Arrays, Session

SECONDS = (4.0, 15.0)
REPEATS = 15
FAR = (1024, 16_000)
"""A matrix of 64 MB in fp32."""


class RecordingSession(Session):
    """A session that keeps the inputs of every run."""

    def __init__(self, slot: Slot, *, threads: int) -> None:
        """Open the graph of ``slot`` on the CPU."""
        super().__init__(slot.path, weights=slot.weights, device="cpu", threads=threads)
        self.feeds: list[Arrays] = []

    def __call__(self, **inputs: np.ndarray[Any, Any]) -> Arrays:
        """Run the graph, and keep the inputs."""
        self.feeds.append(inputs)
        return super().__call__(**inputs)


@dataclass(frozen=True)
class RecordingBundle(Bundle):
    """A bundle whose graphs keep the inputs of every run.

    Attributes:
        feeds: of each graph that was opened.
    """

    feeds: dict[str, list[Arrays]] = field(default_factory=dict)

    def open(self, slot: str, *, device: str, threads: int, provider_options: Any = None) -> Session:
        """Open the graph of ``slot`` on the CPU."""
        session = RecordingSession(self.slots[slot], threads=threads)
        self.feeds[slot] = session.feeds
        return session


def measure(recordings: Sequence[Path], *, seconds: Sequence[float] = SECONDS, repeats: int = REPEATS, threads: int = 1,
            seed: int) -> dict[str, Any]:  # fmt: skip
    """Return each slot's operations, bytes, processor time and least possible time for an utterance of each length.

    A product's least time is the greater of its operations over the best rate of its kind and of its weights' bytes
    over the rate at which a matrix that no cache holds is read. Everything else (softmax, norms, copies, the
    runtime's own overhead) counts as nothing, so no graph can reach 100 %.
    """
    feeds = {s: feeds_of(clips.cut(recordings, s, 1, seed=seed)[0], threads=threads) for s in seconds}
    costs = {s: {slot: [products(entry.path, f) for f in runs] for slot, (entry, runs) in slots.items()}
             for s, slots in feeds.items()}  # fmt: skip
    everything = [p for slots in costs.values() for runs in slots.values() for one in runs for p in one]
    shapes = {(p.kind, p.rows, p.inner, p.columns): p for p in everything if p.weight_bytes and p.op != "LSTM"}
    rates = _rates(list(shapes.values()), repeats, threads)
    return {
        "threads": threads,
        "rates": rates,
        "utterances": {
            f"{s:g}": {
                slot: _share(
                    Session(entry.path, weights=entry.weights, threads=threads), runs, costs[s][slot], rates, repeats
                )
                for slot, (entry, runs) in slots.items()
            }
            for s, slots in feeds.items()
        },
    }


def feeds_of(waveform: clips.Float, *, threads: int) -> dict[str, tuple[Slot, list[Arrays]]]:
    """Return every slot's graph and the inputs of each of its runs while the runtime classifies ``waveform``.

    Args:
        waveform: (samples,) at 16 kHz, at most one utterance, in which somebody speaks.
        threads: processor threads of each graph.
    """
    bundle = RecordingBundle.read(BUNDLE)
    assert isinstance(bundle, RecordingBundle)
    with IEmoNet(bundle, device="cpu", threads=threads) as model:
        model(waveform, SAMPLE_RATE)
    # The decoder of several utterances has nothing to do for one.
    return {slot: (entry, bundle.feeds[slot]) for slot, entry in bundle.slots.items() if slot in bundle.feeds}


def _share(
    session: Session,
    feeds: Sequence[Arrays],
    costs: Sequence[Sequence[Product]],
    rates: Mapping[str, Any],
    repeats: int,
) -> dict[str, Any]:
    def whole() -> None:
        for feed in feeds:
            session(**feed)

    whole()
    ms = statistics.median(processor_ms(whole) for _ in range(repeats))
    total = [p for one in costs for p in one]
    least = least_ms(total, rates)
    return {
        "calls": len(feeds),
        "int8_mega_operations": _mega(p.operations for p in total if p.kind == "int8"),
        "fp32_mega_operations": _mega(p.operations for p in total if p.kind == "fp32"),
        "weights_mb_read": _mega(p.weight_bytes for p in total),
        "ms": round(ms, 3),
        "least_ms": round(least, 3),
        "share": round(least / ms, 3),
        "gap_ms": round(ms - least, 3),
        "by_op": {
            op: round(least_ms([p for p in total if p.op == op], rates), 3) for op in sorted({p.op for p in total})
        },
    }


def least_ms(costs: Iterable[Product], rates: Mapping[str, Any]) -> float:
    """Return the sum over products of the greater of computing and of reading the weights, in milliseconds.

    Args:
        costs: the products.
        rates: ``int8_gops`` and ``fp32_gops`` (10^9 operations a second), ``read_gb_s`` (10^9 bytes a second).
    """
    total = 0.0
    for p in costs:
        total += max(p.operations / rates[f"{p.kind}_gops"], p.weight_bytes / rates["read_gb_s"]) / 1e6
    return total


def _rates(shapes: Sequence[Product], repeats: int, threads: int) -> dict[str, Any]:
    """Return the best rates that onnxruntime reaches here: of either kind over the models' shapes, and of reading."""
    found: dict[str, Any] = {}
    for kind in ("int8", "fp32"):
        best: tuple[float, list[int]] = (0.0, [])
        for p in (p for p in shapes if p.kind == kind):
            ms = _matmul_ms(kind, p.rows, p.inner, p.columns, repeats, threads)
            rate = 2 * p.rows * p.inner * p.columns / ms / 1e6
            best = max(best, (rate, [p.rows, p.inner, p.columns]))
        found |= {f"{kind}_gops": round(best[0], 1), f"{kind}_best_shape": best[1]}
    inner, columns = FAR
    far_ms = _matmul_ms("fp32", 1, inner, columns, repeats, threads)
    found["read_gb_s"] = round(4 * inner * columns / far_ms / 1e6, 1)
    return found


def _matmul_ms(kind: str, rows: int, inner: int, columns: int, repeats: int, threads: int) -> float:
    """Return the least time of one product in onnxruntime: ``rows`` x ``inner`` times a constant matrix."""
    random = np.random.default_rng(0)
    if kind == "int8":
        left = random.integers(0, 255, (rows, inner)).astype(np.uint8)
        right = random.integers(-100, 100, (inner, columns)).astype(np.int8)
        operator, given, found = "MatMulInteger", "uint8", "int32"
    else:
        left = random.standard_normal((rows, inner)).astype(np.float32)
        right = random.standard_normal((inner, columns)).astype(np.float32)
        operator, given, found = "MatMul", "float", "float"
    model = parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 17]>
        product ({given}[{rows},{inner}] a) => ({found}[{rows},{columns}] y) {{ y = {operator}(a, b) }}"""
    )
    model.graph.initializer.append(numpy_helper.from_array(right, "b"))
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(model.SerializeToString(), options, providers=[CPU])
    session.run(None, {"a": left})
    return min(processor_ms(lambda: session.run(None, {"a": left})) for _ in range(repeats))


def _mega(values: Iterable[int]) -> float:
    return round(sum(values) / 1e6, 2)


def command(
    data: Data = Path("data"),
    repeats: Repeats = REPEATS,
    seed: Seed = 0,
) -> None:
    """Least time that each graph needs here, and its share."""
    recordings, source = clips.english(data, EXAMPLE)
    result = measure(recordings, repeats=repeats, seed=seed)
    print(results_file.write("roofline", {"recordings": source, **result}, seed=seed))
