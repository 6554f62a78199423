"""Replace voice, words or the recogniser of a bundle, and check again what depends on it (the paper's section 4)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge_runtime.bundle.bundle import SCHEMA, Bundle
from edge_runtime.inference.session import Session
from export import components, model_card
from export.assemble import Composition, Heard, add_product, add_recogniser, add_speech, add_text
from export.build import calibration_feeds, check_target, part_facts, provenance
from export.bundle_writer import Writer
from export.evaluation import data
from export.evaluation.data import Samples
from export.evaluation.limits import STRICT, Limits
from export.graphs import recogniser
from export.quantization.config import Recipe
from trainer import checkpoints
from trainer.errors import ExportError
from trainer.folders import replacing
from trainer.speech import checkpoint as speech_checkpoint
from trainer.speech.network import SpeechEmotion

SHAPES = {"voice branch": "speech", "words branch": "text", "text encoder": "text", "fusion": "fusion"}
"""What an ingredient's role says it shaped."""


@dataclass(frozen=True)
class Replacement:
    """What to put into a bundle; None keeps what is there.

    Attributes:
        speech: checkpoint of speech emotion, of either kind.
        text: checkpoint of text emotion, or a classifier that was fine-tuned elsewhere.
        whisper: folder or hub id of another recogniser.
        language: of a multilingual one.
        renamed: the fine-tuned classifier's labels → the bundle's; "" leaves one out.
    """

    speech: Path | None = None
    text: Path | None = None
    whisper: str | None = None
    language: str | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)


