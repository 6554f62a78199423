"""Recordings → pooled encoder states, under several acoustic conditions; computed once and kept."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from transformers import WhisperForConditionalGeneration

from edge_runtime.audio import mix
from edge_runtime.audio.recording import SAMPLE_RATE, Recording
from edge_runtime.inference import vad as vad_module
from edge_runtime.inference.session import Session
from edge_runtime.inference.vad import speech_mask
from edge_runtime.system.writing import writing
from trainer import augment
from trainer.corpora.utterance import Utterance, checksum
from trainer.pretrained import whisper
from trainer.pretrained.download import provenance
from trainer.speech.network import pool

Float = NDArray[np.float32]

CROWDED = 0.35
"""Share of the altered copies in which others talk."""
VOICES = 6
"""So many talk at once."""
PIECE = 28 * SAMPLE_RATE
"""So much is encoded at once: with the second of silence that is added it stays below Whisper's 30 s."""


def read(path: Path) -> Float:
    """Return a recording as the runtime reads it: mono, 16 kHz, float32."""
    return np.concatenate(list(Recording(path).blocks()))


def pooled_states(
    utterances: Sequence[Utterance], weights: Path, *, copies: int, seed: int, cache: Path, quiet: bool = False
) -> Float:
    """Return pooled states of each utterance and of ``copies`` altered ones (n, 1 + copies, layers, 2 x width).

    Args:
        utterances: with audio.
        weights: folder that holds ``whisper-tiny.en`` and ``silero-vad``.
        copies: how many random conditions (``trainer.augment``) beside the recording as it is, at index 0.
        seed: of those conditions.
        cache: folder where the result is kept; the next call with the same recordings and code reads it.
        quiet: no progress bar.
    """

    def front_end() -> Callable[[Float], Float]:
        for name in ("whisper-tiny.en", "silero-vad"):
            provenance(weights / name)  # refuses what `trainer fetch` did not finish
        model = WhisperForConditionalGeneration.from_pretrained(weights / "whisper-tiny.en")
        encoder = whisper.SpeechEncoder(model).eval()
        vad = Session(weights / "silero-vad" / "vad.onnx")
        return lambda waveform: _pooled(waveform, encoder, vad)

    return states_kept(
        utterances, front_end, inspect.getsource(whisper), copies=copies, seed=seed, cache=cache, quiet=quiet
    )


def states_kept(
    utterances: Sequence[Utterance],
    front_end: Callable[[], Callable[[Float], Float]],
    heard_by: str,
    *,
    copies: int,
    seed: int,
    cache: Path,
    quiet: bool = False,
) -> Float:
    """Return what a front end makes of each utterance and its altered copies; computed once, and kept in ``cache``.

    Args:
        utterances: with audio.
        front_end: opens what turns a waveform (samples,) into states; only called where nothing is kept yet.
        heard_by: tells one front end from another.
        copies: as of ``pooled_states``.
        seed: of the copies' conditions.
        cache: folder where the result is kept.
        quiet: no progress bar.
    """
    path = cache / f"pooled-{_key(utterances, copies, seed, heard_by)}.npy"
    if path.is_file():
        stored: Float = np.load(path)
        return stored
    states = front_end()
    rows = []
    for number in track(range(len(utterances)), "encoding", disable=quiet, console=Console(stderr=True)):
        rows.append(np.stack([states(x) for x in conditions(utterances, number, copies, seed)]))
    result = np.stack(rows)
    cache.mkdir(parents=True, exist_ok=True)
    with writing(path) as file:
        np.save(file, result)
    return result


def conditions(utterances: Sequence[Utterance], number: int, copies: int, seed: int) -> list[Float]:
    """Return the waveform of an utterance, and that under ``copies`` random conditions (``trainer.augment``).

    The others who talk in some of them are the speaker's own other recordings: so no voice comes into a fold, or a
    corpus, that it is held out of. A speaker of a single recording is never in a crowd.

    Args:
        utterances: with audio.
        number: of the utterance.
        copies: how many.
        seed: of the conditions.
    """
    own = utterances[number]
    assert own.audio is not None
    speaker = [
        u.audio for i, u in enumerate(utterances) if i != number and (u.corpus, u.speaker) == (own.corpus, own.speaker)
    ]
    others = [path for path in speaker if path]
    clean = read(own.audio)
    heard = [clean]
    for copy in range(copies):
        random = np.random.default_rng([seed, number, copy])
        crowd = None
        if others and random.random() < CROWDED:
            chosen = random.choice(len(others), min(VOICES, len(others)), replace=False)
            crowd = augment.babble(len(clean), [read(others[i]) for i in chosen], random)
        heard.append(augment.random_condition(clean, random, crowd))
    return heard


@torch.no_grad()
def _pooled(waveform: Float, encoder: whisper.SpeechEncoder, vad: Session) -> Float:
    spoken = speech_mask(vad, waveform)
    if not spoken.any():
        # The runtime would say "no speech" here. A label is known, so the whole recording is learned from.
        spoken[:] = True
    # The encoder takes 30 s; what is longer is heard in pieces, and pooled as one.
    pieces = torch.split(torch.from_numpy(waveform)[None], PIECE, dim=1)
    hidden = torch.cat([encoder(piece)[0] for piece in pieces], dim=2)
    result: Float = pool(hidden, torch.from_numpy(spoken.astype(np.float32))[None])[0].numpy()
    return result


def _key(utterances: Sequence[Utterance], copies: int, seed: int, heard_by: str) -> str:
    code = "".join(inspect.getsource(part) for part in (mix, augment, vad_module, conditions, pool))
    order = [u.id for u in utterances]  # which the checksum leaves out
    text = f"{checksum(utterances)} {order} {copies} {seed} {CROWDED} {VOICES} {code} {heard_by}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
