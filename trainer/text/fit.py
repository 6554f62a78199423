"""Train and measure text emotion on MELD, on clean words and on words with recognition errors."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from trainer import calibration, checkpoints, targets, training_loop
from trainer.corpora import meld
from trainer.corpora.protocols import held_out
from trainer.corpora.utterance import LABELS, Utterance, checksum, label_ids, summary
from trainer.metrics import report
from trainer.pretrained import download
from trainer.text import pronunciation
from trainer.text.network import TextEmotion, encoder_options, load_encoder, load_tokenizer
from trainer.text.pronunciation import Dictionary
from trainer.text.recognition_errors import RecognitionErrors, strip_exclamations

KIND = "text"
TOKENIZER = "tokenizer.json"
ENCODER = "encoder.json"
HELD_OUT_PERCENT = 15
"""Share of MELD's training dialogues that no branch is trained on. On them settings are chosen, temperatures
fitted and fusion trained, so that MELD's own dev part stays for measuring."""
BATCH = 64

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """What a user may change about training text emotion.

    Attributes:
        encoder: name of the pretrained encoder's folder.
        max_tokens: longer utterances are cut while training (the paper's 48).
        error_rate: word error rate of the simulated recognition errors in the second copy of each utterance.
        class_power: 1 weighs classes inversely to their frequency (the paper), 0 not at all.
        seed: of initial weights, shuffling and errors.
        schedule: epochs and so on; each epoch sees each utterance clean and once with errors.
    """

    encoder: str = "minilm-l6"
    max_tokens: int = 48
    error_rate: float = 0.1
    class_power: float = 0.5
    seed: int = 0
    schedule: training_loop.Schedule = training_loop.Schedule(epochs=2, batch=32, rate=5e-5)


class TextCorpus:
    """MELD's four classes, cut into what is learned from, what is held out, and the official dev part."""

    def __init__(self, folder: Path) -> None:
        """Read MELD from ``folder``."""
        train = [u for u in meld.load(folder, "train") if u.label in LABELS]
        self.learned = [u for u in train if not held_out(u.session, HELD_OUT_PERCENT)]
        self.held = [u for u in train if held_out(u.session, HELD_OUT_PERCENT)]
        self.dev = [u for u in meld.load(folder, "dev") if u.label in LABELS]


def words(utterances: Sequence[Utterance]) -> list[str]:
    """Return the transcripts."""
    return [u.transcript or "" for u in utterances]


class Texts:
    """Sentences → padded batches, with one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> None:
        """Cut sentences at ``max_tokens``."""
        self.tokenizer, self.max_tokens = tokenizer, max_tokens

    def encode(self, sentences: Sequence[str]) -> list[training_loop.Example]:
        """Return token ids and masks, unpadded."""
        encoded = self.tokenizer(list(sentences), truncation=True, max_length=self.max_tokens)
        return [
            {"input_ids": i, "attention_mask": m}
            for i, m in zip(encoded["input_ids"], encoded["attention_mask"], strict=True)
        ]

    def collate(self, examples: Sequence[training_loop.Example]) -> dict[str, torch.Tensor]:
        """Pad to the longest and join."""
        longest = max(len(e["input_ids"]) for e in examples)
        pad: int = self.tokenizer.pad_token_id

        def padded(key: str, value: int) -> torch.Tensor:
            return torch.tensor([list(e[key]) + [value] * (longest - len(e[key])) for e in examples])

        batch = {"input_ids": padded("input_ids", pad), "attention_mask": padded("attention_mask", 0)}
        if training_loop.TARGET in examples[0]:
            batch[training_loop.TARGET] = torch.stack([torch.as_tensor(e[training_loop.TARGET]) for e in examples])
        return batch

    @torch.no_grad()
    def run(self, network: TextEmotion, sentences: Sequence[str]) -> tuple[Float, Float]:
        """Return logits (n, labels) and embeddings (n, hidden) of ``sentences``."""
        network.eval()
        examples = self.encode(sentences)
        order = sorted(range(len(examples)), key=lambda i: len(examples[i]["input_ids"]))
        logits, embeddings = [], []
        for begin in range(0, len(order), BATCH):
            batch = self.collate([examples[i] for i in order[begin : begin + BATCH]])
            one, other = network(**batch)
            logits.append(one)
            embeddings.append(other)
        back = np.argsort(order)
        return torch.cat(logits).numpy()[back], torch.cat(embeddings).numpy()[back]


def fit(
    data: Path,
    pretrained: Path,
    out: Path,
    *,
    settings: Settings,
    resume: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Train on MELD, measure, and write the checkpoint ``out``; return its config.

    Args:
        data: folder that holds ``meld``.
        pretrained: folder that holds the encoder's weights and ``cmudict``.
        out: the checkpoint; ``out`` + ``.partial`` holds what an interrupted run resumes from.
        settings: see ``Settings``.
        resume: go on where an interrupted run stopped.
        quiet: no progress bar.
    """
    corpus = TextCorpus(data / "meld")
    origin = download.provenance(pretrained / settings.encoder)
    dictionary = pronunciation.read(pretrained / "cmudict")
    torch.manual_seed(settings.seed)
    tokenizer = load_tokenizer(pretrained / settings.encoder)
    texts = Texts(tokenizer, settings.max_tokens)
    network = TextEmotion(load_encoder(pretrained / settings.encoder), len(LABELS))
    errors = RecognitionErrors(
        words(corpus.learned), rate=settings.error_rate, seed=settings.seed, dictionary=dictionary
    )
    partial = out.with_name(out.name + ".partial")
    examples = _examples(corpus, texts, errors, settings)
    training_loop.train(
        network,
        examples,
        settings.schedule,
        out=partial,
        seed=settings.seed,
        collate=texts.collate,
        lengths=[len(e["input_ids"]) for e in examples],
        resume=resume,
        quiet=quiet,
    )
    config = {
        "kind": KIND,
        "labels": list(LABELS),
        "encoder": settings.encoder,
        "settings": asdict(settings),
        "corpora": {
            "meld": {
                "labels": summary(corpus.learned),
                "checksum": checksum([*corpus.learned, *corpus.held]),
            }
        },
        "pretrained": {settings.encoder: origin},
        "protocol": f"MELD train less {HELD_OUT_PERCENT} % of its dialogues, on which settings were chosen and the "
        "temperature fitted; measured on MELD dev, which chose nothing",
        "metrics": _measure(network, texts, corpus, settings.seed, dictionary),
    }
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer.backend_tokenizer.save(str(Path(scratch) / TOKENIZER))
        network.encoder.config.to_json_file(Path(scratch) / ENCODER)  # type: ignore[operator,union-attr]
        special = {"pad_token": tokenizer.pad_token}
        (Path(scratch) / "special.json").write_text(json.dumps(special))
        extra = {name: Path(scratch) / name for name in (TOKENIZER, ENCODER, "special.json")}
        checkpoints.write(out, network, config, extra)
    shutil.rmtree(partial, ignore_errors=True)
    return config


