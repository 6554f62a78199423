"""The recipe of the committed bundle: voice of RAVDESS and EmoDB, words of MELD, and made pairs of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainer.fusion import fit as fusion_fit
from trainer.speech import fit as speech_fit
from trainer.text import fit as text_fit

PARTS = ("speech", "text", "fusion")
CORPORA = ("ravdess", "emodb", "meld")


def is_here(folder: Path) -> bool:
    """Whether ``folder`` holds the recipe's corpora, each in a folder of its name."""
    return all((folder / name).is_dir() for name in CORPORA)


def fit(
    data: Path,
    part: str,
    *,
    weights: Path,
    out: Path,
    cache: Path,
    seed: int,
    resume: bool,
    quiet: bool,
) -> dict[str, Any]:
    """Train one of ``PARTS`` into ``out/part``, and return what was measured; fusion needs the others first.

    Args:
        data: folder that holds the corpora.
        part: which.
        weights: folder of pretrained weights.
        out: folder for the checkpoints.
        cache: folder for what is computed once.
        seed: of initial weights, shuffling and changes to the data.
        resume: go on where an interrupted text training stopped; speech and fusion take a minute or two.
        quiet: no progress bars.
    """
    if part == "speech":
        settings = speech_fit.Settings(seed=seed)
        config = speech_fit.fit(data, weights, out / part, settings=settings, cache=cache, quiet=quiet)
    elif part == "text":
        words = text_fit.Settings(seed=seed)
        config = text_fit.fit(data, weights, out / part, settings=words, resume=resume, quiet=quiet)
    else:
        config = fusion_fit.fit(
            data,
            weights,
            out / "speech",
            out / "text",
            out / part,
            settings=fusion_fit.Settings(seed=seed),
            cache=cache,
            quiet=quiet,
        )
    metrics: dict[str, Any] = config["metrics"]
    return metrics
