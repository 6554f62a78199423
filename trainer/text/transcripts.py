"""Transcripts that text emotion is trained on: the corpus' own, with simulated errors, or by our own recogniser."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audio.recording import SAMPLE_RATE, Recording
from edge_runtime.bundle.bundle import Bundle, checksums
from edge_runtime.bundle.locate import locate
from edge_runtime.inference.evidence import NAMES, Evidence
from edge_runtime.inference.segmenter import utterances as pieces_of
from trainer.console import progress
from trainer.corpora.utterance import Utterance
from trainer.errors import CorpusError
from trainer.text import pronunciation
from trainer.text.recognition_errors import RecognitionErrors

Kept = TypeVar("Kept")

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
        return [found.text for found in recognised(utterances, cache, bundle=bundle, quiet=quiet)]
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


@dataclass(frozen=True)
class Recognised:
    """What a recogniser wrote of a recording.

    Attributes:
        text: "" where nobody speaks.
        evidence: how far it can be relied on, the numbers of ``edge_runtime.inference.evidence.NAMES``; of several
            utterances the mean, weighted by how long each speaks, and the lowest of lowest ones. 0 without speech.
    """

    text: str
    evidence: tuple[float, ...]


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
        return self.recognise(audio, sample_rate).text

    def recognise(self, audio: Path | NDArray[np.float32], sample_rate: int | None = None) -> Recognised:
        """Return the same with its evidence."""
        texts, evidence, weights = [], [], []
        for piece in pieces_of(Recording(audio, sample_rate).blocks(), self._vad):
            if piece.speech_mask.any():
                _, cross = self._encode(piece.waveform)
                transcript = self._decode.transcribe(cross, duration_s=len(piece.waveform) / SAMPLE_RATE)
                texts.append(transcript.text)
                evidence.append(astuple(Evidence.of(transcript, piece)))
                weights.append(int(piece.speech_mask.sum()))
        if not texts:
            return Recognised("", (0.0,) * len(NAMES))
        whole = np.average(evidence, axis=0, weights=weights)
        lowest = NAMES.index("lowest_log_probability")
        whole[lowest] = np.min(evidence, axis=0)[lowest]
        return Recognised(" ".join(text for text in texts if text), tuple(whole.tolist()))


def recognised(
    utterances: Sequence[Utterance], cache: Path, *, bundle: Path | None = None, quiet: bool = False
) -> list[Recognised]:
    """Return what the speech recognition of a bundle writes of each utterance; the arguments are of ``transcripts``.

    Raises:
        CorpusError: an utterance has no audio; or the kept file is damaged.
        BundleNotFoundError: there is no such bundle.
        AudioError: a recording cannot be used.
    """
    found = Bundle.read(locate(bundle))
    files = [u.audio for u in utterances if u.audio is not None]
    if len(files) < len(utterances):
        mute = [u.id for u in utterances if u.audio is None]
        raise CorpusError(
            f"{utterances[0].corpus}: {len(mute)} of {len(utterances)} utterances have no audio to recognise, "
            f"{mute[0]} the first; use the provided transcripts"
        )
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"recognised-{key_of(found)}.jsonl"
    known = read_kept(path, "audio", lambda e: Recognised(e["text"], tuple(map(float, e["evidence"]))))
    sums = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    if not known.keys() >= set(sums):
        recogniser = Recogniser(found)
        with path.open("a", encoding="utf-8") as log:
            for file, digest in zip(progress(files, "recognising", quiet=quiet), sums, strict=True):
                if digest not in known:
                    known[digest] = recogniser.recognise(file)
                    log.write(json.dumps({"audio": digest, **asdict(known[digest])}) + "\n")
                    log.flush()
    return [known[digest] for digest in sums]


def key_of(bundle: Bundle) -> str:
    """Return a name for the speech recognition of a bundle."""
    slots = ["vad", *bundle.recogniser()]
    graphs = "".join(part for slot in slots for part in checksums(bundle.manifest, slot))
    return hashlib.sha256(graphs.encode()).hexdigest()[:16]


def read_kept(path: Path, key: str, value: Callable[[Any], Kept]) -> dict[str, Kept]:
    """Return what is kept in ``path`` by its ``key``; the half line that a killed run may have left is cut off."""
    if not path.is_file():
        return {}
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        os.truncate(path, len(whole))
    try:
        entries = [json.loads(line) for line in whole.splitlines()]
        return {entry[key]: value(entry) for entry in entries}
    except (ValueError, TypeError, KeyError) as error:
        raise CorpusError(f"{path}: not transcripts that were kept here ({error}); delete it") from error
