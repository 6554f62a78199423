"""Train and measure fusion, with both branches frozen."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainer import calibration, checkpoints, targets, training_loop
from trainer.corpora.protocols import session_fold, speaker_folds
from trainer.corpora.utterance import LABELS, Utterance, label_ids
from trainer.fusion.network import FusionEmotion
from trainer.fusion.pairs import SHARES, Side, agreeing_pairs, training_pairs
from trainer.metrics import report
from trainer.speech import fit as speech_fit
from trainer.speech.features import pooled_states
from trainer.speech.network import SpeechEmotion
from trainer.text import fit as text_fit

KIND = "fusion"
BOTH, VOICE_ONLY, WORDS_ONLY = (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)

UNSURE = 0.85
"""Input dropout at which the branch is right about 85 % of its own training recordings."""

Float = NDArray[np.float32]
Int = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Settings:
    """What a user may change about training fusion."""

    pairs: int = 24_000
    draws: int = 4
    smoothing: float = 0.05
    seed: int = 0
    schedule: training_loop.Schedule = training_loop.Schedule(
        epochs=4, batch=64, rate=1e-3, decay=1e-2, save_minutes=None
    )


@dataclass(frozen=True)
class Voices:
    """The recordings that have one of the four labels, and their pooled states (n, copies, layers, 2 x width)."""

    utterances: Sequence[Utterance]
    pooled: Float

    def where(self, mask: NDArray[np.bool_]) -> Voices:
        """Return the recordings where ``mask`` is true."""
        chosen = [u for u, keep in zip(self.utterances, mask, strict=True) if keep]
        return Voices(chosen, self.pooled[mask])

    @property
    def labels(self) -> Int:
        """Index of each label."""
        return np.array(label_ids(self.utterances))

    @property
    def sentences(self) -> list[str | None]:
        """What each says, or None."""
        return [u.transcript for u in self.utterances]


@torch.no_grad()
def unsure_embeddings(network: SpeechEmotion, pooled: Float, draws: int, seed: int) -> Float:
    """Return embeddings (n x copies x draws, width) with the branch's input dropout left on.

    The branch is almost always right about recordings that it was trained on; fusion, trained on its answers
    to them, would learn to follow the voice blindly. Strong dropout makes it err as often as on a stranger's.
    """
    torch.manual_seed(seed)
    rows = torch.from_numpy(pooled).flatten(0, 1).repeat_interleave(draws, 0)
    trained_with, network.input_dropout.p = network.input_dropout.p, UNSURE
    network.input_dropout.train()
    result: Float = network(rows)[1].numpy()
    network.input_dropout.p = trained_with
    network.eval()
    return result


@torch.no_grad()
def sure_embeddings(network: SpeechEmotion, pooled: Float) -> Float:
    """Return embeddings (n, width) of the recordings as they are."""
    result: Float = network(torch.from_numpy(pooled[:, 0]))[1].numpy()
    return result


def train_network(
    branch: SpeechEmotion,
    words_classifier: nn.Linear,
    voices: Voices,
    words: Side,
    own: dict[str, Float],
    settings: Settings,
) -> FusionEmotion:
    """Return fusion trained on pairs of ``voices`` (through the frozen ``branch``) and ``words``.

    Args:
        branch: trained speech emotion.
        words_classifier: the last layer of trained text emotion.
        voices: what to pair.
        words: embeddings of sentences that text emotion was not trained on.
        own: the embedding of each sentence that the recordings say.
        settings: see ``Settings``.
    """
    torch.manual_seed(settings.seed)
    each = voices.pooled.shape[1] * settings.draws
    drawn = unsure_embeddings(branch, voices.pooled, settings.draws, settings.seed)
    nothing = np.full(words.embeddings.shape[1], np.nan, np.float32)
    own_words = np.stack([own.get(s or "", nothing) for s in voices.sentences]).repeat(each, 0)
    side = Side(drawn, voices.labels.repeat(each))
    pairs = training_pairs(side, words, own_words, settings.pairs, seed=settings.seed)
    network = FusionEmotion(len(LABELS), speech=drawn.shape[1], text=words.embeddings.shape[1])
    network.adopt(branch.classifier, words_classifier)
    target = targets.one_hot(pairs.labels, len(LABELS), smoothing=settings.smoothing)
    examples = [
        {"speech_embedding": s, "text_embedding": t, "present": p, training_loop.TARGET: y}
        for s, t, p, y in zip(pairs.speech, pairs.text, pairs.present, target, strict=True)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        training_loop.train(network, examples, settings.schedule, out=Path(scratch), seed=settings.seed, quiet=True)
    return network


@torch.no_grad()
def logits(network: FusionEmotion, speech: Float, text: Float, present: tuple[float, float]) -> Float:
    """Return logits (n, labels) of pairs that have the same branches present."""
    flags = torch.tensor([present]).expand(len(speech), -1)
    result: Float = network(torch.from_numpy(speech), torch.from_numpy(text), flags)[0].numpy()
    return result


@dataclass(frozen=True)
class Words:
    """Sentences through frozen text emotion: embeddings and labels, its logits, folds, and its last layer."""

    side: Side
    logits: Float
    folds: Int
    classifier: nn.Linear

    def where(self, mask: NDArray[np.bool_]) -> Words:
        """Return the sentences where ``mask`` is true."""
        return Words(
            Side(self.side.embeddings[mask], self.side.labels[mask]),
            self.logits[mask],
            self.folds[mask],
            self.classifier,
        )


@dataclass(frozen=True)
class Strangers:
    """What a fold's networks say about voices and words that none of them knew."""

    voices: Int
    speech: Float
    fused_alone: Float
    own_sentence: Float
    agreeing: Float
    partner: Int
    calibration: Float
    held: Int
    held_alone: Float
    dev_alone: Float


