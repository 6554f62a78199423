"""Accuracy of voice, words and both against what happens to the sound, on people and words that were not trained on.

The committed networks were trained on all recordings at hand, so they are not what is measured. For each of the
trainer's six folds, a voice network and a fusion are trained as ``trainer fit`` does, without the fold's speakers
and without its part of MELD's sentences; the recordings of those speakers are altered, and go through the bundle's
own voice activity, encoder and decoder. Words are MELD dev's, read aloud by a speech synthesiser, for no corpus at
hand has emotional words in voices of people; the words network was not trained on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from tokenizers import Tokenizer
from torch import nn

from benchmarks import record
from benchmarks.clips import Float, read
from benchmarks.conditions import AXES, Condition, conditions
from benchmarks.options import BUNDLE, Cache, Checkpoints, Data, Seed, Weights
from benchmarks.recognition import error_rate
from benchmarks.recognition_errors import VOICES, speak
from edge_runtime.asr import SpeechEncoder, TranscriptDecoder
from edge_runtime.audio import SAMPLE_RATE
from edge_runtime.bundle import Bundle
from edge_runtime.vad import VoiceActivity, spoken_part
from trainer.corpora import meld
from trainer.corpora.records import LABELS, Utterance, label_ids
from trainer.fusion import fit as fusion_fit
from trainer.fusion.network import FusionEmotion
from trainer.fusion.pairs import Side
from trainer.metrics import intervals, unweighted_accuracy, weighted_accuracy
from trainer.protocols import session_fold, speaker_folds
from trainer.speech import fit as speech_fit
from trainer.speech.features import pooled_states
from trainer.speech.network import SpeechEmotion, pool
from trainer.text import fit as text_fit

CROWD = 40
NOBODY = -1
"""What an utterance is called in which no voice, or no word, was heard: wrong, whatever it is."""
Int = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Fold:
    """Networks that know nothing of one fold's speakers."""

    speech: SpeechEmotion
    fusion: FusionEmotion


@dataclass(frozen=True)
class Heard:
    """What the bundle's front end makes of one waveform."""

    pooled: torch.Tensor | None
    transcript: str


class FrontEnd:
    """The bundle's voice activity, speech encoder and transcript decoder, as the runtime runs them."""

    def __init__(self, folder: Path) -> None:
        """Open the graphs of the bundle in ``folder``; none of them was trained on the corpora here."""
        bundle = Bundle.read(folder)
        vad, encoder, decoder = (
            bundle.open(slot, device="cpu", threads=1) for slot in ("vad", "speech_encoder", "transcript_decoder")
        )
        assert bundle.decoding is not None
        tokenizer = Tokenizer.from_file(str(bundle.tokenizers["transcript"]))
        self._vad, self._encode = VoiceActivity(vad), SpeechEncoder(encoder)
        self._decode = TranscriptDecoder(decoder, tokenizer, bundle.decoding)

    def __call__(self, waveform: Float) -> Heard:
        """Hear (samples,) at 16 kHz; nothing is heard where nobody speaks."""
        spoken = spoken_part(self._vad, waveform)
        if not spoken.any():
            return Heard(None, "")
        hidden, cross = self._encode(waveform)
        pooled = pool(torch.from_numpy(hidden), torch.from_numpy(spoken.astype(np.float32))[None])
        return Heard(pooled, self._decode(cross, duration_s=len(waveform) / SAMPLE_RATE))


