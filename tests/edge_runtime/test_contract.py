"""A bundle whose graphs do not take or give what the runtime passes is refused before it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime import Bundle, BundleError
from edge_runtime.bundle import Slot, Tensor
from edge_runtime.contract import check

Alter = Callable[[Tensor], "Tensor | None"]


@pytest.fixture(scope="module")
def whole(bundle_folder: Path) -> Bundle:
    return Bundle.read(bundle_folder)


def altered(bundle: Bundle, slot: str, name: str, alter: Alter) -> Bundle:
    """``bundle``, whose ``slot`` says something else about its tensor ``name``."""
    old = bundle.slots[slot]

    def tensors(of: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(new for t in of if (new := alter(t) if t.name == name else t))

    new = Slot(old.path, old.precision, tensors(old.inputs), tensors(old.outputs))
    assert new != old
    return replace(bundle, slots={**bundle.slots, slot: new})


def test_the_default_bundle_fits(whole: Bundle) -> None:
    check(whole)


RELIED_ON = [
    ("vad", "input"),
    ("vad", "h"),
    ("vad", "speech_probs"),
    ("speech_encoder", "waveform"),
    ("speech_encoder", "hidden_states"),
    ("speech_encoder", "cross_bias"),
    ("transcript_decoder", "tokens"),
    ("transcript_decoder", "past_key_0"),
    ("transcript_decoder", "present_value_3"),
    ("transcript_decoder", "cross_key_1"),
    ("transcript_decoder", "logits"),
    ("speech_emotion", "hidden_states"),
    ("speech_emotion", "spoken"),
    ("speech_emotion", "logits"),
    ("speech_emotion", "embedding"),
    ("text_emotion", "input_ids"),
    ("text_emotion", "attention_mask"),
    ("text_emotion", "logits"),
    ("text_emotion", "embedding"),
    ("fusion", "present"),
    ("fusion", "speech_embedding"),
    ("fusion", "logits"),
]


@pytest.mark.parametrize(("slot", "name"), RELIED_ON)
@pytest.mark.parametrize(
    "alter",
    [
        lambda t: replace(t, name="x"),
        lambda t: replace(t, dtype="tensor(string)"),
        lambda t: replace(t, dtype="seq(tensor(float))"),
        lambda t: replace(t, shape=()),
        lambda t: replace(t, shape=(*t.shape, 4)),
    ],
    ids=["name", "dtype", "sequence", "scalar", "more axes"],
)
def test_another_tensor_is_refused_with_its_graph(whole: Bundle, slot: str, name: str, alter: Alter) -> None:
    with pytest.raises(BundleError, match=r"\.onnx: "):
        check(altered(whole, slot, name, alter))


@pytest.mark.parametrize(
    ("slot", "name"),
    [
        ("vad", "h"),
        ("speech_encoder", "cross_key_0"),
        ("transcript_decoder", "present_key_0"),
        ("speech_emotion", "hidden_states"),
        ("text_emotion", "embedding"),
        ("fusion", "speech_embedding"),
    ],
)
def test_another_size_is_refused(whole: Bundle, slot: str, name: str) -> None:
    with pytest.raises(BundleError, match="expected"):
        check(altered(whole, slot, name, lambda t: replace(t, shape=(7,) * len(t.shape))))


@pytest.mark.parametrize("slot", ["vad", "text_emotion", "transcript_decoder"])
def test_a_missing_output_is_refused(whole: Bundle, slot: str) -> None:
    with pytest.raises(BundleError, match="has no output"):
        check(replace(whole, slots={**whole.slots, slot: replace(whole.slots[slot], outputs=())}))


def test_what_a_graph_gives_beyond_is_left_alone(whole: Bundle) -> None:
    check(altered(whole, "vad", "hn", lambda t: None))


def test_a_decoder_needs_sizes_to_begin_with_no_past(whole: Bundle) -> None:
    with pytest.raises(BundleError, match="must have sizes"):
        check(altered(whole, "transcript_decoder", "past_key_0", lambda t: replace(t, shape=("b", "h", "old", "w"))))
