"""What a bundle said when it was made, kept in its manifest, so that another machine can tell whether it still does."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_runtime.pipeline import IEmoNet
from export.evaluation import data
from export.evaluation.compare import CLEAR, VIEWS, Answers, answers

DECIMALS = 4


def record(model: IEmoNet) -> dict[str, Any]:
    """Return what ``model`` says of the built-in samples: for each view rows and scores, and the transcripts."""
    found = answers(model, data.built_in())
    return {
        **{
            view: {"rows": found.rows[view], "scores": np.round(found.scores[view], DECIMALS).tolist()}
            for view in VIEWS
            if found.rows[view]
        },
        "transcripts": found.transcripts,
    }


def compare(recorded: dict[str, Any], model: IEmoNet) -> dict[str, Any]:
    """Return how ``model`` differs now from what was recorded.

    Returns:
        ``largest_score_difference``; ``labels_changed``, of them ``clear_labels_changed`` (the two best scores were 0.1
        apart); ``answers_lost``, and ``transcripts_changed``.
    """
    now: Answers = answers(model, data.built_in())
    worst, changed, clear, lost = 0.0, 0, 0, 0
    for view in VIEWS:
        was = recorded.get(view, {"rows": [], "scores": []})
        then = dict(zip(was["rows"], was["scores"], strict=True))
        present = dict(zip(now.rows[view], now.scores[view].tolist(), strict=True))
        lost += len(then.keys() ^ present.keys())
        for row in then.keys() & present.keys():
            one, other = np.array(then[row]), np.array(present[row])
            worst = max(worst, float(np.abs(one - other).max()))
            if one.argmax() != other.argmax():
                best = np.sort(one)
                changed += 1
                clear += int(best[-1] - best[-2] >= CLEAR)
    spoken = zip(recorded["transcripts"], now.transcripts, strict=False)
    return {
        "largest_score_difference": round(worst, DECIMALS),
        "labels_changed": changed,
        "clear_labels_changed": clear,
        "answers_lost": lost,
        "transcripts_changed": sum(a != b for a, b in spoken),
    }
