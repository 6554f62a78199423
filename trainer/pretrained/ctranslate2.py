"""Read a Whisper model in CTranslate2 format and write it as a transformers checkpoint.

The weights that the package index carries are in that format. The layout (``WhisperSpec`` revision 3 in
binary version 6) is CTranslate2's own; fused projections are stacked query, key, value.
"""

from __future__ import annotations

import json
import re
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

from trainer.errors import WeightsError

DTYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)
NO_TIMESTAMPS, START, END = "<|notimestamps|>", "<|startoftranscript|>", "<|endoftext|>"
TRANSLATE, TRANSCRIBE = "<|translate|>", "<|transcribe|>"
MULTILINGUAL_VOCABULARY = 51865
"""An English-only Whisper has fewer tokens: the rule of Whisper's own code. Its tokenizer names languages as well."""


def read(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return the named arrays of a CTranslate2 ``model.bin`` holding a Whisper model.

    Raises:
        WeightsError: the file is truncated or holds another kind of model.
    """
    data, at = path.read_bytes(), 0

    def take(code: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from("<" + code, data, at)
        at += struct.calcsize("<" + code)
        return int(value)

    def text() -> str:
        nonlocal at
        length = take("H")
        value = data[at : at + length - 1].decode()  # stored with its final zero byte
        at += length
        return value

    try:
        take("I")  # binary version
        name, revision = text(), take("I")
        if (name, revision) != ("WhisperSpec", 3):
            raise WeightsError(f"{path}: a {name} of revision {revision}, not a WhisperSpec of revision 3")
        arrays = {}
        for _ in range(take("I")):
            key = text()
            shape = [take("I") for _ in range(take("B"))]
            dtype, size = np.dtype(DTYPES[take("B")]), take("I")
            arrays[key] = np.frombuffer(data, dtype, size // dtype.itemsize, at).reshape(shape)
            at += size
    except (struct.error, ValueError, IndexError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{path}: truncated or not a CTranslate2 model ({error})") from error
    return arrays


def to_transformers(source: Path, out: Path) -> None:
    """Write the CTranslate2 Whisper model in ``source`` as a transformers checkpoint in ``out``.

    Raises:
        WeightsError: the model is damaged, or lacks an array.
    """
    arrays = read(source / "model.bin")
    try:
        state = _state(arrays)
    except KeyError as error:
        raise WeightsError(f"{source}: not a whole Whisper model, {error} is missing") from error
    settings = json.loads((source / "config.json").read_text())
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    ids = tokenizer["model"]["vocab"] | {t["content"]: t["id"] for t in tokenizer["added_tokens"]}

    width = arrays["encoder/conv1/bias"].shape[0]
    heads = int(arrays["encoder/num_heads"])
    inner = arrays["encoder/layer_0/ffn/linear_0/bias"].shape[0]
    special = {
        "bos_token_id": ids[END],
        "eos_token_id": ids[END],
        "pad_token_id": ids[END],
        "decoder_start_token_id": ids[START],
    }
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(state["model.decoder.embed_tokens.weight"]),
            d_model=width,
            encoder_layers=_layers(arrays, "encoder"),
            decoder_layers=_layers(arrays, "decoder"),
            encoder_attention_heads=heads,
            decoder_attention_heads=heads,
            encoder_ffn_dim=inner,
            decoder_ffn_dim=inner,
            num_mel_bins=arrays["encoder/conv1/weight"].shape[1],
            max_source_positions=len(arrays["encoder/position_encodings/encodings"]),
            max_target_positions=len(arrays["decoder/position_encodings/encodings"]),
            **special,
        )
    )
    model.load_state_dict(state, strict=True)
    # The package's `lang_ids` are off by one for English-only models, so nothing is taken from them.
    multilingual = len(state["model.decoder.embed_tokens.weight"]) >= MULTILINGUAL_VOCABULARY
    model.generation_config = GenerationConfig(
        **special,
        suppress_tokens=settings["suppress_ids"],
        begin_suppress_tokens=settings["suppress_ids_begin"],
        no_timestamps_token_id=ids[NO_TIMESTAMPS],
        is_multilingual=multilingual,
        max_length=448,
        **(_languages(ids) if multilingual else {}),
    )
    model.save_pretrained(out)
    WhisperFeatureExtractor(feature_size=model.config.num_mel_bins).save_pretrained(out)
    shutil.copyfile(source / "tokenizer.json", out / "tokenizer.json")


def _languages(ids: dict[str, int]) -> dict[str, dict[str, int]]:
    """Return the tokens of languages and tasks, as transformers' generation settings have them."""
    # The languages lie between the start and the tasks.
    return {
        "lang_to_id": {token: number for token, number in ids.items() if ids[START] < number < ids[TRANSLATE]},
        "task_to_id": {"transcribe": ids[TRANSCRIBE], "translate": ids[TRANSLATE]},
    }


def _layers(arrays: dict[str, np.ndarray[Any, Any]], side: str) -> int:
    return len({number[1] for number in (re.match(rf"{side}/layer_(\d+)/", key) for key in arrays) if number})


def _state(arrays: dict[str, np.ndarray[Any, Any]]) -> dict[str, torch.Tensor]:
    """Return the arrays under their transformers names, fused projections cut apart."""
    state: dict[str, torch.Tensor] = {}
    width = arrays["encoder/conv1/bias"].shape[0]

    def tensor(key: str) -> torch.Tensor:
        return torch.from_numpy(arrays[key].astype(np.float32))

    def linear(to: str, key: str) -> None:
        state[f"{to}.weight"], state[f"{to}.bias"] = tensor(f"{key}/weight"), tensor(f"{key}/bias")

    def norm(to: str, key: str) -> None:
        state[f"{to}.weight"], state[f"{to}.bias"] = tensor(f"{key}/gamma"), tensor(f"{key}/beta")

    def fused(to: str, key: str, names: str) -> None:
        weight, bias = tensor(f"{key}/weight"), tensor(f"{key}/bias")
        for i, name in enumerate(names):
            rows = slice(i * width, (i + 1) * width)
            state[f"{to}.{name}_proj.weight"] = weight[rows]
            if name != "k":  # Whisper's key projection has no bias; the fused one holds zeros
                state[f"{to}.{name}_proj.bias"] = bias[rows]

    for side in ("encoder", "decoder"):
        for i in range(_layers(arrays, side)):
            to, key = f"model.{side}.layers.{i}", f"{side}/layer_{i}"
            fused(f"{to}.self_attn", f"{key}/self_attention/linear_0", "qkv")
            linear(f"{to}.self_attn.out_proj", f"{key}/self_attention/linear_1")
            norm(f"{to}.self_attn_layer_norm", f"{key}/self_attention/layer_norm")
            if side == "decoder":
                linear(f"{to}.encoder_attn.q_proj", f"{key}/attention/linear_0")
                fused(f"{to}.encoder_attn", f"{key}/attention/linear_1", "kv")
                linear(f"{to}.encoder_attn.out_proj", f"{key}/attention/linear_2")
                norm(f"{to}.encoder_attn_layer_norm", f"{key}/attention/layer_norm")
            linear(f"{to}.fc1", f"{key}/ffn/linear_0")
            linear(f"{to}.fc2", f"{key}/ffn/linear_1")
            norm(f"{to}.final_layer_norm", f"{key}/ffn/layer_norm")
        norm(f"model.{side}.layer_norm", f"{side}/layer_norm")
        state[f"model.{side}.embed_positions.weight"] = tensor(f"{side}/position_encodings/encodings")
    linear("model.encoder.conv1", "encoder/conv1")
    linear("model.encoder.conv2", "encoder/conv2")
    state["model.decoder.embed_tokens.weight"] = tensor("decoder/embeddings/weight")
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    return state
