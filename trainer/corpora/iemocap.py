"""IEMOCAP (Busso et al. 2008): five pairs of actors in scripted and improvised dialogues.

The release's ``Session1`` … ``Session5`` hold labels and times in ``dialog/EmoEvaluation``, words in
``dialog/transcriptions``, and a recording of each utterance in ``sentences/wav``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

from trainer.corpora.utterance import Utterance
from trainer.errors import CorpusError

RELEASE = "IEMOCAP_full_release"
EMOTIONS = {
    "neu": "neutral",
    "hap": "happy",
    "sad": "sad",
    "ang": "angry",
    "exc": "excited",
    "fru": "frustrated",
    "sur": "surprise",
    "fea": "fear",
    "dis": "disgust",
    "oth": "other",
    "xxx": "undecided",
}
BLOCK = re.compile(
    r"\[(?P<start>\d+\.?\d*) - (?P<end>\d+\.?\d*)\]\s+"
    r"(?P<id>Ses0[1-5][FM]_\w+_(?P<speaker>[FM])\d+[a-z]?)\s+(?P<emotion>\w+)\s+\[.*\]"
)
TURN = re.compile(r"(?P<id>Ses\S+)\s*\[[^\]]*\]\s*:(?P<words>.*)")
UNNUMBERED = re.compile(r"XX\d+$")
"""Turns that were transcribed, but neither cut out nor labelled."""


def load(
    folder: Path,
    *,
    merge_excited: bool = False,
    shortest_s: float | None = None,
    longest_s: float | None = None,
) -> list[Utterance]:
    """Return all 10,039 utterances, whatever their emotion; "undecided" where the annotators did not agree.

    Of the four classes there are 4,490, or 5,531 with ``merge_excited``. The paper's shares (section 5.3) are those of
    the 4,490, without the cut from 3 to 15 s of which the paper speaks. An utterance is kept when its recording or its
    words are missing: its path then leads nowhere, its transcript is empty, and a check of the corpus names it. The
    actors' [LAUGHTER] and the like stay in the words.

    Args:
        folder: the release, or the folder that holds it.
        merge_excited: count excited as happy, as much other work does.
        shortest_s: leave out what is shorter, in seconds, by the times in ``EmoEvaluation``.
        longest_s: leave out what is longer, in seconds.

    Raises:
        CorpusError: there is no session, a session has no labels, or a label's line cannot be read.
    """
    emotions = {**EMOTIONS, **({"exc": "happy"} if merge_excited else {})}
    root = release_in(folder)
    if root is None:
        raise CorpusError(f"{folder}: no IEMOCAP release; expected Session1 to Session5 in it or in its {RELEASE}")
    found: dict[str, Utterance] = {}
    for session in sorted(root.glob("Session[1-5]")):
        words = _words(session / "dialog" / "transcriptions")
        evaluations = _text_files(session / "dialog" / "EmoEvaluation")
        if not evaluations:
            raise CorpusError(f"{session}: no labels; expected dialog/EmoEvaluation/*.txt")
        for path in evaluations:
            for number, block in _blocks(path):
                if block["id"] in found:
                    raise CorpusError(f"{path}:{number}: {block['id']} is labelled a second time")
                duration_s = float(block["end"]) - float(block["start"])
                if duration_s < (shortest_s or 0.0) or duration_s > (longest_s or math.inf):
                    continue
                found[block["id"]] = Utterance(
                    id=block["id"],
                    corpus="iemocap",
                    label=emotions[block["emotion"]],
                    # The dialogue's own F or M says who wore the markers; who speaks is in the turn's last part.
                    speaker=f"iemocap-{session.name[-1]}{block['speaker']}",
                    session=session.name,
                    audio=session / "sentences" / "wav" / path.stem / f"{block['id']}.wav",
                    transcript=words.get(block["id"], ""),
                )
    return list(found.values())


def release_in(folder: Path) -> Path | None:
    """Return ``folder``, or the release in it, whichever holds a session of IEMOCAP; None where neither does."""
    for root in (folder, folder / RELEASE):
        if any((session / "dialog" / "EmoEvaluation").is_dir() for session in root.glob("Session[1-5]")):
            return root
    return None


def _blocks(path: Path) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield the line that opens each utterance's block, and its number."""
    empty = True
    for number, line in enumerate(_lines(path), start=1):
        if not line.startswith("["):
            continue  # the head, and what each annotator chose
        block = BLOCK.fullmatch(line)
        if block is None or block["emotion"] not in EMOTIONS:
            raise CorpusError(
                f"{path}:{number}: expected [start - end], an utterance such as Ses01F_impro01_F000, "
                f"one of {'|'.join(EMOTIONS)} and [valence, activation, dominance]; is the file damaged?"
            )
        empty = False
        yield number, block
    if empty:
        raise CorpusError(f"{path}: no labelled utterance in it; is the file damaged?")


def _words(folder: Path) -> dict[str, str]:
    words = {}
    for path in _text_files(folder):
        for line in _lines(path):
            turn = TURN.fullmatch(line)
            if turn and not UNNUMBERED.search(turn["id"]):
                words[turn["id"]] = turn["words"].strip()
    return words


def _text_files(folder: Path) -> list[Path]:
    # macOS leaves a ._ file beside each; each annotator's own files are in sub-folders.
    # Not glob, to which a folder that may not be read is an empty one.
    texts = [path for path in folder.iterdir() if path.suffix == ".txt"] if folder.is_dir() else []
    return [path for path in sorted(texts) if path.is_file() and not path.name.startswith("._")]


def _lines(path: Path) -> list[str]:
    # ASCII but for strays, in an encoding that nobody states: one odd letter must not cost a dialogue.
    return [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").split("\n")]
