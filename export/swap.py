"""Replace speech, text or the recogniser of a bundle, and check again what depends on it (the paper's section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge_runtime.bundle.bundle import Bundle
from export import components
from export.assemble import (
    ReferenceInputs,
    add_product,
    add_speech,
    add_text,
    add_whisper,
    new_states,
    operating_point,
    text_facts,
    text_languages,
)
from export.build import component_facts, provenance
from export.bundle_writer import Options, check_target, write_bundle
from export.evaluation.data import EvaluationSet
from export.graphs import whisper
from export.graphs.bundle_graphs import BundleGraphs
from export.model_card import trained_components
from trainer import checkpoints
from trainer.errors import ExportError
from trainer.speech import checkpoint as speech_checkpoint
from trainer.speech.network import SpeechEmotion


@dataclass(frozen=True)
class Replacement:
    """What to put into a bundle; None keeps what is there.

    Attributes:
        speech: checkpoint of speech emotion, of either kind.
        text: checkpoint of text emotion, or a classifier that was fine-tuned elsewhere.
        whisper: folder or hub id of another recogniser.
        language: the only one of a multilingual one.
        renamed: the fine-tuned classifier's labels → the bundle's; "" leaves one out.
    """

    speech: Path | None = None
    text: Path | None = None
    whisper: str | None = None
    language: str | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)


def swap(base: Path, new: Replacement, target: Path, options: Options) -> dict[str, Any]:
    """Write the bundle ``target``, whose name is the folder's: ``base`` with components replaced. Return its manifest.

    A trained fusion knows the branches that it was trained on alone; with another branch it is replaced by the product
    of the probabilities of speech and text, until one is trained.

    Args:
        base: folder of a bundle.
        new: see ``Replacement``.
        target: the folder to write; it appears when everything in it is done.
        options: how the new graphs are quantized and evaluated.

    Raises:
        ExportError: nothing is replaced, what is new does not fit what stays, or it loses more than it may.
        BundleError, CheckpointError: ``base``, or what is to be put in, is missing or damaged.
    """
    given = {"speech": new.speech, "text": new.text, "recogniser": new.whisper}
    replaced = [name for name, source in given.items() if source is not None]
    if not replaced:
        raise ExportError("nothing to replace: name --speech, --text or --whisper")
    check_target(target, force=options.force)
    torch.manual_seed(0)  # examples to trace with, so that the same components give the same bytes
    bundle = Bundle.read(base)
    evaluation = options.samples
    graphs, added = _assemble(bundle, new, evaluation)
    old = {key: value for key, value in bundle.manifest.items() if key != "verification"}
    about_text = old.pop("text_emotion", {})
    if graphs.temperatures:  # another branch answers, and how sure it is when it is right is another matter
        old.pop("operating_point", None)
    if "fusion" in graphs.slots:  # a product is told nothing of the words
        old.pop("evidence", None)
    slots = {"speech": "speech_emotion", "text": "text_emotion", "fusion": "fusion"}
    stays = {part for part, slot in slots.items() if slot in bundle.slots and slot not in graphs.slots}
    facts = {
        **old,
        "name": target.name,
        **({"decoding": graphs.decoding} if graphs.decoding else {}),
        "calibration": _temperatures(bundle, graphs),
        **_operating_point(graphs, added["metrics"]),
        **_text_facts(about_text, bundle, graphs, added),
        **_merge(old, added, stays),
        "swapped": {"from": f"{bundle.name} {bundle.version}", "parts": replaced},
    }
    return write_bundle(target, graphs, facts, evaluation, options, bundle)


def _assemble(bundle: Bundle, new: Replacement, evaluation: EvaluationSet) -> tuple[BundleGraphs, dict[str, Any]]:
    """Return the new graphs, and what is known of where they are from."""
    graphs = BundleGraphs()
    configs: dict[str, dict[str, Any]] = {}
    digests: dict[str, str] = {}
    origins: dict[str, Any] = {}
    vad = bundle.slots["vad"].path if "vad" in bundle.slots else None
    if (new.speech is not None or new.whisper is not None) and vad is None:
        raise ExportError(
            f"{bundle.folder}: reads text alone, and has no voice activity detector; export a whole bundle"
        )
    inputs = ReferenceInputs(evaluation, vad) if vad is not None else None
    network = None
    if new.speech is not None:
        network, configs["speech"] = speech_checkpoint.restore(new.speech)
        digests["speech"] = checkpoints.digest(new.speech)
    if new.whisper is not None and inputs is not None:
        _add_whisper(graphs, bundle, new, inputs, network.depth if isinstance(network, SpeechEmotion) else None)
        origins[Path(new.whisper).name] = provenance(new.whisper)
    if network is not None and inputs is not None:
        reads_states = isinstance(network, SpeechEmotion)
        states = (new_states(graphs, inputs) or _states(bundle, inputs)) if reads_states else None
        add_speech(graphs, network, inputs, states)
    if new.text is not None:
        text = components.load_any_text(new.text, bundle.labels, new.renamed)
        configs["text"], digests["text"] = text.config, text.digest
        add_text(graphs, text.network, text.tokenizer, evaluation)
    for part, config in configs.items():
        if tuple(config["labels"]) != bundle.labels:
            raise ExportError(f"{part}: its labels {config['labels']} differ from the bundle's {list(bundle.labels)}")
        temperature = config["metrics"].get("calibration")
        graphs.temperatures[part] = temperature["temperature"] if temperature else 1.0
        origins |= config.get("pretrained", {}) if part == "text" else {}
    both = {part: graphs.temperatures.get(part, bundle.temperatures.get(part)) for part in ("speech", "text")}
    if configs and None not in both.values():
        add_product(graphs, len(bundle.labels), both["speech"] or 1.0, both["text"] or 1.0)
    return graphs, component_facts(configs, digests, origins)


def _add_whisper(
    graphs: BundleGraphs, bundle: Bundle, new: Replacement, inputs: ReferenceInputs, depth: int | None
) -> None:
    """Add a recogniser; where speech emotion reads the old one's states, that stays beside the new one."""
    assert new.whisper is not None
    if "text_emotion" not in bundle.slots:
        raise ExportError(f"{bundle.folder}: reads no text, so a recogniser would serve nothing")
    asr = whisper.load(new.whisper, language=new.language)
    speech = bundle.slots.get("speech_emotion")
    shared = speech is not None and speech.takes("hidden_states") and new.speech is None
    slot = "transcript_encoder" if shared or "transcript_encoder" in bundle.slots else "speech_encoder"
    depth = depth if slot == "speech_encoder" else None
    add_whisper(graphs, asr, inputs, stitched=True, decodes=True, depth=depth, slot=slot)


