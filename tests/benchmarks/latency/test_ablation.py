"""Before and after: both sides are measured, and differ in the one change that they are to measure."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx
import pytest
from transformers import WhisperConfig, WhisperForConditionalGeneration

from benchmarks.common.paths import BUNDLE
from benchmarks.latency import ablation
from edge_runtime.bundle.bundle import Bundle


@pytest.mark.slow
def test_each_change_has_times_and_its_effect_on_the_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle_folder: Path, jfk: Path, positive
) -> None:
    (tmp_path / "silero-vad").mkdir()
    shutil.copyfile(bundle_folder / "vad.onnx", tmp_path / "silero-vad" / "vad.onnx")
    whole = tmp_path / "decoder.onnx"  # with its weights inside, as the exported ones
    onnx.save(onnx.load(str(Bundle.read(BUNDLE).slots["transcript_decoder"].path)), str(whole))
    monkeypatch.setattr(ablation, "export_decoders", lambda *_: (whole, whole, whole))
    result = ablation.measure([jfk], tmp_path, tmp_path, repeats=1, compared=2, seed=0)
    (detector, decoder, spinning) = result.values()
    assert decoder["clips_with_the_exact_transcript"] == {"before": 2, "after": 2}
    assert detector["clips_with_the_same_spoken_part"] == detector["clips"] == 2
    assert positive([detector["ms"], decoder["ms"], spinning["ms"]])


def test_exported_decoders_differ_only_in_how_they_score_the_vocabulary(tmp_path: Path) -> None:
    sizes = {f"{side}_{what}": n for side in ("encoder", "decoder")
             for what, n in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 64))}  # fmt: skip
    config = WhisperConfig(
        vocab_size=2000, d_model=64, pad_token_id=0, bos_token_id=0, eos_token_id=0, decoder_start_token_id=1, **sizes
    )
    WhisperForConditionalGeneration(config).save_pretrained(tmp_path / "whisper-tiny.en")
    exact, whole, screened = (
        {node.op_type for node in onnx.load(str(path)).graph.node}
        for path in ablation.export_decoders(tmp_path, tmp_path)
    )
    assert "MatMulNBits" in screened - whole
    assert "MatMulInteger" in whole - exact
