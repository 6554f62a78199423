"""Reading a bundle: a whole one is taken, a damaged one refused with the reason, whatever the damage."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from edge_runtime import Bundle, BundleError, BundleNotFoundError, IEmoNet
from edge_runtime.bundle.bundle import ALONE, MANIFEST, SLOTS, TEMPERATURES, TOKENIZERS, checksums
from edge_runtime.bundle.files import LARGEST_MANIFEST, LARGEST_TOKENIZER
from edge_runtime.bundle.text_settings import TextSettings
from edge_runtime.inference.asr import Language
from export.inspect_bundle import schema_errors
from tests import tiny_bundle as tiny
from tests.tiny_bundle import stated

Change = Callable[[Callable[[dict[str, Any]], Any]], Path]
Altered = Callable[[str, str, bytes], Path]
WORDS, PARTS = ["name", "version", "labels"], ["slots", "tokenizers", "decoding", "calibration"]
FILLED = tuple(slot for slot in SLOTS if slot not in {"transcript_encoder", "transcript_memory", "batch_decoder"})
REQUIRED = ["schema", "sample_rate", *WORDS, *PARTS]


def refused(folder: Path, match: str | None = None) -> None:
    with pytest.raises(BundleError, match=match) as caught:
        Bundle.read(folder)
    assert isinstance(caught.value, ValueError)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_whole_bundle_is_read(tiny_bundle: Path) -> None:
    bundle = Bundle.read(tiny_bundle)
    assert (bundle.name, bundle.version, bundle.labels) == (
        "tiny",
        "0.0.1",
        ("angry", "happy", "neutral", "sad"),
    )
    assert set(bundle.slots) == set(FILLED)
    assert all(slot.path.parent == tiny_bundle for slot in bundle.slots.values())
    assert bundle.temperatures == dict.fromkeys(TEMPERATURES, 1.5)
    assert bundle.decoding.end == 2
    session = bundle.open("fusion", device="cpu", threads=1)
    assert list(session.outputs) == ["logits"]


def test_a_bundle_may_state_the_confidence_below_which_an_answer_is_uncertain(change: Change) -> None:
    assert Bundle.read(change(lambda m: None)).operating_point == 0.0
    assert Bundle.read(change(lambda m: m.update(operating_point={"confidence": 1, "why": "x"}))).operating_point == 1.0


@pytest.mark.parametrize("confidence", [0, -0.1, 1.01, 10**400, float("nan"), True, "0.6", None, [0.6]])
def test_an_operating_point_that_is_no_probability_is_refused(change: Change, confidence: object) -> None:
    refused(change(lambda m: m.update(operating_point={"confidence": confidence})), "operating_point|manifest")


@pytest.mark.parametrize("stated", [None, 0.6, [], {}, "0.6"])
def test_an_operating_point_of_another_form_is_refused(change: Change, stated: object) -> None:
    refused(change(lambda m: m.update(operating_point=stated)), "manifest")


PRIORS = {"angry": 0.2, "happy": 0.2, "neutral": 0.5, "sad": 0.1}


def test_what_is_stated_of_words_alone_is_read(change: Change) -> None:
    assert Bundle.read(change(lambda m: None)).text == TextSettings()
    stated = {"operating_point": {"confidence": 0.5}, "priors": PRIORS, "unheard of": 1}
    found = Bundle.read(change(lambda m: m.update(text_emotion=stated, operating_point={"confidence": 0.7})))
    assert (found.text, found.operating_point) == (TextSettings(0, 0.5, PRIORS), 0.7)


def test_words_have_the_operating_point_of_all_where_they_have_none_of_their_own(change: Change) -> None:
    stated = {"operating_point": {"confidence": 0.7}, "text_emotion": {"priors": PRIORS}}
    assert Bundle.read(change(lambda m: m.update(stated))).text.operating_point == 0.7


def test_the_length_of_a_context_is_read(context_bundle: Path) -> None:
    assert Bundle.read(context_bundle).text.context_tokens == 5


@pytest.mark.parametrize(
    "stated",
    [
        None,
        [],
        "context",
        {"context": 32},
        {"context": {"max_tokens": 32}},
        {"operating_point": {"confidence": 0}},
        {"operating_point": 0.5},
        {"priors": 0.5},
        {"priors": {"neutral": 0.5}},
        {"priors": {**PRIORS, "bored": 0.1}},
        {"priors": {**PRIORS, "sad": 0.0}},
        {"priors": {**PRIORS, "sad": True}},
        {"priors": {**PRIORS, "sad": 0.4}},
        {"priors": {**PRIORS, "sad": float("nan")}},
    ],
)
def test_what_is_no_statement_of_words_is_refused(change: Change, stated: object) -> None:
    refused(change(lambda m: m.update(text_emotion=stated)), "manifest|text_emotion")


@pytest.mark.parametrize(
    "stated", [{}, {"context": {}}, {"context": {"max_tokens": 0}}, {"context": {"max_tokens": True}}]
)
def test_a_graph_that_reads_a_context_needs_its_length(context_bundle: Path, tmp_path: Path, stated: object) -> None:
    folder = Path(shutil.copytree(context_bundle, tmp_path / "bundle"))
    manifest = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**manifest, "text_emotion": stated}))
    refused(folder, "context|max_tokens")


def test_a_fusion_is_told_of_the_words_what_the_manifest_names_in_that_order(change: Change) -> None:
    assert Bundle.read(change(lambda m: None)).evidence == ("words_per_s", "mean_log_probability")
    other = ["lowest_log_probability", "spoken_share"]
    assert Bundle.read(change(lambda m: m.update(evidence=other))).evidence == tuple(other)


def test_evidence_counts_for_a_fusion_that_takes_it_alone(change: Change) -> None:
    def without(manifest: dict[str, Any]) -> None:
        fusion = manifest["slots"]["fusion"]
        fusion["inputs"] = [tensor for tensor in fusion["inputs"] if tensor["name"] != "evidence"]
        manifest.pop("evidence", None)

    assert Bundle.read(change(without)).evidence == ()
    assert Bundle.read(change(lambda m: (without(m), m.update(evidence=["pulse"])))).evidence == ()


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["words_per_s", "pulse"], "evidence 'pulse' is unknown; known are mean_log_probability"),
        ([], "evidence is empty"),
        (["words_per_s"], r"slot fusion 'evidence' .* expected tensor\(float\) \(1, 1\)"),
        ("words_per_s", "damaged manifest"),
        (None, "damaged manifest"),
        ([1, 2], "damaged manifest"),
    ],
)
def test_other_evidence_is_refused(change: Change, names: object, match: str) -> None:
    refused(change(lambda m: m.update(evidence=names)), match)


def test_evidence_that_is_taken_must_be_named(change: Change) -> None:
    refused(change(lambda m: m.pop("evidence")), "'evidence' is missing")


def test_the_default_bundle_is_whole_and_its_graphs_are_as_stated(bundle_folder: Path) -> None:
    bundle = Bundle.read(bundle_folder)
    assert bundle.name == bundle_folder.name
    for slot in FILLED:
        bundle.open(slot, device="cpu", threads=1)
    slots = bundle.manifest["slots"].values()
    stated = [*slots, *(s["weights"] for s in slots if "weights" in s), *bundle.manifest["tokenizers"].values()]
    assert all((bundle_folder / entry["file"]).stat().st_size == entry["bytes"] for entry in stated)


@pytest.mark.parametrize("place", ["nowhere", "tiny/fusion.onnx", "."])
def test_a_folder_without_a_manifest_is_not_a_bundle(tmp_path: Path, tiny_bundle: Path, place: str) -> None:
    with pytest.raises(BundleNotFoundError, match=r"bundle\.json is missing"):
        Bundle.read(tmp_path / place)


@pytest.mark.parametrize("schema", [0, 5, "1", None, [1], 1.5, True])
def test_another_schema_is_refused(change: Change, schema: object) -> None:
    refused(change(lambda m: m.update(schema=schema)), "schema")


@pytest.mark.parametrize("key", REQUIRED)
def test_a_missing_key_is_named(change: Change, key: str) -> None:
    refused(change(lambda m: m.pop(key)), key)


@pytest.mark.parametrize(
    ("within", "key"),
    [
        *[("slots", slot) for slot in FILLED if slot != "transcript_decoder"],
        *[("tokenizers", name) for name in TOKENIZERS],
        *[("calibration", name) for name in TEMPERATURES if name not in ALONE],
        *[("decoding", key) for key in ("prompt", "end", "suppress", "begin_suppress", "max_tokens")],
    ],
)
def test_a_missing_part_is_named(change: Change, within: str, key: str) -> None:
    refused(change(lambda m: m[within].pop(key)), key)


POLISH = {"token": 3, "code": "pl", "name": "Polish"}


def test_languages_are_read_where_the_recogniser_tells_them(change: Change, tiny_bundle: Path) -> None:
    old = Bundle.read(tiny_bundle)
    assert old.decoding is not None
    assert (old.decoding.languages, old.decoding.after_language, old.text.languages) == ({}, [], ())

    def tell(manifest: dict[str, Any]) -> None:
        manifest["decoding"] |= {"prompt": [1, None, 4, 5], "languages": [POLISH]}
        manifest["text_emotion"] = {"languages": ["en"]}

    bundle = Bundle.read(change(tell))
    assert bundle.decoding is not None
    assert bundle.decoding.languages == {3: Language("pl", "Polish")}
    assert bundle.decoding.prompt == [1]
    assert (bundle.decoding.after_language, bundle.text.languages) == ([4, 5], ("en",))


@pytest.mark.parametrize(
    "told",
    [
        {"languages": {"3": "pl"}},
        {"languages": []},
        {"languages": [{"token": 3, "code": "pl"}]},
        {"languages": [{**POLISH, "token": "3"}]},
        {"languages": [{**POLISH, "token": 10}]},  # the vocabulary has ten
        {"languages": [{**POLISH, "code": ""}]},
        {"languages": [POLISH], "prompt": [1, None, -1]},
        {"languages": [POLISH], "prompt": [1, None, None]},
        {"languages": [POLISH], "prompt": [None, 1]},
        {"languages": [POLISH], "prompt": [1]},  # no place for the language
    ],
)
def test_languages_that_are_none_are_refused(change: Change, told: dict[str, Any]) -> None:
    refused(change(lambda m: m["decoding"].update({"prompt": [1, None], **told})), "manifest|ids below|missing")


def test_a_place_for_a_language_without_languages_is_refused(change: Change) -> None:
    """So did every reader before it could tell one."""
    refused(change(lambda m: m["decoding"].update(prompt=[1, None])), "whole number")


@pytest.mark.parametrize("value", ["en", [], [1], [""], {"en": 1}, None])
def test_languages_of_the_text_are_a_list_of_codes(change: Change, value: object) -> None:
    refused(change(lambda m: m.update(text_emotion={"languages": value})), "manifest")


@pytest.mark.parametrize(
    "slots",
    [
        ("vad", "speech_emotion"),
        ("text_emotion",),
        ("vad", "speech_encoder", "transcript_decoder", "text_emotion"),
        ("vad", "speech_emotion", "text_emotion", "fusion"),
    ],
)
def test_a_bundle_may_have_what_it_needs_alone(change: Change, slots: tuple[str, ...]) -> None:
    def keep(manifest: dict[str, Any]) -> None:
        manifest["slots"] = {slot: manifest["slots"][slot] for slot in slots}
        manifest["calibration"] = {n: 1.0 for n, slot in TEMPERATURES.items() if slot in slots and n not in ALONE}
        if "transcript_decoder" not in slots:
            del manifest["decoding"], manifest["tokenizers"]["transcript"]
        if "text_emotion" not in slots:
            del manifest["tokenizers"]["text"]

    bundle = Bundle.read(change(keep))
    assert set(bundle.slots) == set(slots)
    assert (bundle.decoding is not None) == ("transcript_decoder" in slots)


def test_a_slot_that_nobody_knows_is_refused(change: Change) -> None:
    refused(change(lambda m: m["slots"].update(face=m["slots"]["vad"])), "'face'")


def test_a_recogniser_may_bring_an_encoder_of_its_own(change: Change) -> None:
    def own_encoder(manifest: dict[str, Any]) -> None:
        manifest["slots"]["transcript_encoder"] = manifest["slots"].pop("speech_encoder")

    assert "transcript_encoder" in Bundle.read(change(own_encoder)).slots


def test_hidden_states_need_the_encoder_that_gives_them(change: Change) -> None:
    def states_without_encoder(manifest: dict[str, Any]) -> None:
        manifest["slots"]["speech_emotion"]["inputs"][0]["name"] = "hidden_states"
        del manifest["slots"]["speech_encoder"], manifest["slots"]["transcript_decoder"]

    refused(change(states_without_encoder), "speech_encoder")


@pytest.mark.parametrize("key", ["file", "sha256", "precision", "inputs", "outputs"])
def test_a_slot_states_everything(change: Change, key: str) -> None:
    refused(change(lambda m: m["slots"]["vad"].pop(key)), key)


@pytest.mark.parametrize("keep", [0, 1, 40, -1])
def test_a_truncated_manifest_is_refused(tiny_bundle: Path, keep: int) -> None:
    path = tiny_bundle / MANIFEST
    path.write_text(path.read_text()[:keep])
    refused(tiny_bundle, "damaged manifest")


@pytest.mark.parametrize("text", ["[]", "[1, 2]", "null", "3", '"schema"', "{}", "[" * 100_000, "\ufeff{}"])
def test_a_manifest_that_is_no_object_is_refused(tiny_bundle: Path, text: str) -> None:
    (tiny_bundle / MANIFEST).write_text(text, encoding="utf-8")
    refused(tiny_bundle, "manifest")


def test_a_manifest_that_is_no_text_is_refused(tiny_bundle: Path) -> None:
    (tiny_bundle / MANIFEST).write_bytes(b"\xff\xfe\x00{")
    refused(tiny_bundle, "damaged manifest")


@pytest.mark.parametrize("file", ["vad.onnx", "fusion.onnx", "text_tokenizer.json"])
def test_an_altered_file_is_refused_and_named(tiny_bundle: Path, file: str) -> None:
    path = tiny_bundle / file
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    refused(tiny_bundle, f"{file}: sha256")
    path.write_bytes(bytes(data) + b"more")
    refused(tiny_bundle, f"{file}: {len(data) + 4} bytes, and the manifest states {len(data)}")
    path.unlink()
    refused(tiny_bundle, f"{file}: missing")


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/passwd",
        "a/b",
        "C:\\x",
        "..\\x",
        "..",
        ".",
        "",
        "./vad.onnx",
        "vad.onnx/",
        "x\0",
        "n" * 300,
    ],
)
@pytest.mark.parametrize("place", ["slots", "tokenizers"])
def test_only_files_inside_the_bundle_can_be_named(change: Change, name: str, place: str) -> None:
    part = {"slots": "vad", "tokenizers": "text"}[place]
    refused(change(lambda m: m[place][part].update(file=name)))


def test_a_file_outside_is_not_taken_though_its_checksum_fits(change: Change, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("secret")
    digest = hashlib.sha256(b"secret").hexdigest()
    folder = change(lambda m: m["tokenizers"]["text"].update(file="../outside", sha256=digest))
    refused(folder, "not a plain file name")


@pytest.mark.parametrize(
    "labels",
    [["angry", "happy"], list("abcde"), ["a", "b", "b", "c"], ["a"], [], ["a", "", "b", "c"], [1, 2, 3, 4]],
)
def test_labels_must_be_different_words_as_many_as_the_graphs_give(change: Change, labels: list[Any]) -> None:
    refused(change(lambda m: m.update(labels=labels)))


@pytest.mark.parametrize("temperature", [-1, 0, float("nan"), float("inf"), -float("inf"), None, "warm", [1], {}])
@pytest.mark.parametrize("name", TEMPERATURES)
def test_a_temperature_is_a_positive_number(change: Change, name: str, temperature: object) -> None:
    refused(change(lambda m: m["calibration"].update({name: temperature})))


@pytest.mark.parametrize("rate", [8_000, 48_000, None, "16000"])
def test_another_sample_rate_is_refused(change: Change, rate: object) -> None:
    refused(change(lambda m: m.update(sample_rate=rate)), "sample rate")


@pytest.mark.parametrize("slot", FILLED)
@pytest.mark.parametrize("end", ["inputs", "outputs"])
def test_a_graph_that_differs_from_the_manifest_is_not_opened(change: Change, slot: str, end: str) -> None:
    def rename_an_axis(manifest: dict[str, Any]) -> None:
        shape = manifest["slots"][slot][end][0]["shape"]
        shape[shape.index(next(axis for axis in shape if isinstance(axis, str)))] = "another"

    bundle = Bundle.read(change(rename_an_axis))
    with pytest.raises(BundleError, match=f"the graph of slot {slot} has"):
        bundle.open(slot, device="cpu", threads=1)


@pytest.mark.parametrize("data", [b"", b"\0" * 100, bytes(range(256)) * 8])
def test_a_graph_of_random_bytes_is_not_opened(tiny_bundle: Path, change: Change, data: bytes) -> None:
    (tiny_bundle / "vad.onnx").write_bytes(data)
    folder = change(lambda m: m["slots"]["vad"].update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest()))
    with pytest.raises(BundleError, match="onnxruntime cannot load"):
        Bundle.read(folder).open("vad", device="cpu", threads=1)


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("data", [b"{}", b"", b"\xff", b"[" * 10_000])
def test_a_tokenizer_that_is_none_is_refused(altered: Altered, name: str, data: bytes) -> None:
    folder = altered("tokenizers", name, data)
    with pytest.raises(BundleError, match=f"{name}_tokenizer.json: not a tokenizer"):
        IEmoNet.load(folder, device="cpu", threads=1)


@pytest.mark.skipif(os.name == "nt", reason="no pipes in folders there")
@pytest.mark.parametrize("file", ["vad.onnx", "text_tokenizer.json", MANIFEST])
def test_a_pipe_or_a_device_is_refused_without_reading_it(tiny_bundle: Path, file: str) -> None:
    error = BundleNotFoundError if file == MANIFEST else BundleError
    (tiny_bundle / file).unlink()
    os.mkfifo(tiny_bundle / file)
    with pytest.raises(error):
        Bundle.read(tiny_bundle)
    (tiny_bundle / file).unlink()
    (tiny_bundle / file).symlink_to("/dev/zero")
    with pytest.raises(error):
        Bundle.read(tiny_bundle)


@pytest.mark.parametrize(
    ("file", "size"), [(MANIFEST, LARGEST_MANIFEST), ("text_tokenizer.json", LARGEST_TOKENIZER), ("vad.onnx", 2 << 30)]
)
def test_gigabytes_are_refused_without_reading_them(change: Change, file: str, size: int) -> None:
    entries = {"vad.onnx": ("slots", "vad"), "text_tokenizer.json": ("tokenizers", "text")}
    kind, name = entries.get(file, ("slots", "fusion"))
    folder = change(lambda m: file in entries and m[kind][name].update(bytes=size + 1))
    with (folder / file).open("ab") as sparse:
        sparse.truncate(size + 1)
    refused(folder, f"{file}: {size + 1} bytes; no file of its kind has more")


def test_links_are_followed_as_stores_of_models_are_made_of_them(tiny_bundle: Path, tmp_path: Path) -> None:
    (tiny_bundle / "vad.onnx").rename(tmp_path / "blob")
    (tiny_bundle / "vad.onnx").symlink_to(tmp_path / "blob")
    assert Bundle.read(tiny_bundle).slots["vad"].path == tiny_bundle / "vad.onnx"
    (tmp_path / "blob").write_bytes(b"x" * (tmp_path / "blob").stat().st_size)
    refused(tiny_bundle, "vad.onnx: sha256")


def take_from_file(tiny_bundle: Path, change: Change, **more: object) -> Path:
    """Make the detector's ``hn`` its ``h`` plus what is in ``weights.bin``; state ``more`` of its slot."""
    graph = onnx.load(tiny_bundle / "vad.onnx")
    weights = onnx.TensorProto(name="w", data_type=1, dims=[1, 1, 128], data_location=onnx.TensorProto.EXTERNAL)
    weights.external_data.add(key="location", value="weights.bin")
    graph.graph.initializer.append(weights)
    (tanh,) = (node for node in graph.graph.node if node.output == ["hn"])
    tanh.op_type = "Add"
    tanh.input.append("w")
    (tiny_bundle / "vad.onnx").write_bytes(graph.SerializeToString())
    return change(lambda m: m["slots"]["vad"].update(stated(tiny_bundle / "vad.onnx") | more))


