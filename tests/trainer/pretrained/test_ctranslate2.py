"""CTranslate2's format: a tiny Whisper there and back, and files that are something else."""

import itertools
import json
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GenerationConfig, WhisperForConditionalGeneration

from trainer.errors import WeightsError
from trainer.pretrained import ctranslate2

HEADER = struct.pack("<I", 6) + struct.pack("<H", 12) + b"WhisperSpec\0" + struct.pack("<I", 3)
NORMS = {"self_attn_layer_norm": "self_attention/layer_norm", "final_layer_norm": "ffn/layer_norm"}


def binary(arrays: dict[str, np.ndarray], header: bytes = HEADER) -> bytes:
    """Write arrays as CTranslate2 does."""
    parts = [header, struct.pack("<I", len(arrays))]
    for name, array in arrays.items():
        key = name.encode() + b"\0"
        kind = [np.dtype(d) for d in ctranslate2.DTYPES].index(array.dtype)
        shape = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        parts += [
            struct.pack("<H", len(key)),
            key,
            shape,
            struct.pack("<BI", kind, array.nbytes),
            array.tobytes(),
        ]
    return b"".join([*parts, struct.pack("<I", 0)])  # no aliases


def arrays_of(model) -> dict[str, np.ndarray]:
    """Return a transformers Whisper's weights under CTranslate2's names, projections fused."""
    state = {k.removeprefix("model."): v.detach().numpy() for k, v in model.state_dict().items()}
    width, result = model.config.d_model, {}

    def put(key, source, names=("weight", "bias")):
        for name, part in zip(names, ("weight", "bias"), strict=True):
            result[f"{key}/{name}"] = state[f"{source}.{part}"]

    def fuse(key, source, which):
        zeros = np.zeros(width, np.float32)
        weights = [state[f"{source}.{p}_proj.weight"] for p in which]
        result[f"{key}/weight"] = np.concatenate(weights)
        result[f"{key}/bias"] = np.concatenate([state.get(f"{source}.{p}_proj.bias", zeros) for p in which])

    for side in ("encoder", "decoder"):
        result[f"{side}/num_heads"] = np.array(model.config.encoder_attention_heads, np.int16)
        put(f"{side}/layer_norm", f"{side}.layer_norm", ("gamma", "beta"))
        result[f"{side}/position_encodings/encodings"] = state[f"{side}.embed_positions.weight"]
        for i in range(model.config.encoder_layers):
            key, source = f"{side}/layer_{i}", f"{side}.layers.{i}"
            fuse(f"{key}/self_attention/linear_0", f"{source}.self_attn", "qkv")
            put(f"{key}/self_attention/linear_1", f"{source}.self_attn.out_proj")
            put(f"{key}/ffn/linear_0", f"{source}.fc1")
            put(f"{key}/ffn/linear_1", f"{source}.fc2")
            for name, place in NORMS.items():
                put(f"{key}/{place}", f"{source}.{name}", ("gamma", "beta"))
            if side == "decoder":
                put(f"{key}/attention/linear_0", f"{source}.encoder_attn.q_proj")
                fuse(f"{key}/attention/linear_1", f"{source}.encoder_attn", "kv")
                put(f"{key}/attention/linear_2", f"{source}.encoder_attn.out_proj")
                put(f"{key}/attention/layer_norm", f"{source}.encoder_attn_layer_norm", ("gamma", "beta"))
    put("encoder/conv1", "encoder.conv1")
    put("encoder/conv2", "encoder.conv2")
    result["decoder/embeddings/weight"] = state["decoder.embed_tokens.weight"]
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ctranslate2")


@pytest.fixture
def source(tmp_path, tiny_whisper):
    """Return the folder that a CTranslate2 package of the tiny Whisper would be."""
    (tmp_path / "model.bin").write_bytes(binary(arrays_of(tiny_whisper)))
    (tmp_path / "config.json").write_text(json.dumps({"suppress_ids": [1, 2], "suppress_ids_begin": [3, 50]}))
    special = {50: ctranslate2.END, 51: ctranslate2.START, 52: ctranslate2.NO_TIMESTAMPS}
    added = [{"content": text, "id": number} for number, text in special.items()]
    vocab = {"a": 0, "b": 1}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocab}, "added_tokens": added}))
    return tmp_path


def test_a_model_comes_back_with_the_same_weights(source, tiny_whisper, tmp_path):
    ctranslate2.to_transformers(source, tmp_path / "out")
    found = WhisperForConditionalGeneration.from_pretrained(tmp_path / "out").state_dict()
    expected = tiny_whisper.state_dict()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, msg=name)


