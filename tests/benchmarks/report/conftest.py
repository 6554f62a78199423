"""A small made-up result of ``python -m benchmarks unseen``."""

from __future__ import annotations

from typing import Any

import pytest

LABELS = ["neutral", "happy", "sad", "angry"]


def scores(ua: float, without: float | None = None, **more: Any) -> dict[str, Any]:
    found = {
        "n": 80,
        "wa": ua,
        "ua": ua,
        "ua_by_seed": [ua, ua],
        "ua_interval": [ua - 0.05, ua + 0.05],
        "confusion": [[10, 5, 5, 0]] * 4,
        "ece": 0.0625,
        "confidence": 0.7,
        **more,
    }
    return found if without is None else {**found, "ua_without": without}


def mean(corpora: int, ua: float, without: float) -> dict[str, Any]:
    return {"corpora": corpora, "ua": ua, "ua_without": without, "ece": 0.0625, "confidence": 0.7, "least_ua": 0.5}


@pytest.fixture
def unseen() -> dict[str, Any]:
    """What ``benchmarks.unseen.measure`` reports of two corpora, of which one has too little speech of its speakers."""
    emodb = {
        "none": scores(0.7, 0.7),
        "1 s": scores(0.71, 0.7),
        "10 s": scores(0.75, 0.7, ua_interval=None),
        "60 s": scores(0.8, 0.7, ua_interval=None),
        "all angry": scores(0.69, 0.7),
    }
    india = {"none": scores(0.5, 0.5), "1 s": scores(0.48, 0.5)}
    return {
        "date": "today",
        "labels": LABELS,
        "corpora": {
            "emodb": {"n": 80, "speakers": 10, "conditions": emodb},
            "emospeech_in": {"n": 90, "speakers": 20, "conditions": india},
        },
        "mean": {
            "none": mean(2, 0.6, 0.6),
            "1 s": mean(2, 0.595, 0.6),
            "10 s": mean(1, 0.75, 0.7),
            "60 s": mean(1, 0.8, 0.7),
            "all angry": mean(1, 0.69, 0.7),
        },
        "bursts": {"n": 80, "speakers": 30, "conditions": {"none": scores(0.4, 0.4)}},
        "unknown_speakers": {"emodb": scores(0.9)},
        "plain": {
            "librispeech": {"n": 30, "called_emotional": 0.1, "and_sure": 0.02, "confidence": 0.6},
            "aws_calls": {"n": 10, "called_emotional": 0.3, "and_sure": 0.06, "confidence": 0.8},
        },
        "sure": 0.8,
    }
