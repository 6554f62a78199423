"""The trained parts of a bundle: three checkpoints that the runtime can run and that belong together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import CheckpointError, ExportError
from export.run_card import is_run
from trainer import checkpoints
from trainer.fusion import fit as fusion_fit
from trainer.fusion.network import FusionEmotion
from trainer.speech import fit as speech_fit
from trainer.speech.network import SpeechEmotion
from trainer.text import fit as text_fit
from trainer.text.network import TextEmotion

PARTS = ("speech", "text", "fusion")
EVIDENCE = 'the runtime needs a fusion that works without words too; train with block = "evidence" under [fusion]'
NOT_RUN = {
    "speech-is09": "the runtime hears through its speech encoder alone; train with --features encoder-states",
    "fusion-feed-forward": EVIDENCE,
    "fusion-attention": EVIDENCE,
}
"""Kinds of checkpoints that ``trainer fit`` writes and the runtime has no slot for, with what to do instead."""


@dataclass(frozen=True)
class Parts:
    """The networks of a bundle, the words' tokenizer, and each checkpoint's config."""

    speech: SpeechEmotion
    text: TextEmotion
    texts: text_fit.Texts
    fusion: FusionEmotion
    configs: dict[str, dict[str, Any]]


def load(folder: Path) -> Parts:
    """Return the checkpoints ``speech``, ``text`` and ``fusion`` in ``folder``.

    Raises:
        CheckpointError: one is missing or damaged.
        ExportError: the runtime cannot run one, or they do not belong together.
    """
    _check_kinds(folder)
    speech, speech_config = speech_fit.restore(folder / "speech")
    text, texts, text_config = text_fit.restore(folder / "text")
    fusion, fusion_config = fusion_fit.restore(folder / "fusion")
    configs = {"speech": speech_config, "text": text_config, "fusion": fusion_config}
    labels = speech_config["labels"]
    for part, config in configs.items():
        if config["labels"] != labels:
            raise ExportError(f"{folder / part}: labels {config['labels']} differ from speech's {labels}")
    for part in ("speech", "text"):
        if fusion_config["branches"][part] != checkpoints.digest(folder / part):
            raise ExportError(
                f"{folder / 'fusion'}: was trained on another {part} checkpoint; take all three of one run, or "
                "of the recipe run `trainer fit --only fusion` again"
            )
    return Parts(speech, text, texts, fusion, configs)


def _check_kinds(folder: Path) -> None:
    """Say what the runtime needs, where restoring a checkpoint would only say that it is missing or another kind."""
    there = {part: _peek(folder / part) for part in PARTS if (folder / part).is_dir()}
    if not there and (folder / "checkpoints").is_dir():
        raise CheckpointError(f"{folder}: no checkpoints here; did you mean {folder / 'checkpoints'}?")
    for part, config in there.items():
        if config.get("kind") in NOT_RUN:
            raise ExportError(f"{folder / part}: of kind {config['kind']!r}; {NOT_RUN[config['kind']]}")
    missing = [part for part in PARTS if part not in there]
    if missing and any(is_run(config.get("metrics", {})) for config in there.values()):
        raise ExportError(
            f"{folder}: a run without {' and '.join(missing)}; the runtime needs voice, words and their fusion, so "
            "train on recordings with transcripts (or with --transcripts asr), and without --only"
        )


def _peek(folder: Path) -> dict[str, Any]:
    """Return a checkpoint's config as far as it can be read; restoring it says what is wrong with it."""
    try:
        config = json.loads((folder / checkpoints.CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}
