"""Which layers must be excluded from quantization, so that a graph loses no more than it may (mixed precision)."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from edge_runtime.system.writing import writing
from export.quantization.config import QuantizationConfig
from export.quantization.error import ErrorMetric, QuantizationError
from export.quantization.quantizable_layers import blocks, embedding_gathers, matmuls, prepare
from export.quantization.quantize import NamedFeed, quantize_prepared

FP32_SLOTS = ("vad", "fusion")
"""Slots whose whole graph is excluded: a lower precision neither shrinks nor speeds up them by anything that matters.
``FEATURE_SCOPES`` in ``config`` are excluded within every graph."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SearchResult:
    """The result of ``search``.

    Attributes:
        excluded: the layers that stayed in fp32: scopes of whole blocks, or single nodes.
        before: the error with every layer quantized.
        after: the error of the file that was written.
    """

    excluded: tuple[str, ...]
    before: QuantizationError
    after: QuantizationError


def search(
    source: Path,
    target: Path,
    config: QuantizationConfig,
    metric: ErrorMetric,
    limit: float,
    *,
    feeds: Sequence[NamedFeed] | None = None,
) -> SearchResult:
    """Write ``source`` as ``target`` by ``config``, with as few layers excluded as ``limit`` takes.

    If everything quantized loses too much, each of the encoder's blocks, and each layer outside of them, is tried as
    the only one in fp32. The best are then added one by one until the limit is met, those that turn out to be needless
    dropped, and of each block the products that can be quantized after all. One graph is written and measured for each
    step: a dozen blocks and a few hundred inputs take minutes for BERT-base on two cores.

    Args:
        source: an fp32 graph.
        target: where to write. If the limit cannot be met the best that was found is written.
        config: the precision; what it excludes stays in fp32 in any case.
        metric: measures a graph; must answer the same each time.
        limit: in the metric's points.
        feeds: inputs like those that it will get, if the configuration needs some.

    Raises:
        ExportError: as ``quantize`` does.
    """
    prepared = prepare(source)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        trials = _Trials(source, prepared, Path(folder) / target.name, config, metric, feeds)
        before = trials.error(())
        excluded: tuple[str, ...] = ()
        if before.points > limit:
            excluded = trials.grow(limit)
            if excluded and trials.error(excluded).points <= limit:
                excluded = trials.refine(trials.prune(excluded, limit), limit)
        after = trials.error(excluded)
        trials.write(excluded)
        with writing(target) as file:
            file.write(trials.path.read_bytes())
    return SearchResult(excluded, before, after)


class _Trials:
    """Graphs of one source that exclude different layers; each is measured once."""

    def __init__(
        self,
        source: Path,
        prepared: onnx.ModelProto,
        path: Path,
        config: QuantizationConfig,
        metric: ErrorMetric,
        feeds: Sequence[NamedFeed] | None,
    ) -> None:
        self.source, self.prepared, self.path = source, prepared, path
        self.config, self.metric, self.feeds = config, metric, feeds
        names = [*matmuls(prepared), *(node.name for node in embedding_gathers(prepared))]
        self.blocks = blocks([name for name in names if not config.excludes(name)])
        self.known: dict[frozenset[str], QuantizationError] = {}

    def write(self, excluded: tuple[str, ...]) -> None:
        config = replace(self.config, exclude=(*self.config.exclude, *excluded))
        quantize_prepared(self.source, self.prepared, self.path, config, self.feeds)

    def error(self, excluded: tuple[str, ...]) -> QuantizationError:
        key = frozenset(excluded)
        if key not in self.known:
            logger.info("exact: %s", ", ".join(excluded) or "nothing")
            self.write(excluded)
            self.known[key] = self.metric(self.path)
        return self.known[key]

    def grow(self, limit: float) -> tuple[str, ...]:
        """Return blocks, those that help most first, that meet the limit together; the best set if none does."""
        ranked = sorted(self.blocks, key=lambda block: self.error((block,)))
        excluded: tuple[str, ...] = ()
        best = excluded
        for block in ranked:
            excluded = (*excluded, block)
            if self.error(excluded) < self.error(best):
                best = excluded
            if self.error(excluded).points <= limit:
                return excluded
        return best

    def prune(self, excluded: tuple[str, ...], limit: float) -> tuple[str, ...]:
        """Return ``excluded`` without the blocks that the others make needless, weakest first."""
        for block in reversed(excluded):
            fewer = tuple(other for other in excluded if other != block)
            if len(excluded) > 1 and self.error(fewer).points <= limit:
                excluded = fewer
        return excluded

    def refine(self, excluded: tuple[str, ...], limit: float) -> tuple[str, ...]:
        """Return ``excluded`` with blocks replaced by those of their nodes that have to stay in fp32."""
        for block in excluded:
            nodes = self.blocks[block]
            needed = list(nodes)
            for node in nodes:
                fewer = [other for other in needed if other != node]
                rest = tuple(other for other in excluded if other != block)
                if fewer and self.error((*rest, *fewer)).points <= limit:
                    needed = fewer
            if len(needed) < len(nodes):
                excluded = (*(other for other in excluded if other != block), *needed)
        return excluded