def measure(
    everything: Voices, held: Words, dev: Words, own: dict[str, Float], settings: Settings,
    speech_settings: speech_fit.Settings,
) -> dict[str, Any]:  # fmt: skip
    """Measure fusion on speakers that neither it nor its speech branch knew, and on MELD dev words.

    For each fold the speech branch is trained without the fold's speakers, fusion without them and without
    the fold's part of MELD's held-out sentences. Temperatures are fitted on those; MELD dev only measures.

    Args:
        everything: all recordings that speech emotion is trained on.
        held: MELD's held-out sentences, which fusion is trained on.
        dev: MELD's dev sentences.
        own: the embedding of each sentence that the recordings say.
        settings: of fusion.
        speech_settings: of the speech branch, which is trained anew for each fold.
    """
    folds = np.array(speaker_folds(everything.utterances))
    four = np.array([u.label in LABELS for u in everything.utterances])
    parts = [
        _strangers(everything, four, folds, fold, held, dev, own, settings, speech_settings)
        for fold in np.unique(folds)
    ]
    rows = np.concatenate([p.voices for p in parts])
    voices = Voices([everything.utterances[i] for i in rows], everything.pooled[rows])
    truth, fold = voices.labels, folds[rows]
    ravdess = np.array([u.corpus == "ravdess" for u in voices.utterances])
    found = {
        name: np.concatenate([getattr(p, name) for p in parts])
        for name in (
            "speech",
            "fused_alone",
            "own_sentence",
            "agreeing",
            "calibration",
            "partner",
            "held",
            "held_alone",
        )
    }
    dev_alone = np.concatenate([p.dev_alone for p in parts])
    dev_truth = np.tile(dev.side.labels, len(parts))

    temperatures = {
        "fusion": calibration.temperature(
            np.concatenate([truth, truth[ravdess]]),
            np.concatenate([found["calibration"], found["own_sentence"][ravdess]]).astype(np.float64),
        ),
        "fusion_text_only": calibration.temperature(
            held.side.labels[found["held"]], found["held_alone"].astype(np.float64)
        ),
    }
    return {
        "ravdess_with_its_own_sentences": {
            "speech": report(truth[ravdess], found["speech"][ravdess], LABELS),
            "fused": report(truth[ravdess], found["own_sentence"][ravdess], LABELS),
            "fused_without_words": report(truth[ravdess], found["fused_alone"][ravdess], LABELS),
        },
        "agreeing_pairs_of_unknown_speakers_and_dev_words": {
            "speech": report(truth, found["speech"], LABELS),
            "text": report(truth, dev.logits[found["partner"]], LABELS),
            "fused": report(truth, found["agreeing"], LABELS),
        },
        "dev_words_alone": {
            "text": report(dev.side.labels, dev.logits, LABELS),
            "fused": report(dev_truth, dev_alone, LABELS),
        },
        "calibration": {
            "fusion": _calibrated(temperatures["fusion"], truth, found["agreeing"]),
            "fusion_text_only": _calibrated(temperatures["fusion_text_only"], dev_truth, dev_alone),
            "fusion_speech_only": calibration.cross_fitted(truth, found["fused_alone"].astype(np.float64), fold),
        },
    }


