"""What the graph of each slot takes and gives: all that the runtime relies on, checked before anything is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_runtime.bundle.slot import Slot, Tensor
from edge_runtime.inference.asr import BIAS

FLOAT, INTEGER = "tensor(float)", "tensor(int64)"
ANY = None
"""A size that differs from call to call; the graph has to leave that axis open."""
OWN = -1
"""A size that is the graph's own choice."""
Form = tuple[str, Sequence["int | None"]]
"""Dtype and sizes. Where a number stands, the graph has that size or leaves the axis open; the batch is always 1."""

STATE: Form = FLOAT, (1, 1, 128)
WAVEFORM: Form = FLOAT, (1, ANY)
ENCODED: Form = FLOAT, (1, ANY, OWN)
TOKENS: Form = INTEGER, (1, ANY)
LOGITS: Form = FLOAT, (1, OWN)
INPUTS: Mapping[str, Mapping[str, Form]] = {
    "vad": {"input": (FLOAT, (ANY, 576)), "h": STATE, "c": STATE},
    "speech_encoder": {"waveform": WAVEFORM},
    "transcript_encoder": {"waveform": WAVEFORM},
    "transcript_memory": {"encoded": ENCODED},
}
OUTPUTS: Mapping[str, Mapping[str, Form]] = {
    "vad": {"speech_probs": (FLOAT, (ANY,)), "hn": STATE, "cn": STATE},
    "speech_encoder": {"hidden_states": (FLOAT, (1, OWN, ANY, OWN))},
    "transcript_encoder": {"hidden_states": (FLOAT, (1, OWN, ANY, OWN))},
    "transcript_memory": {},
    "transcript_decoder": {"logits": LOGITS},
    "batch_decoder": {"logits": (FLOAT, (ANY, OWN))},
    "speech_emotion": {"logits": LOGITS},
    "text_emotion": {"logits": LOGITS},
    "fusion": {"logits": LOGITS},
}
FUSED = {
    f"{part}_{output}": (f"{part}_emotion", output) for part in ("speech", "text") for output in ("embedding", "logits")
}
"""What fusion may take: the slot and the output that each is."""
TEXT: Mapping[str, Form] = {"input_ids": TOKENS, "attention_mask": TOKENS}
TYPES = "token_type_ids"
"""What a ``text_emotion`` takes besides that reads what was said before: 0 on the text's tokens, 1 on the others."""
BASELINE = {"baseline": "input", "baseline_s": "input", "pooled": "output"}
"""What a ``speech_emotion`` has that compares a recording with others of its speaker: all of it, or nothing."""


def check(slots: Mapping[str, Slot], evidence: int = 0) -> None:
    """Check that the graphs in ``slots`` take and give what the runtime passes between them.

    Args:
        slots: by name.
        evidence: how many numbers the manifest names for a fusion that takes evidence.

    Raises:
        BundleError: one does not; the message names slot and tensor.
    """
    for name, slot in slots.items():
        _outputs(slot, OUTPUTS[name])
        if name in INPUTS:
            _inputs(slot, INPUTS[name])
    if "speech_emotion" in slots:
        _speech(slots)
    if "text_emotion" in slots:
        text = slots["text_emotion"]
        _inputs(text, {**TEXT, TYPES: TOKENS} if text.takes(TYPES) else TEXT)
    if "transcript_memory" in slots:
        _memory(slots["speech_encoder"], slots["transcript_memory"])
    if "transcript_decoder" in slots:
        _decoder(slots)
    if "batch_decoder" in slots:
        _batch_decoder(slots)
    if "fusion" in slots:
        _fusion(slots, evidence)


def _speech(slots: Mapping[str, Slot]) -> None:
    """It reads the waveform, or the states of the speech encoder, which of them lie in speech, and a baseline."""
    speech = slots["speech_emotion"]
    baseline = _baseline(speech)
    if speech.takes("hidden_states"):
        states = slots["speech_encoder"].output("hidden_states")
        _inputs(speech, {"hidden_states": _passed(states), "spoken": (FLOAT, (1, ANY)), **baseline})
    elif speech.takes("waveform"):
        _inputs(speech, {"waveform": WAVEFORM})
    else:
        raise speech.error("takes neither 'hidden_states' nor 'waveform'")


