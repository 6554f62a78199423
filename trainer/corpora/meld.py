"""MELD (Poria et al. 2019): utterances of a television series, with emotions. Words only."""

from __future__ import annotations

import csv
from pathlib import Path

from edge_runtime.errors import CorpusError
from trainer.corpora.records import Utterance

EMOTIONS = {"neutral": "neutral", "joy": "happy", "sadness": "sad", "anger": "angry"}
FILES = {"train": "train_sent_emo.csv", "dev": "dev_sent_emo.csv", "test": "test_sent_emo.csv"}
COUNTS = {"train": 9989, "dev": 1109, "test": 2610}


def load(folder: Path, split: str) -> list[Utterance]:
    """Return the utterances of one official split; surprise, fear and disgust keep their own names.

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
    return [
        Utterance(
            id=f"{split}-{row['Dialogue_ID']}-{row['Utterance_ID']}",
            corpus="meld",
            label=EMOTIONS.get(row["Emotion"], row["Emotion"]),
            speaker=f"meld-{row['Speaker']}",
            session=f"{split}-{row['Dialogue_ID']}",
            transcript=row["Utterance"],
            split=split,
        )
        for row in rows
    ]
