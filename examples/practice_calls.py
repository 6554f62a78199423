"""Writes calls.csv and calls/: made-up calls, to try training before you have recordings of your own.

Six callers say four phrases, calmly or tense: each a piece of jfk.wav, higher or lower for another caller, slower
and softer where it is calm, faster and louder where it is tense. Nothing that is measured on them says anything.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import soundfile
import soxr

PHRASES = {
    "And so, my fellow Americans": (0.2, 2.4),
    "Ask not": (3.2, 4.5),
    "What your country can do for you": (5.2, 7.8),
    "Ask what you can do for your country": (8.0, 10.8),
}
MOODS = {"calm": (0.92, 0.3), "tense": (1.12, 2.0)}
"""How fast, and how loud."""
CALLERS = 6


def main() -> None:
    """Write the calls into the folder that this is run in."""
    speech, rate = soundfile.read(Path(__file__).with_name("jfk.wav"), dtype="float32")
    Path("calls").mkdir(exist_ok=True)
    with Path("calls.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["audio", "transcript", "label", "speaker"])
        for caller in range(CALLERS):
            for mood, (pace, loudness) in MOODS.items():
                for number, (words, (begin, end)) in enumerate(PHRASES.items()):
                    piece = speech[int(begin * rate) : int(end * rate)]
                    factor = pace * 1.3 ** (caller / (CALLERS - 1) - 0.5)
                    made = np.clip(soxr.resample(piece, rate * factor, rate) * loudness, -1, 1)
                    name = f"calls/{caller:02}-{mood}-{number}.wav"
                    soundfile.write(name, made, rate)
                    table.writerow([name, words, mood, f"caller-{caller}"])
    print("calls.csv: 48 made-up calls")


if __name__ == "__main__":
    main()
