"""A corpus in the shape of IEMOCAP, spoken by espeak-ng, to try the toolchain without the licensed one.

Its figures say nothing about a real corpus. Text and speech each fit the emotion most of the time, never always.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from edge_runtime.audio.recording import SAMPLE_RATE
from trainer.console import progress
from trainer.corpora.iemocap import RELEASE
from trainer.errors import CorpusError
from trainer.folders import replacing
from trainer.toml_file import read_toml

NOTICE = "Synthetic: spoken by espeak-ng in the shape of IEMOCAP; no part of IEMOCAP, and nobody's feelings."
MARKER = "SYNTHETIC.txt"
"""By this file in its folder such a corpus is known, so that no result on it passes for one on IEMOCAP."""
LEAST = 12
"""Fewer utterances in a session could not hold every emotion."""
TEXT_MISLEADS, TEXT_SAYS_NOTHING, SPEECH_MISLEADS = 0.15, 0.2, 0.12
"""How often text or speech are those of another emotion, or the text that of none."""
JITTER = (4, 10, 12)
ACTED = read_toml(Path(__file__).with_name("synthetic.toml"))
"""Which emotions are acted, how often, and what is said in each of them and how; see the comments there."""


@dataclass(frozen=True)
class Turn:
    """One utterance of a dialogue, and the settings of the synthesiser for it."""

    id: str
    emotion: str
    words: str
    variant: str
    pitch: int
    speed: int
    amplitude: int


def iemocap_tree(
    folder: Path,
    *,
    dialogs_per_session: int = 2,
    utterances_per_dialog: int = 12,
    seed: int = 0,
    quiet: bool = True,
) -> int:
    """Make a small tree like IEMOCAP's release, quirks included; return how many utterances it has.

    Five sessions of a female and a male voice; the same seed gives the same words, voices and labels, and with the
    same espeak-ng the same samples. About an eighth of the utterances are of emotions beyond the four classes.

    Args:
        folder: becomes the release; must not exist, or be empty.
        dialogs_per_session: every other one with the markers on the male actor.
        utterances_per_dialog: the two take turns.
        seed: of labels, words and voices.
        quiet: no progress bar.

    Raises:
        CorpusError: the folder holds something, espeak-ng is missing or fails, or a session would be too small.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise CorpusError(f"{folder}: holds something already; give a new folder")
    if dialogs_per_session * utterances_per_dialog < LEAST:
        raise CorpusError(f"a session needs at least {LEAST} utterances, to hold every emotion")
    if shutil.which("espeak-ng") is None:
        raise CorpusError("espeak-ng is not installed; on Debian: apt-get install espeak-ng")
    random = np.random.default_rng(seed)
    dialogs = {
        f"Ses0{session}{'FM'[number % 2]}_impro{number + 1:02}": session
        for session in range(1, 6)
        for number in range(dialogs_per_session)
    }
    turns: dict[str, list[Turn]] = {}
    for session in range(1, 6):
        own = [dialog for dialog, number in dialogs.items() if number == session]
        turns |= _plan(session, own, utterances_per_dialog, random)
    with replacing(folder) as root:
        (root / MARKER).write_text(NOTICE + "\n", encoding="utf-8")
        for dialog in progress(list(turns), "speaking", quiet=quiet):
            session_root = root / f"Session{dialogs[dialog]}"
            wav = session_root / "sentences" / "wav" / dialog
            wav.mkdir(parents=True)
            seconds = [_speak(turn, wav / f"{turn.id}.wav", random) for turn in turns[dialog]]
            _write_labels(session_root / "dialog" / "EmoEvaluation", dialog, turns[dialog], seconds)
            _write_words(session_root / "dialog" / "transcriptions", dialog, turns[dialog], seconds)
    return sum(map(len, turns.values()))


def made_here(folder: Path) -> bool:
    """Whether ``folder``, or the release in it, is such a corpus."""
    return any((root / MARKER).is_file() for root in (folder, folder / RELEASE))


