"""Run in optimum's environment: Whisper exported as its documentation says, and in int8 for onnx-asr.

python benchmarks/baselines/export_optimum.py WHISPER OPTIMUM ONNX_ASR
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from onnxruntime.quantization import QuantType, quantize_dynamic
from optimum.exporters.onnx import main_export

GRAPHS = ("encoder_model", "decoder_model_merged")


def main() -> None:
    """Write the folders OPTIMUM and ONNX_ASR."""
    whisper, optimum, onnx_asr = map(Path, sys.argv[1:4])
    main_export(str(whisper), optimum, task="automatic-speech-recognition-with-past")
    for unmerged in ("decoder_model.onnx", "decoder_with_past_model.onnx"):
        (optimum / unmerged).unlink()  # the merged one is what is run
    onnx_asr.mkdir(parents=True)
    for graph in GRAPHS:
        quantize_dynamic(
            optimum / f"{graph}.onnx", onnx_asr / f"{graph}.int8.onnx",
            op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8,
            # The merged decoder has its products in the two branches of an If.
            extra_options={"EnableSubgraph": True, "MatMulConstBOnly": True},
        )  # fmt: skip
    shutil.copyfile(optimum / "config.json", onnx_asr / "config.json")
    tokenizer = json.loads((whisper / "tokenizer.json").read_text(encoding="utf-8"))
    (onnx_asr / "vocab.json").write_text(json.dumps(tokenizer["model"]["vocab"]), encoding="utf-8")
    added = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    (onnx_asr / "added_tokens.json").write_text(json.dumps(added), encoding="utf-8")


if __name__ == "__main__":
    main()
