"""What the graph of each slot takes and gives: all that the runtime relies on, checked before anything is run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from edge_runtime.errors import BundleError

if TYPE_CHECKING:
    from edge_runtime.bundle import Bundle, Slot, Tensor

FLOAT, HALF, INTEGER = "tensor(float)", "tensor(float16)", "tensor(int64)"
Shape = tuple["int | None", ...]
"""None is any size."""

INPUTS: Mapping[str, Mapping[str, tuple[str, Shape]]] = {
    "vad": {"input": (FLOAT, (None, 576)), "h": (FLOAT, (1, 1, 128)), "c": (FLOAT, (1, 1, 128))},
    "speech_encoder": {"waveform": (FLOAT, (None, None))},
    "transcript_encoder": {"waveform": (FLOAT, (None, None))},
    "text_emotion": {"input_ids": (INTEGER, (None, None)), "attention_mask": (INTEGER, (None, None))},
}
OUTPUTS: Mapping[str, Mapping[str, tuple[str, Shape]]] = {
    "vad": {"speech_probs": (FLOAT, (None,))},
    "speech_encoder": {},
    "transcript_encoder": {},
    "transcript_decoder": {"logits": (FLOAT, (None, None))},
    "speech_emotion": {"logits": (FLOAT, (None, None))},
    "text_emotion": {"logits": (FLOAT, (None, None))},
    "fusion": {"logits": (FLOAT, (None, None))},
}


def check(bundle: Bundle) -> None:
    """Check that the graphs of ``bundle`` take and give what the runtime passes between them.

    Raises:
        BundleError: one does not; the message names slot and tensor.
    """
    for name, slot in bundle.slots.items():
        _outputs(slot, OUTPUTS[name])
        if name in INPUTS:
            _inputs(slot, INPUTS[name])
    for name in {"speech_encoder", "transcript_encoder"} & set(bundle.slots):
        states = bundle.slots[name].output("hidden_states")
        _fits(bundle.slots[name], states, (HALF if states.dtype == HALF else FLOAT, (None, None, None, None)))
    if "speech_emotion" in bundle.slots:
        _voice(bundle)
    if "transcript_decoder" in bundle.slots:
        encoder = bundle.slots.get("transcript_encoder") or bundle.slots["speech_encoder"]
        _decoder(bundle.slots["transcript_decoder"], encoder)
    if "fusion" in bundle.slots:
        _fusion(bundle)


def _voice(bundle: Bundle) -> None:
    """It reads the waveform, or the states of the speech encoder and which of them lie in speech."""
    voice = bundle.slots["speech_emotion"]
    if voice.takes("waveform"):
        return _inputs(voice, {"waveform": (FLOAT, (None, None))})
    states = bundle.slots["speech_encoder"].output("hidden_states") if voice.takes("hidden_states") else None
    given = (states.dtype, _sizes(states)) if states else (FLOAT, (None, None, None, None))
    return _inputs(voice, {"hidden_states": given, "spoken": (FLOAT, (None, None))})


def _decoder(decoder: Slot, encoder: Slot) -> None:
    """It takes tokens, its own past, and whatever else the encoder gives."""
    past = {t.name.removeprefix("past"): t for t in decoder.inputs if t.name.startswith("past_")}
    expected: dict[str, tuple[str, Shape]] = {"tokens": (INTEGER, (None, None))}
    expected |= {t.name: (t.dtype, _sizes(t)) for t in encoder.outputs if t.name != "hidden_states"}
    expected |= {f"past{name}": (FLOAT, (None, None, None, None)) for name in past}
    _inputs(decoder, expected)
    for name, tensor in past.items():
        present = decoder.output(f"present{name}")
        if not all(isinstance(tensor.shape[axis], int) for axis in (1, 3)):
            raise BundleError(f"{decoder.path}: {tensor.name} is {tensor.shape}; its axes 1 and 3 must have sizes")
        _fits(decoder, present, (FLOAT, _sizes(tensor)))
    extra = {t.name for t in decoder.outputs} - {"logits"} - {f"present{name}" for name in past}
    if extra:
        raise BundleError(f"{decoder.path}: gives {', '.join(sorted(extra))}, which it does not take as its past")


def _fusion(bundle: Bundle) -> None:
    """It takes outputs of the two branches, by the branch's name, and which of them are there."""
    fusion, expected = bundle.slots["fusion"], {"present": (FLOAT, (None, 2))}
    branches = {"speech": bundle.slots["speech_emotion"], "text": bundle.slots["text_emotion"]}
    for tensor in fusion.inputs:
        branch, _, output = tensor.name.partition("_")
        if tensor.name != "present":
            if branch not in branches:
                raise BundleError(f"{fusion.path}: takes {tensor.name!r}, which no branch gives")
            given = branches[branch].output(output)
            if len(given.shape) != 2 or not isinstance(given.shape[1], int):
                raise BundleError(f"{branches[branch].path}: {output} is {given.shape}; expected (batch, a size)")
            expected[tensor.name] = (given.dtype, (None, given.shape[1]))
    _inputs(fusion, expected)


def _inputs(slot: Slot, expected: Mapping[str, tuple[str, Shape]]) -> None:
    names = {t.name for t in slot.inputs}
    if names != set(expected):
        raise BundleError(f"{slot.path}: takes {_listed(names)}; this slot is given {_listed(expected)}")
    for name, wanted in expected.items():
        _fits(slot, slot.input(name), wanted)


def _outputs(slot: Slot, expected: Mapping[str, tuple[str, Shape]]) -> None:
    for name, wanted in expected.items():
        _fits(slot, slot.output(name), wanted)


def _fits(slot: Slot, tensor: Tensor, wanted: tuple[str, Shape]) -> None:
    dtype, shape = wanted
    sizes = _sizes(tensor)
    fit = len(sizes) == len(shape) and all(
        None in pair or pair[0] == pair[1] for pair in zip(sizes, shape, strict=True)
    )
    if tensor.dtype != dtype or not fit:
        there = ", ".join("any" if size is None else str(size) for size in shape)
        raise BundleError(f"{slot.path}: {tensor.name} is {tensor.dtype} {tensor.shape}; expected {dtype} ({there})")


def _sizes(tensor: Tensor) -> Shape:
    return tuple(size if isinstance(size, int) else None for size in tensor.shape)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
