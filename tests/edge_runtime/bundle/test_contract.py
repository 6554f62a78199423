"""A bundle whose graphs do not take or give what the runtime passes is refused before it runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
from onnx import helper

from edge_runtime import Bundle, BundleError, IEmoNet
from edge_runtime.bundle.bundle import MANIFEST
from export.inspect_bundle import schema_errors
from tests import tiny_bundle as tiny

Edit = Callable[[dict[str, Any]], Any]
READS: dict[str, dict[str, bool]] = {
    "waveform": {},
    "states": {"reads_states": True},
    "baseline": {"takes_baseline": True},
    "apart": {"reads_states": True, "memory_apart": True},
    "batches": {"batches": True},
}
"""What the voice of each of five tiny bundles reads (the fourth has the transcript's layers apart, the last decodes
several utterances together); how each is made."""


class Place(NamedTuple):
    """An input or output of a graph of a tiny bundle, by the name of the slot's file."""

    reads: str
    slot: str
    end: str
    name: str


def tensors(reads: str) -> dict[Place, dict[str, Any]]:
    """What the manifest states of each, of the bundle whose voice ``reads`` the waveform, states or a baseline too."""
    return {
        Place(reads, slot, end, value.name): tiny.tensor(value)
        for slot, text in tiny.graphs(**READS[reads]).items()
        for end in ("input", "output")
        for value in getattr(tiny.graph(text).graph, end)
    }


