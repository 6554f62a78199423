"""Finds the few layers that must stay exact for a converted graph to lose no more than it may."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from edge_runtime.system.writing import writing
from export.quantization import quantize as conversion
from export.quantization.config import Recipe
from export.quantization.eight_bits import Feed
from export.quantization.error import Judge, Loss
from export.quantization.layers import blocks, lookups, prepare, products
from export.quantization.quantize import Report


@dataclass(frozen=True)
class Within:
    """What ``convert_within`` wrote.

    Attributes:
        report: of the file.
        kept: the layers that had to stay exact: scopes of whole blocks, or single nodes.
        before: what is lost with every layer converted.
        after: what the file loses.
        met: whether that is within the limit.
        tried: how many graphs were made and measured.
    """

    report: Report
    kept: tuple[str, ...]
    before: Loss
    after: Loss
    met: bool
    tried: int


def convert_within(
    source: Path,
    target: Path,
    recipe: Recipe,
    judge: Judge,
    limit: float,
    *,
    feeds: Sequence[Feed] | None = None,
    most: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Within:
    """Write ``source`` as ``target`` by ``recipe``, with as few layers left exact as ``limit`` takes.

    If everything converted loses too much, each of the encoder's blocks, and each layer outside of them, is tried as
    the only exact one. The best are then added one by one until the limit is met, those that turn out to be needless
    dropped, and of each block the products that can be converted after all. One graph is written and measured for each
    step: a dozen blocks and a few hundred inputs take minutes for BERT-base on two cores.

    Args:
        source: an fp32 graph.
        target: where to write. If the limit cannot be met the best that was found is written.
        recipe: the precision; what it excludes stays exact in any case.
        judge: measures a graph; must answer the same each time.
        limit: in the judge's points.
        feeds: for static int8.
        most: layers or blocks that may stay exact; None sets no bound.
        progress: is told what is being tried.

    Raises:
        ExportError: as ``convert`` does.
    """
    prepared = prepare(source)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        search = _Search(source, prepared, Path(folder) / target.name, recipe, judge, feeds, progress)
        before = search.loss(())
        kept: tuple[str, ...] = ()
        if before.points > limit:
            kept = search.grow(limit, most)
            if kept and search.loss(kept).points <= limit:
                kept = search.refine(search.prune(kept, limit), limit)
        after = search.loss(kept)
        report = search.write(kept)
        with writing(target) as file:
            file.write(search.path.read_bytes())
    return Within(report, kept, before, after, after.points <= limit, len(search.known))


class _Search:
    """Graphs of one source that keep different layers exact; each is measured once."""

    def __init__(
        self,
        source: Path,
        prepared: onnx.ModelProto,
        path: Path,
        recipe: Recipe,
        judge: Judge,
        feeds: Sequence[Feed] | None,
        progress: Callable[[str], None],
    ) -> None:
        self.source, self.prepared, self.path, self.recipe = source, prepared, path, recipe
        self.judge, self.feeds, self.progress = judge, feeds, progress
        names = [*products(prepared), *(node.name for node in lookups(prepared))]
        self.blocks = blocks([name for name in names if not recipe.keeps(name)])
        self.known: dict[frozenset[str], Loss] = {}

    def write(self, kept: tuple[str, ...]) -> Report:
        recipe = replace(self.recipe, exclude=(*self.recipe.exclude, *kept))
        return conversion.write(self.source, self.prepared, self.path, recipe, self.feeds)

    def loss(self, kept: tuple[str, ...]) -> Loss:
        key = frozenset(kept)
        if key not in self.known:
            self.progress(f"exact: {', '.join(kept) or 'nothing'}")
            self.write(kept)
            self.known[key] = self.judge(self.path)
        return self.known[key]

    def grow(self, limit: float, most: int | None) -> tuple[str, ...]:
        """Return blocks, those that help most first, that meet the limit together; the best set if none does."""
        ranked = sorted(self.blocks, key=lambda block: self.loss((block,)))
        kept: tuple[str, ...] = ()
        best = kept
        for block in ranked[:most]:
            kept = (*kept, block)
            if self.loss(kept) < self.loss(best):
                best = kept
            if self.loss(kept).points <= limit:
                return kept
        return best

    def prune(self, kept: tuple[str, ...], limit: float) -> tuple[str, ...]:
        """Return ``kept`` without the blocks that the others make needless, weakest first."""
        for block in reversed(kept):
            fewer = tuple(other for other in kept if other != block)
            if len(kept) > 1 and self.loss(fewer).points <= limit:
                kept = fewer
        return kept

    def refine(self, kept: tuple[str, ...], limit: float) -> tuple[str, ...]:
        """Return ``kept`` with blocks replaced by those of their nodes that have to stay exact."""
        for block in kept:
            nodes = self.blocks[block]
            needed = list(nodes)
            for node in nodes:
                fewer = [other for other in needed if other != node]
                rest = tuple(other for other in kept if other != block)
                if fewer and self.loss((*rest, *fewer)).points <= limit:
                    needed = fewer
            if len(needed) < len(nodes):
                kept = (*(other for other in kept if other != block), *needed)
        return kept
