"""RAVDESS speech (Livingstone and Russo 2018): 24 actors, two fixed sentences, acted.

A file name is modality-channel-emotion-intensity-statement-repetition-actor.
"""

from __future__ import annotations

import re
from pathlib import Path

from edge_runtime.audio.find_recordings import SUFFIXES
from trainer.corpora.files import files_below
from trainer.corpora.utterance import Utterance
from trainer.errors import CorpusError

EMOTIONS = {"01": "neutral", "02": "calm", "03": "happy", "04": "sad", "05": "angry"}
NAME = re.compile(r"\d\d-\d\d-\d\d-\d\d-0[12]-\d\d-\d\d")
STATEMENTS = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}


def load(folder: Path) -> list[Utterance]:
    """Return the clips of neutral, calm, happy, sad and angry found below ``folder``.

    Raises:
        CorpusError: there is none, a folder cannot be searched, or a file's name does not follow the corpus' scheme.
    """
    found = []
    for path in files_below(folder, SUFFIXES):
        code = path.stem.split("-")
        if not NAME.fullmatch(path.stem):
            raise CorpusError(f"{path}: not a RAVDESS file name (seven numbers joined by '-'); move it away")
        if code[0] != "03" or code[1] != "01" or code[2] not in EMOTIONS:
            continue  # video, song, and the emotions that the paper's four classes leave out
        found.append(
            Utterance(
                id=path.stem,
                corpus="ravdess",
                label=EMOTIONS[code[2]],
                speaker=f"ravdess-{code[6]}",
                session=f"actor-{code[6]}",
                audio=path,
                transcript=STATEMENTS[code[4]],
            )
        )
    if not found:
        raise CorpusError(f"{folder}: no RAVDESS speech clips; expected Actor_NN folders with 03-01-*.wav")
    return found