WEIGHTS = np.full((1, 1, 128), 7, np.float32).tobytes()
OF_WEIGHTS = {"file": "weights.bin", "bytes": len(WEIGHTS), "sha256": hashlib.sha256(WEIGHTS).hexdigest()}


def test_weights_in_a_file_that_is_not_stated_are_refused(tiny_bundle: Path, change: Change) -> None:
    (tiny_bundle / "weights.bin").write_bytes(WEIGHTS)
    folder = take_from_file(tiny_bundle, change)
    with pytest.raises(BundleError, match="onnxruntime cannot load"):
        Bundle.read(folder).open("vad", device="cpu", threads=1)


@pytest.mark.parametrize("linked", [False, True])
def test_weights_in_the_file_that_is_stated_are_taken(
    tiny_bundle: Path, tmp_path: Path, change: Change, linked: bool
) -> None:
    place = tmp_path / "blob" if linked else tiny_bundle / "weights.bin"
    place.write_bytes(WEIGHTS)
    if linked:
        (tiny_bundle / "weights.bin").symlink_to(place)
    bundle = Bundle.read(take_from_file(tiny_bundle, change, weights=OF_WEIGHTS))
    assert bundle.slots["vad"].weights == tiny_bundle / "weights.bin"
    state = np.zeros((1, 1, 128), np.float32)
    found = bundle.open("vad", device="cpu", threads=1)(input=np.zeros((1, 576), np.float32), h=state, c=state)
    np.testing.assert_array_equal(found["hn"], state + 7)
    assert checksums(bundle.manifest, "vad") == [bundle.manifest["slots"]["vad"]["sha256"], OF_WEIGHTS["sha256"]]


