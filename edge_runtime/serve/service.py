"""What the parts of one service share."""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.pipeline import IEmoNet
from edge_runtime.serve.metrics import Metrics
from edge_runtime.serve.settings import Access, Limits
from edge_runtime.serve.work import Work


@dataclass(frozen=True)
class Service:
    """A model, and what is done with it.

    Attributes:
        model: answers, from several threads at once.
        limits: what bounds the work.
        access: who may ask.
        work: the threads.
        metrics: what is counted.
    """

    model: IEmoNet
    limits: Limits
    access: Access
    work: Work
    metrics: Metrics

    @classmethod
    def of(cls, model: IEmoNet, limits: Limits, access: Access) -> Service:
        """Begin, with no work and nothing counted."""
        work = Work(limits)
        return cls(model, limits, access, work, Metrics(work))