def _examples(
    corpus: TextCorpus, texts: Texts, errors: RecognitionErrors, settings: Settings
) -> list[training_loop.Example]:
    """Each utterance twice: as it is, and with recognition errors."""
    ids = label_ids(corpus.learned)
    weight = targets.group_weights(ids, settings.class_power)
    target = targets.one_hot(np.array(ids), len(LABELS)) * weight[:, None]
    sentences = words(corpus.learned)
    heard = [strip_exclamations(s) for s in errors.corrupt(sentences)]
    rows = zip(texts.encode([*sentences, *heard]), [*target, *target], strict=True)
    return [{**encoded, training_loop.TARGET: row} for encoded, row in rows]


def _measure(
    network: TextEmotion, texts: Texts, corpus: TextCorpus, seed: int, dictionary: Dictionary
) -> dict[str, Any]:
    held_truth, dev_truth = (np.array(label_ids(part)) for part in (corpus.held, corpus.dev))
    held, _ = texts.run(network, words(corpus.held))
    dev, _ = texts.run(network, words(corpus.dev))
    errors = RecognitionErrors(words(corpus.learned), rate=0.06, seed=seed + 1, dictionary=dictionary)
    misheard, _ = texts.run(network, [strip_exclamations(s) for s in errors.corrupt(words(corpus.dev))])
    temperature = calibration.temperature(held_truth, held.astype(np.float64))
    probabilities = report(dev_truth, dev / temperature, LABELS)["ece"]
    return {
        "held_out": report(held_truth, held, LABELS),
        "dev": report(dev_truth, dev, LABELS),
        "dev_with_recognition_errors": report(dev_truth, misheard, LABELS),
        "calibration": {
            "temperature": round(temperature, 4),
            "ece_before": report(dev_truth, dev, LABELS)["ece"],
            "ece_after": probabilities,
        },
    }


def restore(folder: Path) -> tuple[TextEmotion, Texts, dict[str, Any]]:
    """Return the network in the checkpoint ``folder``, its tokenizer, and its config."""
    config = checkpoints.read(folder, KIND)
    encoder_config = AutoConfig.for_model(**json.loads((folder / ENCODER).read_text()))
    encoder = AutoModel.from_config(encoder_config, **encoder_options(encoder_config))
    hidden = config["settings"].get("hidden", 768)  # the recipe's settings do not name it
    network = TextEmotion(encoder, len(config["labels"]), hidden=hidden)
    checkpoints.load_weights(folder, network)
    special = json.loads((folder / "special.json").read_text())
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / TOKENIZER), **special)
    return network, Texts(tokenizer, config["settings"]["max_tokens"]), config