@pytest.mark.parametrize("other", [b"", WEIGHTS[:-1], b"x" + WEIGHTS[1:]])
def test_weights_of_another_size_or_content_are_refused(tiny_bundle: Path, change: Change, other: bytes) -> None:
    (tiny_bundle / "weights.bin").write_bytes(other)
    refused(take_from_file(tiny_bundle, change, weights=OF_WEIGHTS), "weights.bin: ")


@pytest.mark.parametrize("weights", [None, "weights.bin", [], {}, OF_WEIGHTS | {"file": "../weights.bin"}])
def test_weights_that_are_no_file_of_the_bundle_are_refused(tiny_bundle: Path, change: Change, weights: object) -> None:
    (tiny_bundle / "weights.bin").write_bytes(WEIGHTS)
    refused(take_from_file(tiny_bundle, change, weights=weights))
    assert schema_errors(json.loads((tiny_bundle / MANIFEST).read_text()))


def test_a_decoder_reads_from_one_source(tmp_path: Path) -> None:
    folder = tiny.build(tmp_path / "apart", memory_apart=True)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["slots"]["transcript_encoder"] = manifest["slots"]["speech_encoder"]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    refused(folder, "'transcript_memory' and 'transcript_encoder' both")
    assert schema_errors(manifest)


@pytest.mark.parametrize("missing", ["speech_encoder", "transcript_decoder"])
def test_the_memory_needs_the_encoder_before_it_and_the_decoder_behind_it(tmp_path: Path, missing: str) -> None:
    folder = tiny.build(tmp_path / "apart", memory_apart=True)
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["slots"][missing]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    refused(folder, missing)
    assert schema_errors(manifest)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([10**400, "n" * 300]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=6,
)