TENSORS = tensors("waveform") | {
    place: t
    for reads in ("states", "baseline")
    for place, t in tensors(reads).items()
    if place.slot == "speech_emotion"
}
TENSORS |= {place: t for place, t in tensors("apart").items() if place.slot in tiny.APART}
TENSORS |= {place: t for place, t in tensors("batches").items() if place.slot == "batch_decoder"}
SPARED = [
    Place("waveform", "fusion", "input", "speech_embedding"),
    Place("waveform", "fusion", "input", "text_logits"),
    Place("waveform", "text_emotion", "output", "embedding"),
    Place("waveform", "fusion", "input", "evidence"),
]
"""The tiny fusion takes the embedding of the voice and the logits of the words; one of the two is enough.
Evidence is taken or not."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tiny")
    return {reads: tiny.build(folder / reads, **how) for reads, how in READS.items()}


def use_everything(model: IEmoNet, jfk: Path) -> None:
    """Go every way through the graphs: a short clip, a longer one, words, a stream, and each branch alone."""
    noise = np.random.default_rng(0).normal(0, 0.1, 16 * 16_000).astype(np.float32)
    model.warm_up()
    assert model(jfk).used == ("voice", "words")
    assert model(noise, 16_000).segments
    assert [answer.label for answer in model([noise, noise[:16_000]], 16_000)]
    assert model(jfk, asr=False).used == ("voice",)
    assert model(jfk, transcript="ask what you can do").used == ("voice", "words")
    assert model.classify_text("ask not").label
    assert list(model.timeline(jfk))
    stream = model.stream(16_000, provisional_s=1)
    assert [*stream.feed(noise), *stream.close()]


def without(place: Place, whole: dict[str, Path], folder: Path) -> Path:
    """Write into ``folder`` a bundle whose graph lacks the tensor at ``place``, as the manifest says too."""
    shutil.copytree(whole[place.reads], folder)
    path = folder / f"{place.slot}.onnx"
    model = onnx.load(path)
    values = getattr(model.graph, place.end)
    (gone,) = (value for value in values if value.name == place.name)
    values.remove(gone)
    if place.end == "input":
        sizes = [axis.dim_value or 1 for axis in gone.type.tensor_type.shape.dim]
        zeros = np.zeros(sizes, helper.tensor_dtype_to_np_dtype(gone.type.tensor_type.elem_type))
        model.graph.initializer.append(onnx.numpy_helper.from_array(zeros, place.name))
    onnx.save(model, path)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["slots"][place.slot].update(tiny.stated(path) | tiny.ends(folder, place.slot))
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def named(place: Place) -> str:
    """Return a pattern for errors that name the slot and the tensor, or what belongs to it."""
    partners = {place.name, place.name.replace("past_", "present_"), place.name.replace("present_", "past_")}
    return rf"\.onnx: slot \w+ .*'({'|'.join(partners)})'"


def test_the_same_encoder_in_two_graphs_gives_the_same_answers(whole: dict[str, Path], jfk: Path) -> None:
    one, two = (IEmoNet.load(whole[reads], threads=1) for reads in ("states", "apart"))
    for asr in (True, False):
        first, second = one(jfk, asr=asr), two(jfk, asr=asr)
        assert first.segments == second.segments
        assert bool(first.transcript) == asr


def test_a_bundle_that_fits_is_read_and_every_way_leads_through_it(whole: dict[str, Path], jfk: Path) -> None:
    for folder in whole.values():
        use_everything(IEmoNet.load(folder, threads=1), jfk)


def test_the_default_bundle_fits(bundle_folder: Path) -> None:
    assert Bundle.read(bundle_folder)


@pytest.mark.parametrize("place", [p for p in TENSORS if p not in SPARED], ids=".".join)
def test_a_graph_without_one_of_its_tensors_is_refused_at_load(
    whole: dict[str, Path], tmp_path: Path, place: Place
) -> None:
    with pytest.raises(BundleError, match=named(place)):
        IEmoNet.load(without(place, whole, tmp_path / "bundle"), threads=1)


@pytest.mark.parametrize("place", SPARED, ids=".".join)
def test_what_no_other_graph_needs_may_be_left_out(
    whole: dict[str, Path], tmp_path: Path, jfk: Path, place: Place
) -> None:
    use_everything(IEmoNet.load(without(place, whole, tmp_path / "bundle"), threads=1), jfk)


def test_a_detector_that_keeps_no_memory_is_refused_with_its_slot(whole: dict[str, Path], tmp_path: Path) -> None:
    folder = without(Place("waveform", "vad", "output", "hn"), whole, tmp_path / "bundle")
    with pytest.raises(BundleError, match=r"vad\.onnx: slot vad has no output 'hn'; export the bundle again"):
        IEmoNet.load(folder)


EDITS: dict[str, Edit] = {
    "another name": lambda t: t.update(name="x"),
    "another type": lambda t: t.update(dtype="tensor(string)"),
    "half as many bits": lambda t: t.update(dtype="tensor(float16)"),
    "a sequence": lambda t: t.update(dtype="seq(tensor(float))"),
    "a number alone": lambda t: t.update(shape=[]),
    "one more axis": lambda t: t.update(shape=[*t["shape"], 4]),
    "one axis less": lambda t: t.update(shape=t["shape"][1:]),
    "a first axis of seven": lambda t: t.update(shape=[7, *t["shape"][1:]]),
    "every axis but the batch fixed": lambda t: t.update(
        shape=[axis if axis == "batch" or isinstance(axis, int) else 9 for axis in t["shape"]]
    ),
}


def changed(tensor: dict[str, Any], edit: str) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(tensor))
    EDITS[edit](copy)
    return copy


CASES = {edit: [p for p, tensor in TENSORS.items() if changed(tensor, edit) != tensor] for edit in EDITS}
MEMORIES = [("waveform", "speech_encoder"), ("apart", "transcript_memory")]
AS_GOOD = {
    *((SPARED[2], edit) for edit in EDITS),
    # What is heard may be of one size, whatever the recording; its positions are an axis of their own.
    *(
        (Place(*encoder, "output", f"cross_{what}"), "every axis but the batch fixed")
        for encoder in MEMORIES
        for what in ("bias", "key_0", "value_0")
    ),
    *((Place(*encoder, "output", "cross_bias"), "a first axis of seven") for encoder in MEMORIES),
}


def edited(folder: Path, place: Place, edit: str) -> dict[str, Any]:
    """Return the manifest of ``folder`` with another tensor at ``place``."""
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    ends = manifest["slots"][place.slot][f"{place.end}s"]
    ends[:] = [changed(tensor, edit) if tensor["name"] == place.name else tensor for tensor in ends]
    return manifest


def read(folder: Path, manifest: dict[str, Any]) -> Bundle:
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return Bundle.read(folder)


@pytest.fixture
def copies(whole: dict[str, Path], tmp_path: Path) -> dict[str, Path]:
    return {reads: Path(shutil.copytree(folder, tmp_path / reads)) for reads, folder in whole.items()}


@pytest.mark.parametrize("edit", EDITS)
def test_another_tensor_is_refused_with_slot_and_name(
    whole: dict[str, Path], copies: dict[str, Path], edit: str
) -> None:
    for place in (place for place in CASES[edit] if (place, edit) not in AS_GOOD):
        with pytest.raises(BundleError, match=f"{named(place)}|takes 'x'"):
            read(copies[place.reads], edited(whole[place.reads], place, edit))


def test_another_tensor_that_is_as_good_is_taken(whole: dict[str, Path], copies: dict[str, Path]) -> None:
    for place, edit in AS_GOOD:
        assert read(copies[place.reads], edited(whole[place.reads], place, edit))


@pytest.mark.parametrize("edit", EDITS)
def test_the_json_schema_refuses_the_same_but_for_what_two_graphs_pass_each_other(
    whole: dict[str, Path], edit: str
) -> None:
    def between_two(place: Place) -> bool:
        past = place.name.startswith("past_") and edit == "another name"
        bias = (place.slot, place.name) == ("batch_decoder", "cross_bias")
        return past or (place.name.startswith("cross_") and not bias) or place.name == "embedding"

    for place in CASES[edit]:
        assert bool(schema_errors(edited(whole[place.reads], place, edit))) == (not between_two(place)), place


MISFITS: dict[str, tuple[Edit, str]] = {
    "a decoder whose past has no width": (
        lambda slots: slots["transcript_decoder"]["inputs"][4].update(shape=["batch", 1, "old", "w"]),
        "slot transcript_decoder 'past_key_0' .* its axis 3 must have a size",
    ),
    "a decoder without a past": (
        lambda slots: slots["transcript_decoder"].update(
            inputs=slots["transcript_decoder"]["inputs"][:4], outputs=slots["transcript_decoder"]["outputs"][:1]
        ),
        "slot transcript_decoder takes no 'past_",
    ),
    "a decoder that gives more than its past": (
        lambda slots: slots["transcript_decoder"]["outputs"].append(
            {"name": "attention", "dtype": "tensor(float)", "shape": ["batch", 3]}
        ),
        "slot transcript_decoder gives 'attention'",
    ),
    "an encoder that gives what its decoder does not take": (
        lambda slots: slots["speech_encoder"]["outputs"].append(
            {"name": "cross_key_1", "dtype": "tensor(float)", "shape": ["batch", 1, "positions", 2]}
        ),
        "slot transcript_decoder has no input 'cross_key_1'",
    ),
    "a fusion of unknown width": (
        lambda slots: slots["fusion"]["inputs"][1].update(shape=["batch", "width"]),
        "slot fusion 'speech_embedding' .* its axis 1 must have a size",
    ),
    "a fusion of another width than the branch's": (
        lambda slots: slots["fusion"]["inputs"][1].update(shape=["batch", 5]),
        r"slot fusion 'speech_embedding' .* expected tensor\(float\) \(1, 3\)",
    ),
    "a fusion of more evidence than is named": (
        lambda slots: slots["fusion"]["inputs"][3].update(shape=["batch", 3]),
        r"slot fusion 'evidence' .* expected tensor\(float\) \(1, 2\)",
    ),
    "a fusion of nothing": (
        lambda slots: slots["fusion"].update(inputs=slots["fusion"]["inputs"][:1]),
        "slot fusion takes none of speech_embedding",
    ),
    "a fusion of what no branch gives": (
        lambda slots: slots["fusion"]["inputs"][1].update(name="speech_states"),
        "slot fusion takes 'speech_states'",
    ),
    "a voice that reads neither": (
        lambda slots: slots["speech_emotion"]["inputs"][0].update(name="sound"),
        "slot speech_emotion takes neither 'hidden_states' nor 'waveform'",
    ),
}


BASELINE_MISFITS: dict[str, tuple[Edit, str]] = {
    "seconds of a baseline without its rows": (
        lambda voice: voice["inputs"].pop(2),
        "has no input 'baseline', which belongs to 'baseline_s' and 'pooled'",
    ),
    "a baseline that no recording can become": (
        lambda voice: voice["outputs"].pop(2),
        "has no output 'pooled', which belongs to 'baseline' and 'baseline_s'",
    ),
    "rows of another size than what is pooled": (
        lambda voice: voice["inputs"][2].update(shape=["batch", "recordings", 4]),
        r"'baseline' .* expected tensor\(float\) \(1, open, 3\)",
    ),
    "rows of unknown size": (
        lambda voice: voice["inputs"][2].update(shape=["batch", "recordings", "features"]),
        "'baseline' .* its axis 2 must have a size",
    ),
    "what is pooled of unknown size": (
        lambda voice: voice["outputs"][2].update(shape=["batch", "features"]),
        "'pooled' .* its axis 1 must have a size",
    ),
    "a fixed number of recordings": (
        lambda voice: voice["inputs"][3].update(shape=["batch", 8]),
        r"'baseline_s' .* expected tensor\(float\) \(1, open\)",
    ),
    "a baseline of a voice that reads the waveform": (
        lambda voice: voice["inputs"].__setitem__(
            slice(0, 2), [{"name": "waveform", "dtype": "tensor(float)", "shape": ["batch", "samples"]}]
        ),
        "takes 'baseline', which it is not given",
    ),
}


@pytest.mark.parametrize(
    "types",
    [
        {"name": "token_type_ids", "dtype": "tensor(float)", "shape": ["batch", "tokens"]},
        {"name": "token_type_ids", "dtype": "tensor(int64)", "shape": ["batch", 8]},
        {"name": "segments", "dtype": "tensor(int64)", "shape": ["batch", "tokens"]},
    ],
)
def test_token_types_of_another_form_are_refused(context_bundle: Path, tmp_path: Path, types: dict[str, Any]) -> None:
    folder = Path(shutil.copytree(context_bundle, tmp_path / "bundle"))
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["slots"]["text_emotion"]["inputs"][2] = types
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert schema_errors(manifest)
    with pytest.raises(BundleError, match=types["name"]):
        Bundle.read(folder)


@pytest.mark.parametrize("name", BASELINE_MISFITS)
def test_a_voice_whose_baseline_is_not_whole_is_refused(copies: dict[str, Path], name: str) -> None:
    edit, said = BASELINE_MISFITS[name]
    manifest = json.loads((copies["baseline"] / MANIFEST).read_text())
    edit(manifest["slots"]["speech_emotion"])
    with pytest.raises(BundleError, match=f"slot speech_emotion {said}"):
        read(copies["baseline"], manifest)


BATCH_MISFITS: dict[str, tuple[Edit, str]] = {
    "tokens of one utterance": (
        lambda slots: slots["batch_decoder"]["inputs"][0].update(shape=[1, "new"]),
        "slot batch_decoder 'tokens'",
    ),
    "a memory of one utterance": (
        lambda slots: slots["batch_decoder"]["inputs"][2].update(shape=[1, 1, "positions", 2]),
        "slot batch_decoder 'cross_key_0'",
    ),
    "a bias for all": (
        lambda slots: slots["batch_decoder"]["inputs"][1].update(shape=["positions"]),
        "slot batch_decoder 'cross_bias'",
    ),
    "a past of another width": (
        lambda slots: [
            slots["batch_decoder"][end][at].update(shape=["batch", 1, "old", 3])
            for end, at in (("inputs", 4), ("outputs", 1))
        ],
        "slot batch_decoder 'past_key_0'",
    ),
    "another vocabulary": (
        lambda slots: slots["batch_decoder"]["outputs"][0].update(shape=["batch", 11]),
        "slot batch_decoder 'logits'",
    ),
    "logits of one utterance": (
        lambda slots: slots["batch_decoder"]["outputs"][0].update(shape=[1, 10]),
        "slot batch_decoder 'logits'",
    ),
    "no decoder of one utterance": (lambda slots: slots.pop("transcript_decoder"), "'transcript_decoder' is missing"),
}


@pytest.mark.parametrize("name", BATCH_MISFITS)
def test_a_decoder_of_several_that_does_not_fit_is_refused(copies: dict[str, Path], name: str) -> None:
    edit, said = BATCH_MISFITS[name]
    manifest: dict[str, Any] = json.loads((copies["batches"] / MANIFEST).read_text())
    edit(manifest["slots"])
    with pytest.raises(BundleError, match=said):
        read(copies["batches"], manifest)


@pytest.mark.parametrize("name", MISFITS)
def test_graphs_that_do_not_fit_each_other_are_refused(tiny_bundle: Path, name: str) -> None:
    edit, said = MISFITS[name]
    manifest = json.loads((tiny_bundle / MANIFEST).read_text())
    edit(manifest["slots"])
    with pytest.raises(BundleError, match=said):
        read(tiny_bundle, manifest)


@pytest.mark.parametrize("slot", [slot for slot in tiny.GRAPHS if slot not in {"speech_encoder", "transcript_decoder"}])
def test_what_a_graph_gives_beyond_is_left_alone(tiny_bundle: Path, slot: str) -> None:
    manifest = json.loads((tiny_bundle / MANIFEST).read_text())
    manifest["slots"][slot]["outputs"].append({"name": "more", "dtype": "tensor(bool)", "shape": []})
    assert read(tiny_bundle, manifest).slots[slot].output("more")
    assert schema_errors(manifest) == []
