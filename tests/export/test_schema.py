"""The manifest's JSON schema: what it refuses the runtime refuses, and what the runtime takes it takes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from edge_runtime import Bundle, BundleError
from edge_runtime.bundle.bundle import ALONE, MANIFEST, SLOTS, TEMPERATURES
from export import inspect_bundle
from tests import tiny_bundle as tiny

FOR_PEOPLE = ("metrics", "provenance", "toolchain", "verification", "credits")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([0, 1, 16_000, "1", "a"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=6,
)


def taken(folder: Path, manifest: Any) -> bool:
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    try:
        Bundle.read(folder)
    except BundleError:
        return False
    return True


@pytest.fixture
def manifest(tiny_bundle: Path) -> dict[str, Any]:
    return dict(json.loads((tiny_bundle / MANIFEST).read_text(encoding="utf-8")))


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(inspect_bundle.SCHEMA_FILE.read_text(encoding="utf-8")))


def test_whole_manifests_have_no_faults(bundle_folder: Path, manifest: dict[str, Any]) -> None:
    assert inspect_bundle.schema_errors(manifest) == []
    assert inspect_bundle.schema_errors(json.loads((bundle_folder / MANIFEST).read_text(encoding="utf-8"))) == []


def test_unknown_keys_are_passed_over_by_both(tiny_bundle: Path, manifest: dict[str, Any]) -> None:
    slot = manifest["slots"]["vad"]
    for place in (manifest, slot, slot["inputs"][0], *(manifest[k] for k in ("tokenizers", "decoding", "calibration"))):
        place["unheard of"] = [1, {"x": None}]
    assert inspect_bundle.schema_errors(manifest) == []
    assert taken(tiny_bundle, manifest)


Edit = Callable[[dict[str, Any]], Any]
DAMAGES: dict[str, tuple[Edit, str]] = {
    "another schema": (lambda m: m.update(schema=5), "schema: 5 is not one of [1, 2, 3, 4]"),
    "no labels": (lambda m: m.pop("labels"), "'labels' is a required property"),
    "labels in one word": (lambda m: m.update(labels="abcd"), "labels: 'abcd' is not of type 'array'"),
    "one label": (lambda m: m.update(labels=["a"]), "labels: ['a'] is too short"),
    "a label twice": (lambda m: m.update(labels=["a", "a", "b", "c"]), "non-unique"),
    "another rate": (lambda m: m.update(sample_rate=8_000), "sample_rate: 16000 was expected"),
    "an unknown slot": (lambda m: m["slots"].update(face=m["slots"]["vad"]), "'face' was unexpected"),
    "fusion of one": (lambda m: m["slots"].pop("text_emotion"), "'text_emotion' is a dependency of 'fusion'"),
    "both without fusion": (lambda m: m["slots"].pop("fusion"), "'fusion' is a required property"),
    "nothing to answer": (lambda m: m.update(slots={}), "slots: needs speech_emotion or text_emotion"),
    "no ears": (lambda m: m["slots"].pop("vad"), "'vad' is a dependency of 'speech_emotion'"),
    "no encoder": (lambda m: m["slots"].pop("speech_encoder"), "slots: needs speech_encoder or transcript_encoder"),
    "no logits": (lambda m: m["slots"]["fusion"].update(outputs=[]), "slots.fusion.outputs: 'logits' is not among"),
    "no memory": (lambda m: m["slots"]["vad"]["outputs"].pop(), "slots.vad.outputs: 'cn' is not among"),
    "no past": (
        lambda m: m["slots"]["transcript_decoder"].update(inputs=m["slots"]["transcript_decoder"]["inputs"][:4]),
        "slots.transcript_decoder.inputs: '^past_' is not among",
    ),
    "a path": (lambda m: m["slots"]["vad"].update(file="../vad.onnx"), "slots.vad.file: '../vad.onnx' does not match"),
    "no checksum": (lambda m: m["slots"]["vad"].pop("sha256"), "slots.vad: 'sha256' is a required property"),
    "a short checksum": (lambda m: m["tokenizers"]["text"].update(sha256="ab"), "tokenizers.text.sha256: 'ab' does"),
    "an axis of a half": (lambda m: m["slots"]["vad"]["inputs"][0].update(shape=[0.5]), "inputs[0].shape[0]: 0.5"),
    "a shape in a word": (lambda m: m["slots"]["vad"]["inputs"][0].update(shape="ab"), "shape: 'ab' is not of type"),
    "no prompt": (lambda m: m["decoding"].update(prompt=[]), "decoding.prompt: [] should be non-empty"),
    "an id in a word": (lambda m: m["decoding"].update(end="2"), "decoding.end: '2' is not of type 'integer'"),
    "an id that is true": (lambda m: m["decoding"].update(suppress=[True]), "decoding.suppress[0]: True is not"),
    "no room": (lambda m: m["decoding"].update(max_tokens=0), "decoding.max_tokens: 0 is less than"),
    "a language without a name": (
        lambda m: m["decoding"].update(prompt=[1, None], languages=[{"token": 3, "code": "pl"}]),
        "decoding.languages[0]: 'name' is a required property",
    ),
    "no place for the language": (
        lambda m: m["decoding"].update(languages=[{"token": 3, "code": "pl", "name": "Polish"}]),
        "decoding.prompt: null is not among them",
    ),
    "two places for the language": (
        lambda m: m["decoding"].update(
            prompt=[1, None, None], languages=[{"token": 3, "code": "pl", "name": "Polish"}]
        ),
        "decoding.prompt: Too many items match",
    ),
    "a prompt in words beside languages": (
        lambda m: m["decoding"].update(prompt=["1", None], languages=[{"token": 3, "code": "pl", "name": "Polish"}]),
        "decoding.prompt[0]: '1' is not of type",
    ),
    "a place for no language": (lambda m: m["decoding"].update(prompt=[1, None]), "decoding.prompt[1]: None is not of"),
    "languages of the text in a word": (
        lambda m: m.update(text_emotion={"languages": "en"}),
        "languages: 'en' is not of",
    ),
    "frozen": (lambda m: m["calibration"].update(text=0), "calibration.text: 0 is less than or equal"),
    "never sure": (lambda m: m.update(operating_point={"confidence": 0}), "operating_point.confidence: 0 is less than"),
    "surer than sure": (lambda m: m.update(operating_point={"confidence": 1.5}), "operating_point.confidence: 1.5 is"),
    "an operating point of nothing": (lambda m: m.update(operating_point={}), "'confidence' is a required property"),
    "a bare operating point": (lambda m: m.update(operating_point=0.6), "operating_point: 0.6 is not of type 'object'"),
    "words of nothing": (lambda m: m.update(text_emotion=[]), "text_emotion: [] is not of type 'object'"),
    "never sure of words": (
        lambda m: m.update(text_emotion={"operating_point": {"confidence": 0}}),
        "text_emotion.operating_point.confidence: 0 is less than",
    ),
    "a context that no graph reads": (
        lambda m: m.update(text_emotion={"context": {"max_tokens": 32}}),
        "text_emotion: ",
    ),
    "a context of nothing": (lambda m: m.update(text_emotion={"context": {}}), "text_emotion.context: 'max_tokens' is"),
    "a context of no tokens": (
        lambda m: m.update(text_emotion={"context": {"max_tokens": 0}}),
        "text_emotion.context.max_tokens: 0 is less than",
    ),
    "a graph that reads a context, and none is stated": (
        lambda m: m["slots"]["text_emotion"]["inputs"].append(
            {"name": "token_type_ids", "dtype": "tensor(int64)", "shape": ["batch", "tokens"]}
        ),
        "'text_emotion' is a required property",
    ),
    "a label that never was": (
        lambda m: m.update(text_emotion={"priors": dict.fromkeys(tiny.LABELS, 0.25) | {"sad": 0}}),
        "text_emotion.priors.sad: 0 is less than",
    ),
    "no evidence": (lambda m: m.pop("evidence"), "'evidence' is a required property"),
    "evidence of another kind": (lambda m: m.update(evidence=["words_per_s", "pulse"]), "evidence[1]: 'pulse' is not"),
    "evidence of nothing": (lambda m: m.update(evidence=[]), "evidence: [] should be non-empty"),
    "a baseline of the waveform": (
        lambda m: m["slots"]["speech_emotion"]["outputs"].append(
            {"name": "pooled", "dtype": "tensor(float)", "shape": ["batch", 3]}
        ),
        "slots.speech_emotion.inputs: 'baseline' is not among",
    ),
    "warm in words": (lambda m: m["calibration"].update(fusion="1.5"), "calibration.fusion: '1.5' is not of type"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named_and_the_runtime_refuses_it_too(tiny_bundle: Path, manifest: dict[str, Any], name: str) -> None:
    edit, said = DAMAGES[name]
    edit(manifest)
    found = inspect_bundle.schema_errors(manifest)
    assert any(said in fault for fault in found), found
    assert all(len(fault) < 2 * inspect_bundle.LONGEST_MESSAGE and "\n" not in fault for fault in found)
    assert not taken(tiny_bundle, manifest)


def test_a_recogniser_that_tells_the_language_has_no_faults(tiny_bundle: Path, manifest: dict[str, Any]) -> None:
    manifest["decoding"] |= {"prompt": [1, None, 4], "languages": [{"token": 3, "code": "pl", "name": "Polish"}]}
    manifest["text_emotion"] = {"languages": ["en"]}
    assert inspect_bundle.schema_errors(manifest) == []
    assert taken(tiny_bundle, manifest)


@pytest.mark.parametrize("value", [None, [], "manifest", 3])
def test_a_manifest_that_is_no_object_has_faults(value: Any) -> None:
    assert inspect_bundle.schema_errors(value)


def test_hidden_states_need_the_encoder_that_gives_them(tmp_path: Path) -> None:
    folder = tiny.build(tmp_path / "states", reads_states=True)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    slots = manifest["slots"]
    slots["transcript_encoder"] = slots["speech_encoder"]
    assert inspect_bundle.schema_errors(manifest) == []
    del slots["speech_encoder"]
    assert inspect_bundle.schema_errors(manifest) == ["slots: 'speech_encoder' is a required property"]


def test_credits_are_asked_to_name_a_licence_though_the_runtime_does_not_read_them(
    tiny_bundle: Path, manifest: dict[str, Any]
) -> None:
    manifest["credits"] = [{"ingredient": "x", "role": "y", "source": "z"}]
    assert inspect_bundle.schema_errors(manifest) == ["credits[0]: 'licence' is a required property"]
    assert taken(tiny_bundle, manifest)


def places(value: Any, top: bool = True) -> list[tuple[Any, Any]]:
    """Every (container, key) below ``value`` that the runtime reads."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    mine = [key for key in keys if key != "bytes" and not (top and key in FOR_PEOPLE)]
    return [(value, key) for key in mine] + [pair for key in mine for pair in places(value[key], False)]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.integers(0, 10_000), value=JSON)