def _plan(session: int, dialogs: Sequence[str], each: int, random: np.random.Generator) -> dict[str, list[Turn]]:
    """Return the turns of each dialogue of one session, which has two voices of its own."""
    total = len(dialogs) * each
    counts = {emotion: max(1, int(share * total)) for emotion, share in ACTED["shares"].items()}
    counts["neu"] += total - sum(counts.values())
    emotions = random.permutation([emotion for emotion, count in counts.items() for _ in range(count)])
    voices: dict[str, tuple[str, list[int]]] = {
        "F": (f"en-us+f{session}", [int(random.integers(48, 58)), int(random.integers(150, 181)), 100]),
        "M": (f"en-us+m{session}", [int(random.integers(30, 40)), int(random.integers(150, 181)), 100]),
    }
    turns: dict[str, list[Turn]] = {dialog: [] for dialog in dialogs}
    for position, emotion in enumerate(emotions):
        dialog, number = dialogs[position // each], position % each
        who = "FM"[number % 2]
        variant, base = voices[who]
        changed = np.array(ACTED["prosody"][_misled(str(emotion), SPEECH_MISLEADS, random)])
        pitch, speed, amplitude = np.rint(np.add(base, changed) + random.normal(0.0, JITTER)).astype(int)
        turns[dialog].append(
            Turn(
                id=f"{dialog}_{who}{number // 2:03}",
                emotion=str(emotion),
                words=_words(str(emotion), random),
                variant=variant,
                pitch=int(np.clip(pitch, 0, 99)),
                speed=int(np.clip(speed, 80, 400)),
                amplitude=int(np.clip(amplitude, 20, 200)),
            )
        )
    return turns


def _misled(emotion: str, how_often: float, random: np.random.Generator) -> str:
    """Return the emotion, or now and then another; "xxx", on which nobody agrees, is always another."""
    others = [other for other in ACTED["clauses"] if other != emotion]
    return str(random.choice(others)) if emotion == "xxx" or random.random() < how_often else emotion


def _words(emotion: str, random: np.random.Generator) -> str:
    said = "neu" if random.random() < TEXT_SAYS_NOTHING else _misled(emotion, TEXT_MISLEADS, random)
    clause = random.choice(ACTED["clauses"][ACTED["words_of"].get(said, said)])
    sentence = f"{random.choice(ACTED['openings'])}{clause}{random.choice(ACTED['closings'])}."
    return sentence[0].upper() + sentence[1:]


def _speak(turn: Turn, path: Path, random: np.random.Generator) -> float:
    """Write a turn as 16 kHz wav with a little noise and say so in it; return its length in seconds."""
    command = ["espeak-ng", "-v", turn.variant, "-p", str(turn.pitch), "-s", str(turn.speed), "-a", str(turn.amplitude)]
    try:
        # The command is ours, the name found on the path; the words come through a pipe.
        subprocess.run(  # noqa: S603
            [*command, "-w", str(path), "--stdin"], input=turn.words.encode(), check=True, capture_output=True
        )
        spoken, rate = soundfile.read(path, dtype="float32")
    except (subprocess.CalledProcessError, soundfile.LibsndfileError) as error:
        said = getattr(error, "stderr", b"").decode(errors="replace").strip()
        raise CorpusError(f"{path}: espeak-ng could not speak it ({said or error})") from error
    samples = soxr.resample(spoken, rate, SAMPLE_RATE)
    samples = samples + random.normal(0.0, 10 ** random.uniform(-3.5, -2.0), len(samples))
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, "PCM_16") as file:
        file.comment = NOTICE
        file.write(np.clip(samples, -1.0, 1.0))
    return len(samples) / SAMPLE_RATE


def _write_labels(folder: Path, dialog: str, turns: Sequence[Turn], seconds: Sequence[float]) -> None:
    (folder / "Categorical").mkdir(parents=True, exist_ok=True)
    lines = [f"% {NOTICE}", "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
    begin = 0.0
    for turn, length in zip(turns, seconds, strict=True):
        rating = ACTED["ratings"].get(turn.emotion, "[3.5000, 3.5000, 3.0000]")
        lines += [
            f"[{begin:.4f} - {begin + length:.4f}]\t{turn.id}\t{turn.emotion}\t{rating}",
            "C-E1:\tOther;\t(synthetic)",
            "A-E1:\tval 3; act 3; dom  3;\t()",
            "",
        ]
        begin += length
    (folder / f"{dialog}.txt").write_text("\n".join(lines), encoding="utf-8")
    # What a reader of the release has to pass over: an annotator's own file, and what macOS leaves.
    (folder / "Categorical" / f"{dialog}_e1_cat.txt").write_text(
        f"{NOTICE}\n{turns[0].id} :Other; ()\n", encoding="utf-8"
    )
    (folder / f"._{dialog}.txt").write_bytes(b"\x00\x05\x16\x07" + NOTICE.encode())


def _write_words(folder: Path, dialog: str, turns: Sequence[Turn], seconds: Sequence[float]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [NOTICE]
    begin = 0.0
    for turn, length in zip(turns, seconds, strict=True):
        lines.append(f"{turn.id} [{begin:08.4f}-{begin + length:08.4f}]: {turn.words}")
        begin += length
    # Words outside turns, and a turn that was neither cut out nor labelled: to be passed over too.
    lines += ["M: [breathing]", f"{dialog}_MXX0 [{begin:08.4f}-{begin + 1:08.4f}]: Mm-hm."]
    (folder / f"{dialog}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
