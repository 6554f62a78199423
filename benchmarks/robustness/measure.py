"""Accuracy of speech, text and both under corruptions of the sound, on people and sentences that were not trained on.

The committed networks were trained on all recordings at hand, so other networks are measured. For each of six parts of
the speakers of every corpus, a speech network and a fusion are trained as the bundle's are, without the part's speakers
and without its part of MELD's sentences (``benchmarks.robustness.held_out_speakers``). RAVDESS' recordings of those
speakers are corrupted, and go through the bundle's own voice activity, encoder and decoder. No recording is compared
with a baseline. The text is sentences of MELD dev, read aloud by a speech synthesiser, because no corpus at hand has
emotional sentences spoken by people; the bundle's text branch, which was not trained on them, classifies them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from benchmarks.common import results_file
from benchmarks.common.clips import Float, audio_files, synthetic
from benchmarks.common.paths import BUNDLE, Cache, Data, Seed, Weights
from benchmarks.robustness.corruptions import AXES, Corruption, corruptions
from benchmarks.robustness.held_out_speakers import FoldNetworks, FrontEnd, Heard, TextBranch, train
from benchmarks.unseen import voices as voices_
from edge_runtime.bundle.bundle import Bundle
from export.evaluation import agreement
from trainer import config
from trainer.audio import load_audio
from trainer.corpora import registry
from trainer.corpora.protocols import plan
from trainer.corpora.utterance import LABELS, Utterance, label_ids
from trainer.metrics import intervals
from trainer.text.transcripts import recognised
from trainer.text.wer import word_error_rate

BABBLE_RECORDINGS = 40
"""Recordings that babble is made of."""
NOT_FOUND = -1
"""The answer for an utterance in which no speech, or no word, was found: wrong, whatever its label."""
Int = NDArray[np.integer[Any]]


def measure(data: Path, weights: Path, cache: Path, *, voices: int, sentences: int, seed: int,
            wanted: Sequence[str] = tuple(AXES)) -> dict[str, Any]:  # fmt: skip
    """Return WA and UA of speech, text and both, and word error rates, under every corruption.

    Args:
        data: folder that holds the bundle's corpora of speech, and meld/.
        weights: pretrained ones, whose features the networks learn from.
        cache: for what is computed once.
        voices: recordings of RAVDESS, as many of each label.
        sentences: of MELD dev, as many of each label.
        seed: of the choice, of the noise and of the pairs.
        wanted: kinds of corruptions.
    """
    random = np.random.default_rng(seed)
    bundle = Bundle.read(BUNDLE)
    front_end, words = FrontEnd(bundle), TextBranch(bundle)
    known = voices_.load(data, weights, cache)
    everything, meld = known.dataset.utterances, registry.read(data / "meld")
    # The bundle's text branch was not trained on its validation part.
    divided = config.read(config.BUNDLE).corpora["text"]
    apart = plan(meld, "official", validation_percent=divided.validation_percent)[0].validation
    folds, fold_of = train(
        known, [meld[i] for i in apart], words, recognised(known.dataset.utterances, cache, bundle=BUNDLE)
    )
    ravdess = [i for i, u in enumerate(everything) if u.corpus == "ravdess"]
    rows = balanced(ravdess, [everything[i].label for i in ravdess], voices, random)
    dev = [u for u in meld if u.split == "dev"]
    lines = [dev[i] for i in balanced(range(len(dev)), [u.label for u in dev], sentences, random)]
    partner = [int(random.choice(np.flatnonzero(np.array(label_ids(lines)) == label)))
               for label in label_ids([everything[i] for i in rows])]  # fmt: skip
    others = [everything[i] for i in random.choice(ravdess, BABBLE_RECORDINGS, replace=False)]
    scene = Scene([everything[i] for i in rows], [folds[fold_of[i]] for i in rows], lines, partner, front_end, words)
    kinds = [
        Corruption("clean", 0.0, lambda x, _: x),
        *(c for c in corruptions([load_audio(file) for file in audio_files(others)]) if c.kind in wanted),
    ]
    return {
        "voices": f"{len(rows)} recordings of RAVDESS, speakers unknown to the networks of their fold",
        "words": f"{len(lines)} sentences of MELD dev read by a synthesiser",
        "axes": {kind: AXES[kind] for kind in wanted},
        "conditions": [
            {"kind": corruption.kind, "level": corruption.level, **scene.scores(corruption, [seed, number])}
            for number, corruption in enumerate(
                track(kinds, "corruptions", console=Console(stderr=True), transient=True)
            )
        ],
    }


class Scene:
    """People and read sentences, to be classified under one corruption after the other."""

    def __init__(self, people: Sequence[Utterance], folds: Sequence[FoldNetworks], lines: Sequence[Utterance],
                 partner: Sequence[int], front_end: FrontEnd, words: TextBranch) -> None:  # fmt: skip
        """Read the recordings, and have the sentences read.

        Args:
            people: recordings.
            folds: for each, networks that do not know its speaker.
            lines: sentences.
            partner: for each recording, the sentence that it is paired with.
            front_end: voice activity, encoder and decoder.
            words: the text branch.
        """
        self._people, self._folds, self._lines, self._partner = people, folds, lines, partner
        self._front_end, self._words = front_end, words
        self._voices = [load_audio(file) for file in audio_files(people)]
        self._read = synthetic([u.transcript or "" for u in lines])

    @torch.no_grad()
    def scores(self, corruption: Corruption, seed: Sequence[int]) -> dict[str, Any]:
        """Return accuracy and word error rates under the corruption ``corruption``."""
        heard, said = (self._heard(corruption, waveforms, [*seed, side])
                       for side, waveforms in enumerate((self._voices, self._read)))  # fmt: skip
        own = self._words([h.transcript for h in heard])[1]
        logits, embeddings = self._words([h.transcript for h in said])
        truth, read_truth = (np.array(label_ids(part)) for part in (self._people, self._lines))
        readings = [int(row.argmax()) if h.transcript else NOT_FOUND for row, h in zip(logits, said, strict=True)]
        partners = [(embeddings[p], said[p]) for p in self._partner]
        return {
            "voice": accuracy(truth, [_voice(f, h) for f, h in zip(self._folds, heard, strict=True)]),
            "words": accuracy(read_truth, readings),
            "both": accuracy(truth, [
                _both(f, h, *with_words) for f, h, with_words in zip(self._folds, heard, partners, strict=True)
            ]),
            "both_with_its_own_sentence": accuracy(truth, [
                _both(f, h, e, h) for f, h, e in zip(self._folds, heard, own, strict=True)
            ]),
            "no_voice_heard": round(float(np.mean([h.pooled is None for h in heard])), 4),
            "wer_people": _wer(self._people, heard),
            "wer_synthesiser": _wer(self._lines, said),
        }  # fmt: skip

    def _heard(self, corruption: Corruption, waveforms: Sequence[Float], seed: Sequence[int]) -> list[Heard]:
        return [
            self._front_end(corruption.change(x, np.random.default_rng([*seed, i]))) for i, x in enumerate(waveforms)
        ]  # fmt: skip


def _voice(fold: FoldNetworks, heard: Heard) -> int:
    if heard.pooled is None:
        return NOT_FOUND
    return int(fold.voice(heard.pooled)[0].argmax())


def _both(fold: FoldNetworks, heard: Heard, embedding: Float, said: Heard) -> int:
    """Return the answer to a voice that is heard, and the words that are said in a recording, its own or another."""
    if heard.pooled is None and not said.transcript:
        return NOT_FOUND
    voice = torch.zeros(1, fold.fusion.speech.in_features) if heard.pooled is None else fold.voice(heard.pooled)[1]
    present = torch.tensor([[float(heard.pooled is not None), float(bool(said.transcript))]])
    return int(fold.fused(voice, torch.from_numpy(embedding)[None], present, said.evidence).argmax())


def _wer(utterances: Sequence[Utterance], heard: Sequence[Heard]) -> float:
    return round(word_error_rate([u.transcript or "" for u in utterances], [h.transcript for h in heard]), 4)


def accuracy(truth: Int, guess: Sequence[int]) -> dict[str, Any]:
    """Return WA, UA and its 95 % bootstrap interval; a guess of ``NOT_FOUND`` is wrong."""
    answers = np.array(guess)
    # Counted as a class of its own, which nothing is: classes are counted from 0.
    low, high = intervals(truth + 1, answers[None] + 1)["ua"]
    return {
        "n": len(truth),
        **{score: round(value, 4) for score, value in agreement.accuracy(truth.tolist(), answers).items()},
        "ua_interval": [round(low, 4), round(high, 4)],
    }


def balanced(rows: Sequence[int], labels: Sequence[str], count: int, random: np.random.Generator) -> list[int]:
    """Return ``count`` of ``rows``, as many of each of the four labels (all of one that has fewer)."""
    each = count // len(LABELS)
    chosen: list[int] = []
    for label in LABELS:
        mine = [row for row, its in zip(rows, labels, strict=True) if its == label]
        chosen += sorted(int(i) for i in random.choice(mine, min(each, len(mine)), replace=False))
    return chosen


def command(
    data: Data = Path("data"),
    weights: Weights = Path("weights"),
    cache: Cache = Path("cache"),
    voices: Annotated[int, typer.Option(help="Recordings of RAVDESS.")] = 160,
    sentences: Annotated[int, typer.Option(help="Sentences of MELD dev, read by espeak-ng.")] = 120,
    seed: Seed = 0,
) -> None:
    """Accuracy under noise, babble, telephone and codecs."""
    result = measure(data, weights, cache, voices=voices, sentences=sentences, seed=seed)
    print(results_file.write("robustness", result, seed=seed))
