"""EmoDB (Burkhardt et al. 2005): ten German actors, ten everyday sentences, acted.

A file name is speaker (2 digits), text (3), emotion letter, version: ``03a01Fa.wav``.
"""

from __future__ import annotations

import re
from pathlib import Path

from edge_runtime.audio.find_recordings import SUFFIXES
from trainer.corpora.files import files_below
from trainer.corpora.utterance import Utterance
from trainer.errors import CorpusError

EMOTIONS = {
    "N": "neutral",
    "F": "happy",
    "T": "sad",
    "W": "angry",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
}
NAME = re.compile(r"(?P<speaker>\d\d)(?P<text>[ab]\d\d)(?P<emotion>[WLEAFTN])(?P<version>[a-z])")


def load(folder: Path) -> list[Utterance]:
    """Return the utterances found below ``folder`` (all seven emotions; German, so without a transcript).

    Raises:
        CorpusError: there is none, a folder cannot be searched, or a file's name does not follow the corpus' scheme.
    """
    found = []
    for path in files_below(folder, SUFFIXES):
        name = NAME.fullmatch(path.stem)
        if name is None:
            raise CorpusError(f"{path}: not an EmoDB file name such as 03a01Fa; move it away")
        found.append(
            Utterance(
                id=path.stem,
                corpus="emodb",
                label=EMOTIONS[name["emotion"]],
                speaker=f"emodb-{name['speaker']}",
                session=f"speaker-{name['speaker']}",
                audio=path,
            )
        )
    if not found:
        raise CorpusError(f"{folder}: no EmoDB recordings; expected wav/03a01Fa.wav and so on")
    return found