def bundle_or_refusal(folder: Path) -> None:
    with contextlib.suppress(BundleError):
        assert isinstance(Bundle.read(folder), Bundle)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from([*REQUIRED, "metrics"]), value=JSON)
def test_any_value_of_any_key_gives_a_bundle_or_its_error(tiny_bundle: Path, key: str, value: object) -> None:
    path = tiny_bundle / MANIFEST
    whole = path.read_text()
    path.write_text(json.dumps({**json.loads(whole), key: value}))
    try:
        bundle_or_refusal(tiny_bundle)
    finally:
        path.write_text(whole)


def nodes(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below ``value``."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [(value, key) for key in keys] + [pair for key in keys for pair in nodes(value[key])]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.integers(0, 10_000), value=JSON)
@example(where=0, value=1)
def test_any_value_at_any_depth_gives_a_bundle_or_its_error(tiny_bundle: Path, where: int, value: object) -> None:
    path = tiny_bundle / MANIFEST
    whole = path.read_text()
    manifest = json.loads(whole)
    places = nodes(manifest)
    container, key = places[where % len(places)]
    container[key] = value
    path.write_text(json.dumps(manifest))
    try:
        bundle_or_refusal(tiny_bundle)
    finally:
        path.write_text(whole)


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e999", "1" + "0" * 400, "1" * 5_000])
@pytest.mark.parametrize(("place", "key"), [("decoding", "end"), ("decoding", "max_tokens"), ("calibration", "fusion")])
def test_numbers_beyond_all_measure_give_a_bundle_or_its_error(
    tiny_bundle: Path, place: str, key: str, number: str
) -> None:
    path = tiny_bundle / MANIFEST
    manifest = json.loads(path.read_text())
    manifest[place][key] = "HERE"
    path.write_text(json.dumps(manifest).replace('"HERE"', number))
    bundle_or_refusal(tiny_bundle)


def test_padding_that_a_tokenizer_s_file_asks_for_is_left_out(tiny_bundle: Path, change: Change) -> None:
    words = IEmoNet.load(tiny_bundle, threads=1).classify_text("ask not what you can do")
    path = tiny_bundle / "text_tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_padding(pad_id=9, length=32)
    tokenizer.save(str(path))
    padded = change(lambda m: m["tokenizers"]["text"].update(stated(path)))
    assert IEmoNet.load(padded, threads=1).classify_text("ask not what you can do") == words
