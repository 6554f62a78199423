"""Recordings, as they are and augmented → pooled encoder states; computed once and kept."""

from __future__ import annotations

import hashlib
import inspect
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import WhisperForConditionalGeneration

from edge_runtime.audio import mix
from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.inference import vad as vad_module
from edge_runtime.inference.session import Session
from edge_runtime.inference.vad import ENCODER_HOP, speech_mask
from edge_runtime.system.writing import writing
from trainer import augment
from trainer.audio import load_audio
from trainer.config import ENCODER
from trainer.console import progress
from trainer.corpora.utterance import Utterance, checksum
from trainer.pretrained import whisper
from trainer.pretrained.download import provenance
from trainer.speech.network import pool

Float = NDArray[np.float32]


@dataclass(frozen=True)
class PooledStates:
    """What the front end makes of recordings, as they are (index 0) and augmented.

    Attributes:
        states: (n, 1 + augmentations, layers, 2 x width), in 16 bits: of thousands of recordings they are gigabytes.
        speech_s: seconds of speech in each (n, 1 + augmentations).
    """

    states: NDArray[np.float16]
    speech_s: Float


FrontEnd = Callable[[Float], tuple[Float, float]]
"""A waveform (samples,) → its states, and the seconds of speech in it."""

DETECTOR = "silero-vad"
"""The voice activity detector's weights."""
BABBLE_SHARE = 0.35
"""Share of the augmented waveforms in which others talk."""
BABBLE_VOICES = 6
"""So many talk at once."""
PART = 250
"""The states of so many recordings are kept at a time: minutes, so that little is lost when a training is stopped."""
PIECE = 28 * SAMPLE_RATE
"""So much is encoded at once: with the second of silence that is added it stays below Whisper's 30 s."""


def pooled_states(
    utterances: Sequence[Utterance],
    weights: Path,
    *,
    encoder: str = ENCODER,
    augmentations: int,
    seed: int,
    cache: Path,
    quiet: bool = False,
) -> PooledStates:
    """Return pooled states of each utterance, as it is and augmented.

    Args:
        utterances: with audio.
        weights: folder that holds ``encoder`` and ``silero-vad``.
        encoder: name of the speech encoder there.
        augmentations: how many (``trainer.augment``) beside the recording as it is, at index 0.
        seed: of the augmentations.
        cache: folder where the result is kept; the next call with the same recordings and code reads it.
        quiet: no progress bar.
    """
    return cached_states(
        utterances,
        lambda: open_front_end(weights, encoder),
        # The first encoder is not named, so that what was kept when there was no other is still read.
        inspect.getsource(whisper) + encoder.removeprefix(ENCODER),
        augmentations=augmentations,
        seed=seed,
        cache=cache,
        quiet=quiet,
    )


def open_front_end(weights: Path, encoder: str = ENCODER) -> FrontEnd:
    """Open the pretrained speech encoder of that name and voice activity detection in the folder ``weights``.

    Raises:
        WeightsError: one is missing, or `trainer fetch` did not finish it.
    """
    for name in (encoder, DETECTOR):
        provenance(weights / name)
    network = whisper.SpeechEncoder(WhisperForConditionalGeneration.from_pretrained(weights / encoder)).eval()
    vad = Session(weights / DETECTOR / "vad.onnx")
    return lambda waveform: pool_recording(waveform, network, vad)


