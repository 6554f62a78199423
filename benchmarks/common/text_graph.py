"""A text branch's graph in fp32, as the export writes it, and what it needs to be quantized as the export does."""

from __future__ import annotations

from pathlib import Path

from export.assemble import add_text
from export.evaluation import data
from export.graphs.bundle_graphs import BundleGraphs
from export.graphs.torch_export import Graph, write
from export.quantization.calibration import named_feeds
from export.quantization.quantize import NamedFeed
from trainer.text.encoding import Texts
from trainer.text.network import TextEmotion

SLOT = "text_emotion"


def write_exact(network: TextEmotion, texts: Texts, path: Path) -> tuple[BundleGraphs, list[NamedFeed]]:
    """Write the graph as ``path``; return the graphs that it is one of, and its inputs of the built-in sentences."""
    graphs, samples = BundleGraphs(), data.built_in()
    add_text(graphs, network, texts.tokenizer, samples)
    graph = graphs.slots[SLOT]
    assert isinstance(graph, Graph)
    write(graph, path)
    return graphs, named_feeds(SLOT, samples.samples, graphs)
