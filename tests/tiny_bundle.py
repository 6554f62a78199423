"""A bundle of graphs of a few nodes, which answers as a whole one does: for tests that damage or change bundles.

A window is a voice where it is loud. Logits are sums and cosines of what comes in, so that all of it counts.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, parser
from tokenizers import Tokenizer, models, pre_tokenizers

from edge_runtime.bundle.bundle import MANIFEST, SCHEMA, TEMPERATURES, TOKENIZERS

LABELS = ["angry", "happy", "neutral", "sad"]
WORDS = ["[UNK]", "[START]", "[END]", "ask", "not", "what", "you", "can", "do", "country"]
DTYPES = {int(TensorProto.FLOAT): "tensor(float)", int(TensorProto.INT64): "tensor(int64)"}
PAST = """
            float[batch,1,positions,2] cross_key_0, float[batch,1,positions,2] cross_value_0,
            float[batch,1,old,2] past_key_0, float[batch,1,old,2] past_value_0)
        => (float[batch,10] logits, float[batch,1,total,2] present_key_0, float[batch,1,total,2] present_value_0) {
        axes = Constant<value_ints=[1,3]>()
        ids = Cast<to=1>(tokens)
        narrow = Unsqueeze(ids, axes)
        now = Concat<axis=3>(narrow, narrow)
        present_key_0 = Concat<axis=2>(past_key_0, now)
        present_value_0 = Concat<axis=2>(past_value_0, now)
        inner = Constant<value_ints=[1,2,3]>()
        a = ReduceSum<keepdims=0>(present_key_0, inner)
        b = ReduceSum<keepdims=0>(present_value_0, inner)
"""
"""How a decoder begins: what was written before goes into its keys and values."""
NEXT = """
        sums = Sum(a, b, d, e, f)
        last = Constant<value_ints=[1]>()
        sum = Unsqueeze(sums, last)
        phases = Constant<value=float[1,10] {0,1,2,3,4,5,6,7,8,9}>()
        moved = Add(phases, sum)
        logits = Cos(moved)
}"""
"""How a decoder ends: the scores of the tokens that follow."""
GRAPHS = {
    "vad": """(float[windows,576] input, float[1,1,128] h, float[1,1,128] c)
        => (float[windows] speech_probs, float[1,1,128] hn, float[1,1,128] cn) {
        size = Abs(input)
        loudest = ReduceMax<axes=[1], keepdims=0>(size)
        one = Constant<value_float=1.0>()
        ten = Constant<value_float=10.0>()
        more = Mul(loudest, ten)
        speech_probs = Min(more, one)
        hn = Tanh(h)
        cn = Tanh(c)
    }""",
    "speech_encoder": """(float[batch,samples] waveform)
        => (float[batch,2,states,4] hidden_states, float[positions] cross_bias,
            float[batch,1,positions,2] cross_key_0, float[batch,1,positions,2] cross_value_0) {
        first = Constant<value_ints=[1]>()
        last = Constant<value_ints=[3]>()
        all = Constant<value_ints=[-1]>()
        sound = Unsqueeze(waveform, first)
        pooled = MaxPool<kernel_shape=[320], strides=[320], ceil_mode=1>(sound)
        layer = Unsqueeze(pooled, last)
        wide = Concat<axis=3>(layer, layer, layer, layer)
        hidden_states = Concat<axis=1>(wide, wide)
        cross_bias = Reshape(pooled, all)
        cross_key_0 = Concat<axis=3>(layer, layer)
        cross_value_0 = Cos(cross_key_0)
    }""",
    "transcript_decoder": "(int64[batch,new] tokens, float[positions] cross_bias,"
    + PAST
    + """
        d = ReduceMean<keepdims=0>(cross_bias)
        e = ReduceMean<keepdims=0>(cross_key_0)
        f = ReduceMean<keepdims=0>(cross_value_0)
    """
    + NEXT,
    "speech_emotion": """(float[batch,samples] waveform) => (float[batch,4] logits, float[batch,3] embedding) {
        size = Abs(waveform)
        mean = ReduceMean<axes=[1], keepdims=1>(size)
        embedding = Concat<axis=1>(mean, mean, mean)
        phases = Constant<value=float[1,4] {0,1,2,3}>()
        moved = Add(phases, mean)
        logits = Cos(moved)
    }""",
    "text_emotion": """(int64[batch,tokens] input_ids, int64[batch,tokens] attention_mask)
        => (float[batch,4] logits, float[batch,2] embedding) {
        kept = Mul(input_ids, attention_mask)
        ids = Cast<to=1>(kept)
        mean = ReduceMean<axes=[1], keepdims=1>(ids)
        embedding = Concat<axis=1>(mean, mean)
        phases = Constant<value=float[1,4] {0,1,2,3}>()
        moved = Add(phases, mean)
        logits = Cos(moved)
    }""",
    "fusion": """(float[batch,2] present, float[batch,3] speech_embedding, float[batch,4] text_logits,
            float[batch,2] evidence)
        => (float[batch,4] logits) {
        voice = ReduceMean<axes=[1], keepdims=1>(speech_embedding)
        there = ReduceMean<axes=[1], keepdims=1>(present)
        told = ReduceMean<axes=[1], keepdims=1>(evidence)
        size = Abs(told)
        one = Constant<value_float=1.0>()
        more = Add(size, one)
        words = Mul(text_logits, more)
        logits = Sum(voice, there, words)
    }""",
}
EVIDENCE = ["words_per_s", "mean_log_probability"]
"""What the fusion is told of the words."""
READS_STATES = """(float[batch,2,states,4] hidden_states, float[batch,states] spoken)
    => (float[batch,4] logits, float[batch,3] embedding) {
    axes = Constant<value_ints=[1,3]>()
    wide = Unsqueeze(spoken, axes)
    kept = Mul(hidden_states, wide)
    each = ReduceMean<axes=[1,2,3], keepdims=0>(kept)
    last = Constant<value_ints=[1]>()
    mean = Unsqueeze(each, last)
    embedding = Concat<axis=1>(mean, mean, mean)
    phases = Constant<value=float[1,4] {0,1,2,3}>()
    moved = Add(phases, mean)
    logits = Cos(moved)
}"""
"""A ``speech_emotion`` that reads the states of the speech encoder."""
TAKES_BASELINE = """(float[batch,2,states,4] hidden_states, float[batch,states] spoken,
        float[batch,recordings,3] baseline, float[batch,recordings] baseline_s)
    => (float[batch,4] logits, float[batch,3] embedding, float[batch,3] pooled) {
    axes = Constant<value_ints=[1,3]>()
    wide = Unsqueeze(spoken, axes)
    kept = Mul(hidden_states, wide)
    each = ReduceMean<axes=[1,2,3], keepdims=0>(kept)
    first = Constant<value_ints=[1]>()
    mean = Unsqueeze(each, first)
    pooled = Concat<axis=1>(mean, mean, mean)
    last = Constant<value_ints=[2]>()
    weights = Unsqueeze(baseline_s, last)
    weighted = Mul(baseline, weights)
    sums = ReduceSum<keepdims=0>(weighted, first)
    seconds = ReduceSum<keepdims=1>(baseline_s, first)
    one = Constant<value_float=1.0>()
    more = Add(seconds, one)
    usual = Div(sums, more)
    embedding = Sub(pooled, usual)
    unusual = ReduceSum<keepdims=1>(embedding, first)
    phases = Constant<value=float[1,4] {0,1,2,3}>()
    moved = Add(phases, unusual)
    logits = Cos(moved)
}"""
"""A ``speech_emotion`` that also takes away the mean of a baseline, weighted by seconds and shrunk by one second."""
READS_CONTEXT = """(int64[batch,tokens] input_ids, int64[batch,tokens] attention_mask,
        int64[batch,tokens] token_type_ids)
    => (float[batch,4] logits, float[batch,2] embedding) {
    kept = Mul(input_ids, attention_mask)
    both = Add(kept, token_type_ids)
    ids = Cast<to=1>(both)
    mean = ReduceMean<axes=[1], keepdims=1>(ids)
    embedding = Concat<axis=1>(mean, mean)
    phases = Constant<value=float[1,4] {0,1,2,3}>()
    moved = Add(phases, mean)
    logits = Cos(moved)
}"""
"""A ``text_emotion`` that reads what was said before."""
CONTEXT_TOKENS = 5
ENCODED = """(float[batch,samples] waveform)
    => (float[batch,2,states,4] hidden_states, float[batch,positions,4] encoded) {
    first = Constant<value_ints=[1]>()
    last = Constant<value_ints=[3]>()
    sound = Unsqueeze(waveform, first)
    pooled = MaxPool<kernel_shape=[320], strides=[320], ceil_mode=1>(sound)
    layer = Unsqueeze(pooled, last)
    wide = Concat<axis=3>(layer, layer, layer, layer)
    hidden_states = Concat<axis=1>(wide, wide)
    encoded = Squeeze(wide, first)
}"""
"""A ``speech_encoder`` whose last layers are ``transcript_memory``."""
MEMORY = """(float[batch,positions,4] encoded)
    => (float[positions] cross_bias, float[batch,1,positions,2] cross_key_0,
        float[batch,1,positions,2] cross_value_0) {
    all = Constant<value_ints=[-1]>()
    first = Constant<value_ints=[1]>()
    none = Constant<value_ints=[0]>()
    two = Constant<value_ints=[2]>()
    last = Constant<value_ints=[3]>()
    mean = ReduceMean<axes=[2], keepdims=0>(encoded)
    cross_bias = Reshape(mean, all)
    layer = Unsqueeze(encoded, first)
    cross_key_0 = Slice(layer, none, two, last)
    cross_value_0 = Cos(cross_key_0)
}"""
BATCHES = (
    "(int64[batch,new] tokens, float[batch,1,1,positions] cross_bias,"
    + PAST
    + """
    low = Constant<value_float=-100000000.0>()
    there = Greater(cross_bias, low)
    mask = Cast<to=1>(there)
    bias = Mul(cross_bias, mask)
    positions_there = ReduceSum<keepdims=0>(mask, inner)
    numbers_there = Add(positions_there, positions_there)
    bias_sum = ReduceSum<keepdims=0>(bias, inner)
    key_sum = ReduceSum<keepdims=0>(cross_key_0, inner)
    value_sum = ReduceSum<keepdims=0>(cross_value_0, inner)
    d = Div(bias_sum, positions_there)
    e = Div(key_sum, numbers_there)
    f = Div(value_sum, numbers_there)
    """
    + NEXT
)
"""A ``batch_decoder``, which writes what ``transcript_decoder`` does."""
APART = {"speech_encoder": ENCODED, "transcript_memory": MEMORY}
VOICES = {"waveform": GRAPHS["speech_emotion"], "states": READS_STATES, "baseline": TAKES_BASELINE}
"""The graphs of ``speech_emotion``, by what they read last."""


def graphs(
    *,
    reads_states: bool = False,
    takes_baseline: bool = False,
    reads_context: bool = False,
    memory_apart: bool = False,
    batches: bool = False,
) -> dict[str, str]:
    """Return the graphs of a bundle whose voice reads the waveform, or the encoder's states, or a baseline too.

    With ``memory_apart`` what the decoder reads has a graph of its own behind the encoder; with ``batches`` several
    utterances are decoded together.
    """
    voice = VOICES["baseline" if takes_baseline else "states" if reads_states else "waveform"]
    words = {"text_emotion": READS_CONTEXT} if reads_context else {}
    together = {"batch_decoder": BATCHES} if batches else {}
    return {**GRAPHS, "speech_emotion": voice, **words, **(APART if memory_apart else {}), **together}


def build(folder: Path, *, reads_context: bool = False, **how: bool) -> Path:
    """Write the bundle of ``graphs`` into ``folder``."""
    folder.mkdir()
    slots = graphs(reads_context=reads_context, **how)
    for slot, text in slots.items():
        onnx.save(graph(text), folder / f"{slot}.onnx")
    for name in TOKENIZERS:
        tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.save(str(folder / f"{name}_tokenizer.json"))
    manifest = {
        "schema": SCHEMA,
        "name": "tiny",
        "version": "0.0.1",
        "labels": LABELS,
        "sample_rate": 16_000,
        "slots": {s: {**stated(folder / f"{s}.onnx"), "precision": "fp32", **ends(folder, s)} for s in slots},
        "tokenizers": {name: stated(folder / f"{name}_tokenizer.json") for name in TOKENIZERS},
        "decoding": {"prompt": [1], "end": 2, "suppress": [0], "begin_suppress": [2], "max_tokens": 9},
        "calibration": dict.fromkeys(TEMPERATURES, 1.5),
        "evidence": EVIDENCE,
        "metrics": {},
        **({"text_emotion": {"context": {"max_tokens": CONTEXT_TOKENS}}} if reads_context else {}),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def graph(text: str) -> onnx.ModelProto:
    """Return the model whose inputs, outputs and nodes ``text`` has, in onnx's own notation."""
    return parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> tiny {text}')


def stated(path: Path) -> dict[str, Any]:
    """What a manifest states of a file."""
    data = path.read_bytes()
    return {"file": path.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def ends(folder: Path, slot: str) -> dict[str, Any]:
    """What a manifest states of the graph's inputs and outputs."""
    of = onnx.load(folder / f"{slot}.onnx").graph
    return {"inputs": [tensor(value) for value in of.input], "outputs": [tensor(value) for value in of.output]}


def tensor(value: onnx.ValueInfoProto) -> dict[str, Any]:
    """What a manifest states of an input or an output."""
    kind = value.type.tensor_type
    shape = [axis.dim_param or axis.dim_value for axis in kind.shape.dim]
    return {"name": value.name, "dtype": DTYPES[kind.elem_type], "shape": shape}