def _strangers(
    everything: Voices, four: NDArray[np.bool_], folds: Int, fold: int, held: Words, dev: Words,
    own: dict[str, Float], settings: Settings, speech_settings: speech_fit.Settings,
) -> Strangers:  # fmt: skip
    known = everything.where((folds != fold) & four)
    branch = speech_fit.train_network(known.utterances, known.pooled, speech_settings, seed=speech_settings.seed)
    mine = held.folds == fold
    network = train_network(branch, held.classifier, known, held.where(~mine).side, own, settings)
    rows = np.flatnonzero((folds == fold) & four)
    voices = everything.where((folds == fold) & four)
    speech = sure_embeddings(branch, voices.pooled)
    nothing = np.zeros(dev.side.embeddings.shape[1], np.float32)
    own_text = np.stack([own.get(s or "", nothing) for s in voices.sentences])
    side = Side(speech, voices.labels)
    _, partner = agreeing_pairs(side, dev.side, seed=settings.seed)
    _, held_partner = agreeing_pairs(side, held.where(mine).side, seed=settings.seed)

    def words_alone(words: Side) -> Float:
        blank = np.zeros((len(words.labels), speech.shape[1]), np.float32)
        return logits(network, blank, words.embeddings, WORDS_ONLY)

    return Strangers(
        voices=rows,
        speech=speech_fit.logits(branch, voices.pooled)[:, 0],
        fused_alone=logits(network, speech, np.zeros_like(own_text), VOICE_ONLY),
        own_sentence=logits(network, speech, own_text, BOTH),
        agreeing=logits(network, speech, dev.side.embeddings[partner], BOTH),
        partner=partner,
        calibration=logits(network, speech, held.where(mine).side.embeddings[held_partner], BOTH),
        held=np.flatnonzero(mine),
        held_alone=words_alone(held.where(mine).side),
        dev_alone=words_alone(dev.side),
    )


def _calibrated(temperature: float, truth: Int, answers: Float) -> dict[str, float]:
    return {
        "temperature": round(temperature, 4),
        "ece_before": report(truth, answers, LABELS)["ece"],
        "ece_after": report(truth, answers / temperature, LABELS)["ece"],
    }


def fit(
    data: Path,
    pretrained: Path,
    speech: Path,
    text: Path,
    out: Path,
    *,
    settings: Settings,
    cache: Path,
    quiet: bool = False,
) -> dict[str, Any]:
    """Train fusion on the frozen branches in ``speech`` and ``text``, measure, and write ``out``.

    Args:
        data: folder that holds ``ravdess``, ``emodb`` and ``meld``.
        pretrained: folder of pretrained weights.
        speech: checkpoint of speech emotion.
        text: checkpoint of text emotion.
        out: the checkpoint to write.
        settings: see ``Settings``.
        cache: where pooled states are kept.
        quiet: no progress bar.

    Returns:
        The checkpoint's config, with every measurement.
    """
    branch, speech_config = speech_fit.restore(speech)
    network, texts, text_config = text_fit.restore(text)
    schedule = training_loop.Schedule(**speech_config["settings"].pop("schedule"))
    speech_settings = speech_fit.Settings(**speech_config["settings"], schedule=schedule)
    utterances = speech_fit.load(data)
    pooled = pooled_states(
        utterances,
        pretrained,
        augmentations=speech_settings.copies,
        seed=speech_settings.seed,
        cache=cache,
        quiet=quiet,
    )
    everything = Voices(utterances, pooled)
    corpus = text_fit.TextCorpus(data / "meld")

    def through(part: Sequence[Utterance]) -> Words:
        answers, embeddings = texts.run(network, text_fit.words(part))
        return Words(
            Side(embeddings, np.array(label_ids(part))),
            answers,
            np.array([session_fold(u.session) for u in part]),
            network.classifier,
        )

    held, dev = through(corpus.held), through(corpus.dev)
    sentences = sorted({u.transcript for u in utterances if u.transcript})
    own = dict(zip(sentences, texts.run(network, sentences)[1], strict=True))
    measured = measure(everything, held, dev, own, settings, speech_settings)
    four = np.array([u.label in LABELS for u in utterances])
    fused = train_network(branch, network.classifier, everything.where(four), held.side, own, settings)
    config = {
        "kind": KIND,
        "labels": list(LABELS),
        "speech_width": fused.speech.in_features,
        "text_width": fused.text.in_features,
        "settings": asdict(settings),
        "pair_shares": dict(SHARES),
        "branches": {"speech": checkpoints.digest(speech), "text": checkpoints.digest(text)},
        "protocol": "pairs of voices and words by label; 6 folds exclusive of speakers (RAVDESS, EmoDB) and of MELD "
        "dialogues; measured on MELD dev words, temperatures fitted on held-out MELD train dialogues",
        "metrics": measured,
    }
    assert text_config["labels"] == speech_config["labels"]
    checkpoints.write(out, fused, config)
    return config


def restore(folder: Path) -> tuple[FusionEmotion, dict[str, Any]]:
    """Return the network in the checkpoint ``folder``, and its config."""
    config = checkpoints.read(folder, KIND)
    network = FusionEmotion(len(config["labels"]), speech=config["speech_width"], text=config["text_width"])
    checkpoints.load_weights(folder, network)
    return network, config