def _baseline(speech: Slot) -> Mapping[str, Form]:
    """Return the inputs of ``speech`` that are a baseline, whose rows have the size of what it pools; {} of none."""
    if not (speech.takes("baseline") or speech.takes("baseline_s") or speech.gives("pooled")):
        return {}
    for name, end in BASELINE.items():
        if not (speech.takes(name) if end == "input" else speech.gives(name)):
            others = " and ".join(repr(other) for other in BASELINE if other != name)
            raise speech.error(f"has no {end} {name!r}, which belongs to {others}")
    pooled = speech.output("pooled")
    _fits(speech, pooled, (FLOAT, (1, OWN)))
    _sized(speech, pooled, 1)
    rows: Form = FLOAT, (1, ANY, int(pooled.shape[1]))
    _fits(speech, speech.input("baseline"), rows)
    _sized(speech, speech.input("baseline"), 2)
    return {"baseline": rows, "baseline_s": (FLOAT, (1, ANY))}


def _memory(encoder: Slot, memory: Slot) -> None:
    """It takes what the encoder gives of its last layer, and that alone."""
    encoded = encoder.output("encoded")
    _fits(encoder, encoded, ENCODED)
    _inputs(memory, {"encoded": _passed(encoded)})


def _decoder(slots: Mapping[str, Slot]) -> None:
    """It takes tokens, what its encoder gives besides the states, and its own past."""
    decoder, encoder = slots["transcript_decoder"], _decoded(slots)
    for tensor in _memory_of(encoder):
        if len(tensor.shape) > 1:
            _fits(encoder, tensor, (tensor.dtype, [1, *[OWN] * len(tensor.shape[1:])]))
    _decodes(decoder, {tensor.name: _passed(tensor) for tensor in _memory_of(encoder)})


def _batch_decoder(slots: Mapping[str, Slot]) -> None:
    """It is the decoder of any number of utterances: their axis is open, and each has a bias of its own."""
    decoder, several, encoder = slots["transcript_decoder"], slots["batch_decoder"], _decoded(slots)
    _fits(encoder, encoder.output(BIAS), (FLOAT, (OWN,)))
    memory = {tensor.name: _open(_passed(tensor)) for tensor in _memory_of(encoder) if tensor.name != BIAS}
    for tensor in _memory_of(encoder):
        if tensor.name != BIAS:
            _fits(encoder, tensor, (FLOAT, (1, OWN, OWN, OWN)))
    _decodes(several, {**memory, BIAS: (FLOAT, (ANY, 1, 1, ANY))}, batch=ANY)
    for own in decoder.inputs:
        if own.name.startswith("past_"):
            _fits(several, several.input(own.name), _open(_passed(own)))
    for tensor in several.inputs:
        if not decoder.takes(tensor.name):
            raise several.error(f"takes {tensor.name!r}, which transcript_decoder does not take")
    (*_, vocabulary) = decoder.output("logits").shape or (OWN,)
    _fits(several, several.output("logits"), (FLOAT, (ANY, vocabulary if isinstance(vocabulary, int) else OWN)))


def _decoded(slots: Mapping[str, Slot]) -> Slot:
    """Return the slot whose memory is decoded."""
    return slots.get("transcript_encoder") or slots.get("transcript_memory") or slots["speech_encoder"]


def _memory_of(encoder: Slot) -> list[Tensor]:
    return [tensor for tensor in encoder.outputs if tensor.name != "hidden_states"]