def measure(data: Path, weights: Path, checkpoints: Path, cache: Path, *, voices: int, sentences: int, seed: int,
            wanted: Sequence[str] = tuple(AXES)) -> dict[str, Any]:  # fmt: skip
    """Return WA and UA of voice, words and both, and word error rates, under every condition.

    Args:
        data: folder that holds ravdess/, emodb/ and meld/.
        weights: pretrained weights.
        checkpoints: what `trainer fit` wrote; its words branch is used, its voice branch only for its settings.
        cache: for pooled states.
        voices: recordings of RAVDESS, as many of each label.
        sentences: of MELD dev, as many of each label.
        seed: of the choice, of the noise and of the pairs.
        wanted: kinds of conditions.
    """
    random = np.random.default_rng(seed)
    network, texts, _ = text_fit.restore(checkpoints / "text")
    everything = speech_fit.load(data)
    folds = _folds(everything, data, weights, checkpoints, cache, network, texts)
    fold_of = np.array(speaker_folds(everything))
    ravdess = [i for i, u in enumerate(everything) if u.corpus == "ravdess" and u.label in LABELS]
    rows = _balanced(ravdess, [everything[i].label for i in ravdess], voices, random)
    people = [everything[i] for i in rows]
    dev = [u for u in meld.load(data / "meld", "dev") if u.label in LABELS]
    lines = [dev[i] for i in _balanced(range(len(dev)), [u.label for u in dev], sentences, random)]
    partner = _partners(label_ids(people), label_ids(lines), random)
    crowd = [everything[i] for i in random.choice(ravdess, CROWD, replace=False)]
    spoken = [speak(u.transcript or "", VOICES[i % len(VOICES)]) for i, u in enumerate(lines)]
    clean = [read(u.audio) for u in people if u.audio]
    talk = [read(u.audio) for u in crowd if u.audio]
    front_end = FrontEnd(BUNDLE)
    ways = [Condition("clean", 0.0, lambda x, _: x)]
    ways += [c for c in conditions(talk) if c.kind in wanted]
    rows_found = []
    for number, way in enumerate(track(ways, "conditions", console=Console(stderr=True), transient=True)):
        heard, words = (
            [front_end(way.change(x, np.random.default_rng([seed, number, side, i]))) for i, x in enumerate(waveforms)]
            for side, waveforms in enumerate((clean, spoken))
        )
        rows_found.append({
            "kind": way.kind,
            "level": way.level,
            **_scores(people, [folds[fold_of[i]] for i in rows], heard, lines, words, partner, network, texts),
        })  # fmt: skip
    return {
        "voices": f"{len(people)} recordings of RAVDESS, six folds, speakers unknown to the networks",
        "words": f"{len(lines)} sentences of MELD dev read by a synthesiser",
        "pairs": "each voice with a read sentence of its label, both under the same condition",
        "axes": {kind: AXES[kind] for kind in wanted},
        "conditions": rows_found,
    }


def _folds(
    everything: Sequence[Utterance], data: Path, weights: Path, checkpoints: Path, cache: Path,
    network: nn.Module, texts: text_fit.Texts,
) -> dict[int, Fold]:  # fmt: skip
    """Train a voice network and a fusion for each fold, as ``trainer.fusion.fit`` measures them."""
    settings, fusion_settings = speech_fit.Settings(), fusion_fit.Settings()
    pooled = pooled_states(everything, weights, copies=settings.copies, seed=settings.seed, cache=cache)
    fold_of = np.array(speaker_folds(everything))
    four = np.array([u.label in LABELS for u in everything])
    recordings = fusion_fit.Voices(everything, pooled)
    held = text_fit.TextCorpus(data / "meld").held
    held_fold = np.array([session_fold(u.session) for u in held])
    held_words = Side(texts.run(network, text_fit.words(held))[1], np.array(label_ids(held)))  # type: ignore[arg-type]
    said = sorted({u.transcript for u in everything if u.transcript})
    own = dict(zip(said, texts.run(network, said)[1], strict=True))  # type: ignore[arg-type]
    found = {}
    for fold in track(np.unique(fold_of), "training", console=Console(stderr=True), transient=True):
        known = recordings.where((fold_of != fold) & four)
        speech = speech_fit.train_network(known.utterances, known.pooled, settings, seed=settings.seed)
        words = Side(held_words.embeddings[held_fold != fold], held_words.labels[held_fold != fold])
        classifier: nn.Linear = network.classifier  # type: ignore[assignment]
        fusion = fusion_fit.train_network(speech, classifier, known, words, own, fusion_settings)
        found[int(fold)] = Fold(speech.eval(), fusion.eval())
    return found