def _states(bundle: Bundle, inputs: ReferenceInputs) -> list[torch.Tensor]:
    """Return the hidden states that the bundle's own encoder gives of the recordings."""
    if "speech_encoder" not in bundle.slots:
        raise ExportError(f"{bundle.folder}: has no speech encoder, whose states this speech checkpoint reads")
    encoder = bundle.open("speech_encoder", device="cpu", threads=1)
    return [torch.from_numpy(encoder(waveform=np.asarray(w))["hidden_states"]) for w in inputs.waveforms]


def _temperatures(bundle: Bundle, graphs: BundleGraphs) -> dict[str, float]:
    old = dict(bundle.temperatures)
    if "fusion" in graphs.slots:  # what was fitted to the trained block says nothing of the product
        old = {name: value for name, value in old.items() if not name.startswith("fusion")}
    return old | graphs.temperatures


def _operating_point(graphs: BundleGraphs, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest's operating point of new branches, where they state one; of a product none was measured."""
    if "fusion" in graphs.slots:
        return {}
    return operating_point({part: {"metrics": found} for part, found in metrics.items()})


def _text_facts(
    old: Mapping[str, Any], bundle: Bundle, graphs: BundleGraphs, added: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the manifest's entry of text alone; where only fusion is another, what was measured through it goes."""
    text = added["provenance"].get("text") or bundle.manifest["provenance"].get("text", {})
    found = text_languages(graphs.decoding or bundle.manifest.get("decoding"), text)
    if "text_emotion" in graphs.slots:
        found |= text_facts(graphs, {"text": {**text, "metrics": added["metrics"]["text"]}}).get("text_emotion", {})
    else:
        found |= {key: value for key, value in old.items() if key != "operating_point" or "fusion" not in graphs.slots}
    return {"text_emotion": found} if found else {}


def _merge(old: Mapping[str, Any], added: Mapping[str, Any], stays: set[str]) -> dict[str, Any]:
    """Return provenance, metrics and credits of the components that stay and of those that are added."""
    merged: dict[str, Any] = {
        key: {part: value for part, value in old[key].items() if part in stays} | added[key]
        for key in ("provenance", "metrics")
    }
    used = [(credit, trained_components(credit["role"])) for credit in old["credits"]]
    remaining = [credit for credit, parts in used if not parts or parts & stays]
    known = {(c["ingredient"], c["role"]) for c in remaining}
    merged["credits"] = remaining + [c for c in added["credits"] if (c["ingredient"], c["role"]) not in known]
    return merged