@example(where=1, value=True)
def test_what_the_runtime_takes_has_no_faults(
    tiny_bundle: Path, manifest: dict[str, Any], where: int, value: Any
) -> None:
    changed = copy.deepcopy(manifest)
    there = places(changed)
    container, key = there[where % len(there)]
    container[key] = value
    assume(inspect_bundle.schema_errors(changed))
    assert not taken(tiny_bundle, changed)


def apart(folder: Path) -> dict[str, Any]:
    """Put the encoder in two graphs into ``folder``, under other names; return what a manifest states of them."""
    return graphs_of(folder, tiny.APART)


def graphs_of(folder: Path, graphs: dict[str, str]) -> dict[str, Any]:
    """Put ``graphs`` into ``folder``, under other names; return what a manifest states of them."""
    files = {slot: folder / f"{slot}_apart.onnx" for slot in graphs}
    for slot, path in files.items():
        onnx.save(tiny.graph(graphs[slot]), path)
    return {s: {**tiny.stated(f), "precision": "fp32", **tiny.ends(folder, f.stem)} for s, f in files.items()}


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(slots=st.sets(st.sampled_from(SLOTS)), temperatures=st.sets(st.sampled_from(sorted(TEMPERATURES))))
def test_of_every_choice_of_parts_both_say_the_same(
    tiny_bundle: Path, manifest: dict[str, Any], slots: set[str], temperatures: set[str]
) -> None:
    changed = copy.deepcopy(manifest)
    there = changed["slots"]
    there["transcript_encoder"] = there["speech_encoder"]
    if "transcript_memory" in slots:
        there |= apart(tiny_bundle)
    if "batch_decoder" in slots:
        there |= graphs_of(tiny_bundle, {"batch_decoder": tiny.BATCHES})
    changed["slots"] = {slot: there[slot] for slot in slots}
    kept = temperatures | {name for name in TEMPERATURES if name not in ALONE}
    changed["calibration"] = dict.fromkeys(kept, 1.0)
    assert taken(tiny_bundle, changed) == (not inspect_bundle.schema_errors(changed))
