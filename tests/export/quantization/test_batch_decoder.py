"""A decoder of several utterances gives each what the decoder of one gives it, whoever its neighbours are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from edge_runtime.inference.asr import BIAS, NOT_THERE
from edge_runtime.inference.session import Arrays, Session
from export.graphs import whisper
from export.graphs.torch_export import write
from export.graphs.weights import move_weights, share_weights
from export.quantization.batch_decoder import write_batch_decoder
from export.quantization.config import QuantizationConfig
from export.quantization.quantize import quantize


@pytest.fixture(scope="module", params=["int8", "fp32"])
def graphs(request: pytest.FixtureRequest, tiny_whisper, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The decoder of one utterance, and that of several."""
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    write(whisper.decoder_graph(tiny_whisper), folder / "exact.onnx")
    quantize(folder / "exact.onnx", folder / "one.onnx", QuantizationConfig(request.param))
    write_batch_decoder(folder / "one.onnx", folder / "several.onnx")
    return folder / "one.onnx", folder / "several.onnx"


def call(one: Session, *, new: int, old: int, positions: list[int], seed: int) -> tuple[Arrays, list[Arrays]]:
    """Random inputs of several utterances in a call, and of each alone; memories are of several lengths."""
    random, rows, most = np.random.default_rng(seed), len(positions), max(positions)
    together: Arrays = {"tokens": random.integers(0, 40, (rows, new))}
    for name, (_, shape) in one.inputs.items():
        if name.startswith(("past_", "cross_k", "cross_v")):
            length = old if name.startswith("past_") else most
            # As far apart as utterances are: one scale for all of them would show.
            levels = np.logspace(-1, 1, rows)[:, None, None, None]
            together[name] = (levels * random.normal(0, 1, (rows, shape[1], length, shape[3]))).astype(np.float32)
    together[BIAS] = np.full((rows, 1, 1, most), NOT_THERE, np.float32)
    alone: list[Arrays] = []
    for row, count in enumerate(positions):
        together[BIAS][row, ..., :count] = random.normal(0, 1, count)
        own = {n: v[row : row + 1] for n, v in together.items() if n != BIAS}
        alone.append(
            {n: v[:, :, :count] if n.startswith("cross") else v for n, v in own.items()}
            | {BIAS: together[BIAS][row, 0, 0, :count]}
        )
    return together, alone


@pytest.mark.parametrize(("new", "old"), [(2, 0), (1, 5)])
def test_each_of_several_has_what_it_has_alone(graphs: tuple[Path, Path], new: int, old: int) -> None:
    one, several = map(Session, graphs)
    together, alone = call(one, new=new, old=old, positions=[7, 3, 9, 9], seed=new)
    found = several(**together)
    for row, inputs in enumerate(alone):
        for name, expected in one(**inputs).items():
            np.testing.assert_allclose(found[name][row], expected[0], rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_rows_of_nothing_but_zeros_are_numbers(graphs: tuple[Path, Path]) -> None:
    one, several = map(Session, graphs)
    together, _ = call(one, new=1, old=1, positions=[2, 2], seed=0)
    zeros = {name: value if name == "tokens" else np.zeros_like(value) for name, value in together.items()}
    assert all(np.isfinite(value).all() for value in several(**zeros).values())


def test_both_graphs_read_one_file_of_weights(graphs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    one, several = graphs
    monkeypatch.setattr("export.graphs.weights.SMALLEST_FILE", 0)
    assert move_weights(one, "one.weights")
    share_weights(several, one)
    tensors = {t.name: t for t in onnx.load(several, load_external_data=False).graph.initializer}
    outside = [t for t in tensors.values() if t.external_data]
    assert outside
    assert {e.value for t in outside for e in t.external_data if e.key == "location"} == {"one.weights"}
    together, alone = call(Session(one, weights=one.parent / "one.weights"), new=1, old=2, positions=[4, 5], seed=3)
    found = Session(several, weights=one.parent / "one.weights")(**together)
    expected = Session(one, weights=one.parent / "one.weights")(**alone[0])
    np.testing.assert_allclose(found["logits"][0], expected["logits"][0], rtol=1e-3, atol=1e-3)