def swap(
    base: Path,
    new: Replacement,
    target: Path,
    *,
    name: str,
    recipe: Recipe,
    force: bool = False,
    tried: Samples | None = None,
    limits: Limits = STRICT,
    calibrate: Samples | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Write the bundle ``target``: ``base`` with parts replaced. Return its manifest.

    A trained fusion knows the branches that it was trained on alone; with another branch it is replaced by the product
    of what voice and words say, until one is trained.

    Args:
        base: folder of a bundle.
        new: see ``Replacement``.
        target: the folder to write; it appears when everything in it is done.
        name: the new bundle's name.
        recipe: the precision of the new graphs.
        force: replace a bundle that is there.
        tried: what the bundle is tried on; None takes a few built-in recordings and sentences.
        limits: what the new graphs may lose against their exact selves.
        calibrate: for static int8, speech and words that are not among ``tried``.
        say: is told what is being tried, where layers have to be found that must stay exact.

    Raises:
        ExportError: nothing is replaced, what is new does not fit what stays, or it falls short of ``limits``.
        BundleError, CheckpointError: ``base``, or what is to be put in, is missing or damaged.
    """
    if new.speech is None and new.text is None and new.whisper is None:
        raise ExportError("nothing to replace: name --speech, --text or --whisper")
    check_target(target, force=force)
    torch.manual_seed(0)  # examples to trace with, so that the same parts give the same bytes
    bundle = Bundle.read(base)
    items = tried or data.built_in()
    made, facts = _composed(bundle, new, items)
    kept = {slot: entry for slot, entry in bundle.slots.items() if slot not in made.slots}
    with replacing(target) as scratch, tempfile.TemporaryDirectory() as exact:
        calibration = calibration_feeds(made, calibrate)
        writer = Writer(scratch, Path(exact), recipe, calibration=calibration, say=say)
        for slot, entry in kept.items():
            writer.keep(slot, entry.path, entry.precision)
        for tokenizer, path in bundle.tokenizers.items():
            if tokenizer not in made.tokenizers:
                writer.keep_tokenizer(tokenizer, path)
        writer.write(made, bundle.labels, items, limits)
        old = {key: value for key, value in bundle.manifest.items() if key != "verification"}
        replaced = [part for part, given in _given(new).items() if given]
        manifest = {
            **old,
            "schema": SCHEMA,
            "name": name,
            **writer.manifest(),
            "decoding": made.decoding or old.get("decoding"),
            "calibration": _calibration(bundle, made),
            **_merged(old, facts, stays=_stays(kept)),
            "toolchain": checkpoints.versions(),
            "swapped": {"from": f"{bundle.name} {bundle.version}", "parts": replaced},
        }
        writer.verify(manifest, made, items, limits)
        (scratch / model_card.FILE).write_text(model_card.render(manifest), encoding="utf-8")
    return manifest


def _given(new: Replacement) -> dict[str, bool]:
    return {"speech": new.speech is not None, "text": new.text is not None, "recogniser": new.whisper is not None}


def _composed(bundle: Bundle, new: Replacement, items: Samples) -> tuple[Composition, dict[str, Any]]:
    """Return the new graphs, and what is known of where they are from."""
    made, configs, digests = Composition(), {}, {}
    origins: dict[str, Any] = {}
    vad = bundle.slots["vad"].path if "vad" in bundle.slots else None
    if (new.speech is not None or new.whisper is not None) and vad is None:
        raise ExportError(
            f"{bundle.folder}: reads words alone, and has no voice activity detector; export a whole bundle"
        )
    if new.whisper is not None and vad is not None:
        _add_whisper(made, bundle, new, Heard(items, vad))
        origins[Path(new.whisper).name] = provenance(new.whisper)
    if new.speech is not None and vad is not None:
        network, configs["speech"] = speech_checkpoint.restore(new.speech)
        digests["speech"] = checkpoints.digest(new.speech)
        states = _states(bundle, Heard(items, vad)) if isinstance(network, SpeechEmotion) else None
        add_speech(made, network, Heard(items, vad), states)
    if new.text is not None:
        words = components.any_text(new.text, bundle.labels, new.renamed)
        configs["text"], digests["text"] = words.config, words.digest
        add_text(made, words.network, words.tokenizer, items)
    for part, config in configs.items():
        if tuple(config["labels"]) != bundle.labels:
            raise ExportError(f"{part}: its labels {config['labels']} differ from the bundle's {list(bundle.labels)}")
        temperature = config["metrics"].get("calibration")
        made.calibration[part] = temperature["temperature"] if temperature else 1.0
        origins |= config.get("pretrained", {}) if part == "text" else {}
    both = {part: made.calibration.get(part, bundle.temperatures.get(part)) for part in ("speech", "text")}
    if configs and None not in both.values():
        add_product(made, len(bundle.labels), both["speech"] or 1.0, both["text"] or 1.0)
    facts = {
        "provenance": {part: part_facts(config, digests[part]) for part, config in configs.items()},
        "metrics": {part: config["metrics"] for part, config in configs.items()},
        "credits": model_card.credits_of(configs, origins) if configs or origins else [],
    }
    return made, facts


def _add_whisper(made: Composition, bundle: Bundle, new: Replacement, heard: Heard) -> None:
    """Add a recogniser; where the voice reads the old one's states, that stays beside the new one."""
    assert new.whisper is not None
    if "text_emotion" not in bundle.slots:
        raise ExportError(f"{bundle.folder}: reads no words, so a recogniser would serve nothing")
    whisper = recogniser.load(new.whisper, language=new.language)
    voice = bundle.slots.get("speech_emotion")
    shared = voice is not None and voice.takes("hidden_states") and new.speech is None
    slot = "transcript_encoder" if shared or "transcript_encoder" in bundle.slots else "speech_encoder"
    add_recogniser(made, whisper, heard, stitched=True, decodes=True, slot=slot)


def _states(bundle: Bundle, heard: Heard) -> list[torch.Tensor]:
    """Return what the bundle's own encoder hears in the recordings."""
    if "speech_encoder" not in bundle.slots:
        raise ExportError(f"{bundle.folder}: has no speech encoder, whose states this voice branch reads")
    encoder = Session(bundle.slots["speech_encoder"].path)
    return [torch.from_numpy(encoder(waveform=np.asarray(w))["hidden_states"]) for w in heard.waveforms]


def _calibration(bundle: Bundle, made: Composition) -> dict[str, float]:
    old = dict(bundle.temperatures)
    if "fusion" in made.slots:  # what was fitted to the trained block says nothing of the product
        old = {name: value for name, value in old.items() if not name.startswith("fusion")}
    return old | made.calibration


def _stays(kept: Mapping[str, Any]) -> set[str]:
    slots = {"speech": "speech_emotion", "text": "text_emotion", "fusion": "fusion"}
    return {part for part, slot in slots.items() if slot in kept}


def _merged(old: Mapping[str, Any], facts: Mapping[str, Any], *, stays: set[str]) -> dict[str, Any]:
    """Return provenance, metrics and credits of what stays and of what is new."""
    merged: dict[str, Any] = {
        key: {part: value for part, value in old[key].items() if part in stays} | facts[key]
        for key in ("provenance", "metrics")
    }
    remaining = [c for c in old["credits"] if not _shaped(c["role"]) or _shaped(c["role"]) & stays]
    known = {(c["ingredient"], c["role"]) for c in remaining}
    merged["credits"] = remaining + [c for c in facts["credits"] if (c["ingredient"], c["role"]) not in known]
    return merged


def _shaped(role: str) -> set[str]:
    return {part for words, part in SHAPES.items() if words in role}