def test_special_tokens_come_from_the_tokenizer_and_suppressed_ones_from_the_config(source, tmp_path):
    ctranslate2.to_transformers(source, tmp_path / "out")
    model = WhisperForConditionalGeneration.from_pretrained(tmp_path / "out")
    config = model.generation_config
    assert (model.config.decoder_start_token_id, model.config.eos_token_id) == (51, 50)
    assert (config.decoder_start_token_id, config.eos_token_id, config.no_timestamps_token_id) == (51, 50, 52)
    assert (config.suppress_tokens, config.begin_suppress_tokens) == ([1, 2], [3, 50])
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (source / "tokenizer.json").read_bytes()


def test_half_precision_weights_are_read_too(source, tiny_whisper, tmp_path):
    arrays = arrays_of(tiny_whisper)
    halves = {k: v.astype(np.float16) if v.dtype == np.float32 else v for k, v in arrays.items()}
    (source / "model.bin").write_bytes(binary(halves))
    ctranslate2.to_transformers(source, tmp_path / "out")
    found = WhisperForConditionalGeneration.from_pretrained(tmp_path / "out")
    torch.testing.assert_close(
        found.model.encoder.conv1.weight, tiny_whisper.model.encoder.conv1.weight, atol=1e-3, rtol=1e-3
    )


@pytest.mark.parametrize(("name", "revision"), [("TransformerSpec", 3), ("WhisperSpec", 2), ("", 3)])
def test_another_kind_of_model_is_refused(folder, name, revision):
    key = name.encode() + b"\0"
    header = struct.pack("<IH", 6, len(key)) + key + struct.pack("<I", revision)
    path = folder / "other.bin"
    path.write_bytes(binary({"a": np.zeros(2, np.float32)}, header))
    with pytest.raises(WeightsError, match=f"{name} of revision {revision}, not a WhisperSpec"):
        ctranslate2.read(path)


@settings(max_examples=200)
@given(st.data())
def test_a_file_cut_anywhere_is_refused(folder, data):
    whole = binary({"a/b": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array(4, np.int16)})
    cut = data.draw(st.integers(0, len(whole) - 5))  # the last four bytes count the aliases, which are not read
    path = folder / "cut.bin"
    path.write_bytes(whole[:cut])
    with pytest.raises(WeightsError):
        ctranslate2.read(path)


def is_read(path) -> bool:
    """Whether it is read, as arrays, or refused; anything else is an error."""
    try:
        arrays = ctranslate2.read(path)
    except WeightsError:
        return False
    assert {type(array) for array in arrays.values()} <= {np.ndarray}
    return True


@settings(max_examples=300)
@given(st.binary(max_size=80), st.sampled_from([b"", HEADER, HEADER + struct.pack("<I", 1)]))
def test_foreign_bytes_are_refused_unless_they_begin_like_the_real_thing(folder, content, before):
    path = folder / "foreign.bin"
    path.write_bytes(before + content)
    assert not is_read(path) or before


def test_one_wrong_byte_is_refused_or_read_as_arrays(folder):
    whole = binary({"a/b": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array(4, np.int16)})
    path, found = folder / "damaged.bin", set()
    for place, value in itertools.product(range(len(whole)), (0, 1, 127, 255)):
        path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
        found.add(is_read(path))
    assert found == {True, False}


def test_a_multilingual_model_is_told_by_its_vocabulary_and_names_its_languages(source, tmp_path, monkeypatch):
    tokens = {53: "<|en|>", 54: "<|pl|>", 55: ctranslate2.TRANSLATE, 56: ctranslate2.TRANSCRIBE}
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    tokenizer["added_tokens"] += [{"content": text, "id": number} for number, text in tokens.items()]
    tokenizer["added_tokens"][2]["id"] = 57  # no timestamps come last
    (source / "tokenizer.json").write_text(json.dumps(tokenizer))
    ctranslate2.to_transformers(source, tmp_path / "english")
    assert not GenerationConfig.from_pretrained(tmp_path / "english").is_multilingual
    monkeypatch.setattr(ctranslate2, "MULTILINGUAL_VOCABULARY", 60)
    ctranslate2.to_transformers(source, tmp_path / "multilingual")
    config = GenerationConfig.from_pretrained(tmp_path / "multilingual")
    assert config.is_multilingual
    assert config.lang_to_id == {"<|en|>": 53, "<|pl|>": 54}
    assert config.task_to_id == {"translate": 55, "transcribe": 56}