def cached_states(
    utterances: Sequence[Utterance],
    front_end: Callable[[], FrontEnd],
    front_end_key: str,
    *,
    augmentations: int,
    seed: int,
    cache: Path,
    quiet: bool = False,
) -> PooledStates:
    """Return the states of each utterance, as it is and augmented, by any front end; kept in ``cache``.

    Args:
        utterances: with audio.
        front_end: opens one; only called where nothing is kept yet.
        front_end_key: tells one front end from another.
        augmentations: as of ``pooled_states``.
        seed: of the augmentations.
        cache: folder where the result is kept; before that, parts of it, from which an interrupted call goes on.
        quiet: no progress bar.

    Raises:
        ConfigError: libsndfile lacks a codec of the augmentations.
    """
    path = cache / f"pooled-{_key(utterances, augmentations, seed, front_end_key)}.npz"
    if not path.is_file():
        if augmentations:
            augment.check_codecs()
        read, parts = front_end(), path.with_suffix(".parts")
        parts.mkdir(parents=True, exist_ok=True)
        found: list[tuple[Float, float]] = []
        for number in progress(range(len(utterances)), "encoding", quiet=quiet):
            part = parts / f"{number // PART}.npz"
            if part.is_file():
                continue
            found += [read(x) for x in augmented(utterances, number, augmentations, seed)]
            if (number + 1) % PART == 0 or number + 1 == len(utterances):
                _keep(part, _stacked(found, 1 + augmentations))
                found = []
        kept = [_kept(parts / f"{number}.npz") for number in range(-(-len(utterances) // PART))]
        states, speech_s = (np.concatenate([getattr(one, name) for one in kept]) for name in ("states", "speech_s"))
        _keep(path, PooledStates(states, speech_s))
        shutil.rmtree(parts)
    return _kept(path)


def _stacked(found: Sequence[tuple[Float, float]], each: int) -> PooledStates:
    """Return the states of recordings, of which each was read so many times."""
    states = np.stack([one for one, _ in found]).astype(np.float16)
    speech_s = np.array([seconds for _, seconds in found], np.float32)
    return PooledStates(states.reshape(-1, each, *states.shape[1:]), speech_s.reshape(-1, each))


def _keep(path: Path, found: PooledStates) -> None:
    with writing(path) as file:
        np.savez(file, states=found.states, speech_s=found.speech_s)


def _kept(path: Path) -> PooledStates:
    with np.load(path) as stored:
        return PooledStates(stored["states"], stored["speech_s"])


def augmented(utterances: Sequence[Utterance], number: int, augmentations: int, seed: int) -> list[Float]:
    """Return the waveform of an utterance as it is, then so many augmented ones (``trainer.augment``).

    The others who talk in some of them are the speaker's own other recordings: so no voice comes into a fold, or a
    corpus, that it is held out of. Nobody else talks beside a speaker of a single recording.

    Args:
        utterances: with audio.
        number: of the utterance.
        augmentations: how many.
        seed: of the augmentations.
    """
    own = utterances[number]
    assert own.audio is not None
    others = [
        u.audio
        for i, u in enumerate(utterances)
        if i != number and u.audio is not None and (u.corpus, u.speaker) == (own.corpus, own.speaker)
    ]
    clean = load_audio(own.audio)
    waveforms = [clean]
    for augmentation in range(augmentations):
        random = np.random.default_rng([seed, number, augmentation])
        babble = None
        if others and random.random() < BABBLE_SHARE:
            chosen = random.choice(len(others), min(BABBLE_VOICES, len(others)), replace=False)
            babble = augment.babble(len(clean), [load_audio(others[i]) for i in chosen], random)
        waveforms.append(augment.augment(clean, random, babble))
    return waveforms


@torch.no_grad()
def pool_recording(waveform: Float, encoder: whisper.SpeechEncoder, vad: Session) -> tuple[Float, float]:
    """Return the pooled states (layers, 2 x width) of a waveform (samples,), and the seconds of speech in it."""
    spoken = speech_mask(vad, waveform)
    if not spoken.any():
        # The runtime would say "no speech" here. A label is known, so the whole recording is learned from.
        spoken[:] = True
    # The encoder takes 30 s; a longer recording is encoded in pieces, and pooled as one.
    pieces = torch.split(torch.from_numpy(waveform)[None], PIECE, dim=1)
    hidden = torch.cat([encoder(piece)[0] for piece in pieces], dim=2)
    states: Float = pool(hidden, torch.from_numpy(spoken.astype(np.float32))[None])[0].numpy()
    return states, float(spoken.sum()) * ENCODER_HOP / SAMPLE_RATE


def _key(utterances: Sequence[Utterance], augmentations: int, seed: int, front_end_key: str) -> str:
    code = "".join(inspect.getsource(part) for part in (mix, augment, vad_module, augmented, pool))
    order = [u.id for u in utterances]  # which the checksum leaves out
    settings = (augmentations, seed, BABBLE_SHARE, BABBLE_VOICES)
    text = f"{checksum(utterances)} {order} {settings} {code} {front_end_key} float16"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
