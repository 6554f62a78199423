"""Transcripts that text emotion is trained on: the corpus' own, with simulated errors, or by our own recogniser."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audio.recording import SAMPLE_RATE, Recording
from edge_runtime.bundle.bundle import Bundle, checksums
from edge_runtime.bundle.locate import locate
from edge_runtime.inference.segmenter import utterances as pieces_of
from trainer.console import progress
from trainer.corpora.utterance import Utterance
from trainer.errors import CorpusError
from trainer.text import pronunciation
from trainer.text.recognition_errors import RecognitionErrors

LEARNED_FROM = 10_000
"""So many sentences, spread over all, are enough to learn words and the rate of errors from."""
Kind = Literal["provided", "simulated", "asr"]


def transcripts(
    utterances: Sequence[Utterance],
    kind: Kind,
    *,
    rate: float,
    seed: int,
    weights: Path,
    cache: Path,
    bundle: Path | None = None,
    quiet: bool = False,
) -> list[str]:
    """Return the words of each utterance; "" where nobody speaks.

    Args:
        utterances: of a corpus.
        kind: "provided" with the corpus, those with "simulated" errors, or by the speech recognition ("asr")
            of a bundle.
        rate: word error rate of the simulated ones; the paper's is 0.06.
        seed: of the simulated errors.
        weights: folder that holds ``cmudict``, for simulated ones.
        cache: folder where recognised ones are kept, each as soon as it is there.
        bundle: whose speech recognition; None takes the default one, as the runtime does.
        quiet: no progress bar.

    Raises:
        CorpusError: an utterance lacks what ``kind`` needs, the words or the audio; or the kept file is damaged.
        BundleNotFoundError: there is no such bundle.
        AudioError: a recording cannot be used.
    """
    if kind not in {"provided", "simulated", "asr"}:
        raise ValueError(f"transcripts {kind!r}: use 'provided', 'simulated' or 'asr'")
    if kind == "asr":
        return _recognised(utterances, Bundle.read(locate(bundle)), cache, quiet=quiet)
    missing = [u.id for u in utterances if u.transcript is None]
    if missing:
        raise CorpusError(
            f"{utterances[0].corpus}: {len(missing)} of {len(utterances)} utterances have no transcript, "
            f"{missing[0]} the first; use those of our own recogniser (asr)"
        )
    provided = [u.transcript or "" for u in utterances]
    return provided if kind == "provided" else simulated(provided, rate=rate, seed=seed, weights=weights)


def simulated(sentences: Sequence[str], *, rate: float, seed: int, weights: Path) -> list[str]:
    """Return ``sentences`` with recognition errors at the word error rate ``rate``; see ``RecognitionErrors``.

    Raises:
        WeightsError: ``weights`` holds no pronouncing dictionary.
    """
    dictionary = pronunciation.read(weights / "cmudict")
    sample = sentences[:: -(-len(sentences) // LEARNED_FROM) or 1]
    return RecognitionErrors(sample, rate=rate, seed=seed, dictionary=dictionary).corrupt(sentences)


class Recogniser:
    """The speech recognition of a bundle alone: audio → transcript, the very one that the runtime gives."""

    def __init__(self, bundle: Bundle) -> None:
        """Open the graphs of ``bundle`` that it takes, on one processor thread.

        Raises:
            BundleError: the bundle recognises no words.
        """
        self._encode, self._decode = bundle.open_recogniser()
        self._vad = bundle.open("vad", device="cpu", threads=1)

    def __call__(self, audio: Path | NDArray[np.float32], sample_rate: int | None = None) -> str:
        """Return what is said in ``audio``: a file, or (samples,) at ``sample_rate``; "" where nobody speaks."""
        texts = []
        for piece in pieces_of(Recording(audio, sample_rate).blocks(), self._vad):
            if piece.speech_mask.any():
                _, cross = self._encode(piece.waveform)
                texts.append(self._decode(cross, duration_s=len(piece.waveform) / SAMPLE_RATE))
        return " ".join(text for text in texts if text)


def _recognised(utterances: Sequence[Utterance], bundle: Bundle, cache: Path, *, quiet: bool) -> list[str]:
    files = [u.audio for u in utterances if u.audio is not None]
    if len(files) < len(utterances):
        mute = [u.id for u in utterances if u.audio is None]
        raise CorpusError(
            f"{utterances[0].corpus}: {len(mute)} of {len(utterances)} utterances have no audio to recognise, "
            f"{mute[0]} the first; use the provided transcripts"
        )
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"transcripts-{key_of(bundle)}.jsonl"
    known = read_kept(path, "audio")
    sums = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    if not known.keys() >= set(sums):
        recogniser = Recogniser(bundle)
        with path.open("a", encoding="utf-8") as log:
            for file, digest in zip(progress(files, "recognising", quiet=quiet), sums, strict=True):
                if digest not in known:
                    known[digest] = recogniser(file)
                    log.write(json.dumps({"audio": digest, "text": known[digest]}) + "\n")
                    log.flush()
    return [known[digest] for digest in sums]


def key_of(bundle: Bundle) -> str:
    """Return a name for the speech recognition of a bundle."""
    slots = ["vad", *bundle.recogniser()]
    graphs = "".join(part for slot in slots for part in checksums(bundle.manifest, slot))
    return hashlib.sha256(graphs.encode()).hexdigest()[:16]


def read_kept(path: Path, key: str) -> dict[str, str]:
    """Return the texts that are kept in ``path`` by their ``key``; half a line, of a killed run, is cut off."""
    if not path.is_file():
        return {}
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        os.truncate(path, len(whole))
    try:
        entries = [json.loads(line) for line in whole.splitlines()]
        return {entry[key]: entry["text"] for entry in entries}
    except (ValueError, TypeError, KeyError) as error:
        raise CorpusError(f"{path}: not transcripts that were kept here ({error}); delete it") from error
