"""Everything that a bundle is written from: a graph for each slot, tokenizers, and facts for the manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from export.graphs.torch_export import Feed, Graph


@dataclass
class BundleGraphs:
    """The graphs of a bundle, before they are written.

    Attributes:
        slots: a graph for each slot; a path is an ONNX file that is copied.
        feeds: for each slot real inputs, on which the written graph is compared with torch.
        tokenizers: by name.
        decoding: the special tokens of the transcript decoder; None without one.
        temperatures: the divisor of each kind of logits, by the manifest's name of it.
        evidence: the numbers that the fusion is told of the words, in order; empty where it takes none.
    """

    slots: dict[str, Graph | Path] = field(default_factory=dict)
    feeds: dict[str, list[Feed]] = field(default_factory=dict)
    tokenizers: dict[str, PreTrainedTokenizerFast] = field(default_factory=dict)
    decoding: dict[str, Any] | None = None
    temperatures: dict[str, float] = field(default_factory=dict)
    evidence: list[str] = field(default_factory=list)