def _decodes(decoder: Slot, given: Mapping[str, Form], batch: int | None = 1) -> None:
    """Check that ``decoder`` takes tokens, what is ``given`` and its own past, and gives logits and its past.

    Args:
        decoder: either of the two.
        given: the memory.
        batch: utterances in a call.
    """
    past = [tensor for tensor in decoder.inputs if tensor.name.startswith("past_")]
    if not past:
        raise decoder.error("takes no 'past_…', so that it cannot know what it wrote before")
    own = dict.fromkeys((tensor.name for tensor in past), (FLOAT, (batch, OWN, ANY, OWN)))
    _inputs(decoder, {"tokens": (INTEGER, (batch, ANY)), **given, **own})
    for tensor in past:
        _sized(decoder, tensor, 1, 3)
        dtype, (_, *sizes) = _passed(tensor)
        _fits(decoder, decoder.output(_present(tensor)), (dtype, (batch, *sizes)))
    for tensor in decoder.outputs:
        if tensor.name not in {"logits", *map(_present, past)}:
            raise decoder.error(f"gives {tensor.name!r}, which it does not take as its past")


def _fusion(slots: Mapping[str, Slot], evidence: int) -> None:
    """It takes outputs of the two branches, by the branch's name, which of them are there, and perhaps evidence."""
    fusion = slots["fusion"]
    taken = [tensor for tensor in fusion.inputs if tensor.name in FUSED]
    if not taken:
        raise fusion.error(f"takes none of {', '.join(FUSED)}")
    expected: dict[str, Form] = {"present": (FLOAT, (1, 2))}
    for tensor in taken:
        branch, output = slots[FUSED[tensor.name][0]], FUSED[tensor.name][1]
        given = branch.output(output)
        _fits(branch, given, LOGITS)
        _sized(branch, given, 1)
        expected[tensor.name] = _passed(given)
    if fusion.takes("evidence"):
        expected["evidence"] = (FLOAT, (1, evidence))
    _inputs(fusion, expected)
    for tensor in taken:  # zeros of this size stand for a branch that is not there
        _sized(fusion, tensor, 1)


def _inputs(slot: Slot, expected: Mapping[str, Form]) -> None:
    """Check that ``slot`` takes just what is ``expected``."""
    for tensor in slot.inputs:
        if tensor.name not in expected:
            raise slot.error(f"takes {tensor.name!r}, which it is not given (it is given {', '.join(expected)})")
    for name, form in expected.items():
        _fits(slot, slot.input(name), form)


def _outputs(slot: Slot, expected: Mapping[str, Form]) -> None:
    """Check that ``slot`` gives what is ``expected``; nobody reads what it gives beyond."""
    for name, form in expected.items():
        _fits(slot, slot.output(name), form)


def _fits(slot: Slot, tensor: Tensor, form: Form) -> None:
    dtype, sizes = form
    fits = len(tensor.shape) == len(sizes) and all(
        size == OWN or not isinstance(axis, int) or axis == size for axis, size in zip(tensor.shape, sizes, strict=True)
    )
    if tensor.dtype != dtype or not fits:
        shown = {ANY: "open", OWN: "any"}
        expected = ", ".join(shown.get(size, str(size)) for size in sizes)
        raise slot.error(f"{tensor.name!r} is {tensor.dtype} {list(tensor.shape)}; expected {dtype} ({expected})")


def _sized(slot: Slot, tensor: Tensor, *axes: int) -> None:
    for axis in axes:
        if not isinstance(tensor.shape[axis], int):
            raise slot.error(f"{tensor.name!r} is {list(tensor.shape)}; its axis {axis} must have a size")


def _passed(tensor: Tensor) -> Form:
    """Return the form of what another graph gives as ``tensor``."""
    sizes = [axis if isinstance(axis, int) else ANY for axis in tensor.shape]
    return tensor.dtype, [1, *sizes[1:]] if len(sizes) > 1 else sizes


def _open(form: Form) -> Form:
    """Return the form of a tensor of any number of utterances."""
    return form[0], [ANY, *form[1][1:]]


def _present(past: Tensor) -> str:
    return "present" + past.name.removeprefix("past")
