"""Utterances that come one after the other → their words, decoded together, as many at a time as memory allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from edge_runtime.classifier import Heard, UtteranceClassifier
from edge_runtime.inference.asr import Transcript
from edge_runtime.system.parallel import BATCH_MEMORY_MB

Key = TypeVar("Key")
MOST_UTTERANCES = 16
"""At a time. More gain nothing: each has its own keys and values to be read, which takes most of the time by then."""
MOST_WAITING = 64
"""Of so many, those of like length are decoded together, which then end at about the same time."""


class Together:
    """Decodes utterances together. Each transcript is that of its utterance alone; it only comes later.

    For bundles that decode one utterance at a time, each is decoded as it comes. Safe to call from several threads, of
    which each has the memory to itself.
    """

    def __init__(self, classify: UtteranceClassifier, memory_mb: float = BATCH_MEMORY_MB) -> None:
        """Decode by ``classify``.

        Args:
            classify: the classifier of one utterance.
            memory_mb: megabytes (10^6 bytes) that the utterances which wait (half of it at most) and the keys and
                values of those that are decoded have together; one alone may have more. 0 decodes each alone.

        Raises:
            ValueError: it is no size.
        """
        if isinstance(memory_mb, bool | str | None) or not 0 <= memory_mb < float("inf"):
            raise ValueError(f"batch_memory_mb={memory_mb}: give a number of megabytes, or 0 to decode each alone")
        self._classify, self._most_bytes = classify, 1e6 * memory_mb

    def __call__(self, heard: Iterable[tuple[Key, Heard]]) -> Iterator[tuple[Key, Heard, Transcript]]:
        """Yield each utterance with its words, in the order in which they come.

        Args:
            heard: utterances as ``UtteranceClassifier.hear`` gives them, each with what the caller knows it by. They
                are taken as they are needed, up to ``MOST_WAITING`` at a time.

        Raises:
            Exception: whatever keeps the next one from being had, such as an AudioError; those before it come first.
            BundleError: a graph fails.
        """
        waiting: list[tuple[Key, Heard]] = []
        size, source = 0, iter(heard)
        error: Exception | None = None
        while True:
            try:
                key, one = next(source)
            except StopIteration:
                break
            except Exception as reason:
                error = reason
                break
            if one.encoded is None or not self._most_bytes or not self._classify.decodes_together:
                yield from self._decoded(waiting)
                waiting, size = [], 0
                yield key, one, self._classify.recognise(one)
                continue
            waiting.append((key, one))
            size += one.encoded_bytes
            if len(waiting) == MOST_WAITING or 2 * size > self._most_bytes:
                yield from self._decoded(waiting)
                waiting, size = [], 0
        yield from self._decoded(waiting)
        if error is not None:
            raise error

    def _decoded(self, waiting: list[tuple[Key, Heard]]) -> Iterator[tuple[Key, Heard, Transcript]]:
        if not waiting:  # as always where the bundle recognises no words
            return
        several = [one for _, one in waiting]
        left = self._most_bytes - sum(one.encoded_bytes for one in several)
        words = self._classify.recognise_together(several, most=MOST_UTTERANCES, most_bytes=left)
        for (key, one), transcript in zip(waiting, words, strict=True):
            yield key, one, transcript
