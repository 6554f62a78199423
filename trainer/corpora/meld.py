"""MELD (Poria et al. 2019): utterances of a television series, with emotions. Words, and clips if they are there."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from trainer.corpora.dialogue import with_context
from trainer.corpora.utterance import Utterance
from trainer.errors import CorpusError

EMOTIONS = {"neutral": "neutral", "joy": "happy", "sadness": "sad", "anger": "angry"}
FILES = {"train": "train_sent_emo.csv", "dev": "dev_sent_emo.csv", "test": "test_sent_emo.csv"}
CLIPS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
SUFFIXES = (".mp4", ".mp3", ".flac", ".wav")
"""Of clips, the preferred one last. A check of the corpus says how to convert the release's own mp4."""
COUNTS = {"train": 9989, "dev": 1109, "test": 2610}


def load(folder: Path, split: str, *, clips: bool = False) -> list[Utterance]:
    """Return the utterances of one official split; surprise, fear and disgust keep their own names.

    Args:
        folder: with the CSV files; clips, if any, in the folders that the raw release puts them in.
        split: "train", "dev" or "test".
        clips: give the clips' paths too where the split's folder of clips is there. The release lacks a few, whose
            paths then lead nowhere.

    Raises:
        CorpusError: the split's file is missing, misses a column, or holds another number of rows.
    """
    path = folder / FILES[split]
    if not path.is_file():
        raise CorpusError(f"{path}: not found; MELD's CSV files belong in {folder}")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{path}: not a CSV file in UTF-8: {error}") from error
    needed = {"Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID"}
    if not rows or not needed <= rows[0].keys():
        raise CorpusError(f"{path}: expected the columns {sorted(needed)}")
    if len(rows) != COUNTS[split]:
        raise CorpusError(f"{path}: {len(rows)} rows where MELD's {split} split has {COUNTS[split]}")
    audio = _clips(folder, split) if clips else None
    return with_context(
        Utterance(
            id=f"{split}-{row['Dialogue_ID']}-{row['Utterance_ID']}",
            corpus="meld",
            label=EMOTIONS.get(row["Emotion"], row["Emotion"]),
            speaker=f"meld-{row['Speaker']}",
            session=f"{split}-{row['Dialogue_ID']}",
            audio=audio(f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}") if audio else None,
            transcript=row["Utterance"],
            split=split,
        )
        for row in rows
    )


def _clips(folder: Path, split: str) -> Callable[[str], Path] | None:
    """Return what gives a clip's path by its name, or None where there are no clips."""
    for place in (folder / CLIPS[split], folder / split / CLIPS[split]):
        if place.is_dir():
            found = sorted((p for p in place.iterdir() if p.suffix in SUFFIXES), key=lambda p: SUFFIXES.index(p.suffix))
            paths = {path.stem: path for path in found}
            usual = found[-1].suffix if found else ".wav"
            return lambda name: paths.get(name, place / f"{name}{usual}")
    return None