@torch.no_grad()
def _scores(
    people: Sequence[Utterance], folds: Sequence[Fold], heard: Sequence[Heard], lines: Sequence[Utterance],
    words: Sequence[Heard], partner: Sequence[int], network: Any, texts: text_fit.Texts,
) -> dict[str, Any]:  # fmt: skip
    own_embeddings = texts.run(network, [h.transcript for h in heard])[1]
    text_logits, text_embeddings = texts.run(network, [h.transcript for h in words])
    voice, own, both = [], [], []
    for i, (one, fold) in enumerate(zip(heard, folds, strict=True)):
        said = words[partner[i]]
        if one.pooled is None:
            voice.append(NOBODY)
            own.append(NOBODY)
            both.append(int(text_logits[partner[i]].argmax()) if said.transcript else NOBODY)
            continue
        logits, embedding = fold.speech(one.pooled)
        voice.append(int(logits.argmax()))
        own.append(_fused(fold.fusion, embedding, own_embeddings[i], one.transcript))
        both.append(_fused(fold.fusion, embedding, text_embeddings[partner[i]], said.transcript))
    read_labels = [int(row.argmax()) if h.transcript else NOBODY for row, h in zip(text_logits, words, strict=True)]
    truth, read_truth = (np.array(label_ids(part)) for part in (people, lines))
    return {
        "voice": accuracy(truth, np.array(voice)),
        "words": accuracy(read_truth, np.array(read_labels)),
        "both": accuracy(truth, np.array(both)),
        "both_with_its_own_sentence": accuracy(truth, np.array(own)),
        "no_voice_heard": round(float(np.mean([h.pooled is None for h in heard])), 4),
        "wer_people": round(error_rate([u.transcript or "" for u in people], [h.transcript for h in heard]), 4),
        "wer_synthesiser": round(error_rate([u.transcript or "" for u in lines], [h.transcript for h in words]), 4),
    }


def _fused(fusion: FusionEmotion, voice: torch.Tensor, words: Float, transcript: str) -> int:
    present = torch.tensor([[1.0, 1.0 if transcript else 0.0]])
    return int(fusion(voice, torch.from_numpy(words)[None], present)[0].argmax())


def accuracy(truth: Int, guess: Int) -> dict[str, Any]:
    """Return WA, UA and its 95 % bootstrap interval; a guess of ``NOBODY`` is wrong, as a class of its own."""
    shifted, answers = truth + 1, guess + 1
    low, high = intervals(shifted, answers[None])["ua"]
    return {
        "n": len(truth),
        "wa": round(weighted_accuracy(truth, guess), 4),
        "ua": round(unweighted_accuracy(truth, guess), 4),
        "ua_interval": [round(low, 4), round(high, 4)],
    }


def _balanced(rows: Sequence[int], labels: Sequence[str], count: int, random: np.random.Generator) -> list[int]:
    """Return ``count`` of ``rows``, as many of each of the four labels."""
    each = count // len(LABELS)
    chosen: list[int] = []
    for label in LABELS:
        mine = [row for row, its in zip(rows, labels, strict=True) if its == label]
        chosen += sorted(int(i) for i in random.choice(mine, min(each, len(mine)), replace=False))
    return chosen


def _partners(voices: Sequence[int], words: Sequence[int], random: np.random.Generator) -> list[int]:
    return [int(random.choice(np.flatnonzero(np.array(words) == label))) for label in voices]


def clean(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the row of the unaltered sound."""
    row: Mapping[str, Any] = next(r for r in result["conditions"] if r["kind"] == "clean")
    return row


def command(
    data: Data = Path("data"),
    weights: Weights = Path("weights"),
    checkpoints: Checkpoints = Path("checkpoints"),
    cache: Cache = Path("cache"),
    voices: Annotated[int, typer.Option(help="Recordings of RAVDESS.")] = 160,
    sentences: Annotated[int, typer.Option(help="Sentences of MELD dev, read by espeak-ng.")] = 120,
    seed: Seed = 0,
) -> None:
    """Accuracy of voice, words and both under noise, babble, gain, clipping, speed, telephone and codecs."""
    result = measure(data, weights, checkpoints, cache, voices=voices, sentences=sentences, seed=seed)
    print(record.write("robustness", result, seed=seed))
