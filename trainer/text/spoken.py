"""Texts that a synthesiser speaks and our own recogniser writes down: its very habits, where others are a guess."""

from __future__ import annotations

import json
import shutil
import subprocess
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.locate import locate
from trainer.console import progress
from trainer.errors import CorpusError
from trainer.text.transcripts import Recogniser, key_of, read_kept

VOICES = ("en-us+f1", "en-us+f3", "en-us+f4", "en-us+m1", "en-us+m3", "en-us+m5", "en-gb+f2", "en-gb+m2")
SAMPLE_RATE, HEADER = 22_050, 44
"""Of the wave file that espeak-ng writes: samples a second, and bytes before the first sample."""
LEAST_WORDS, MOST_WORDS = 3, 30


def choose(sentences: Sequence[str], count: int, tested: Collection[int] = ()) -> list[int]:
    """Return the rows of ``count`` sentences of usual length that nothing is tested on: always the same ones."""
    usual = [i for i, s in enumerate(sentences) if LEAST_WORDS <= len(s.split()) <= MOST_WORDS and i not in tested]
    return sorted(sorted(usual, key=lambda i: zlib.crc32(sentences[i].encode()))[:count])


def recognised(sentences: Sequence[str], cache: Path, *, bundle: Path | None = None, quiet: bool = False) -> list[str]:
    """Return what the recogniser of a bundle hears of each sentence; "" where it hears nobody speak.

    Args:
        sentences: spoken by espeak-ng, with a voice that depends on the sentence.
        cache: folder where answers are kept, each as soon as it is there.
        bundle: whose speech recognition; None takes the default one, as the runtime does.
        quiet: no progress bar.

    Raises:
        CorpusError: espeak-ng is missing or fails, or the kept file is damaged.
        BundleNotFoundError: there is no such bundle.
    """
    if shutil.which("espeak-ng") is None:
        raise CorpusError("espeak-ng is not installed; on Debian: apt-get install espeak-ng; or spoken_texts = 0")
    found = Bundle.read(locate(bundle))
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"spoken-{key_of(found)}.jsonl"
    known = read_kept(path, "sentence", lambda entry: str(entry["text"]))
    if not known.keys() >= set(sentences):
        recogniser = Recogniser(found)
        with path.open("a", encoding="utf-8") as log:
            for sentence in progress(sentences, "speaking and recognising", quiet=quiet):
                if sentence not in known:
                    known[sentence] = recogniser(_speak(sentence), SAMPLE_RATE)
                    log.write(json.dumps({"sentence": sentence, "text": known[sentence]}) + "\n")
                    log.flush()
    return [known[sentence] for sentence in sentences]


def _speak(sentence: str) -> NDArray[np.float32]:
    voice = VOICES[zlib.crc32(sentence.encode()) % len(VOICES)]
    try:
        # The command is ours, the name found on the path; the words come through a pipe.
        spoken = subprocess.run(  # noqa: S603
            ["espeak-ng", "-v", voice, "--stdin", "--stdout"],  # noqa: S607
            input=sentence.encode(),
            check=True,
            capture_output=True,
        ).stdout[HEADER:]
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise CorpusError(f"espeak-ng could not speak {sentence!r} ({said})") from error
    samples: NDArray[np.float32] = np.frombuffer(spoken[: len(spoken) // 2 * 2], "<i2").astype(np.float32)
    samples /= 32768
    return samples
