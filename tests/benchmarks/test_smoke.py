"""Everything that is measured, small: results are there and well formed; how fast is not asked."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from benchmarks.baselines import compare
from benchmarks.common import clips, results_file
from benchmarks.common.paths import BUNDLE
from benchmarks.latency import ablation, by_slot, roofline
from benchmarks.report import benchmarks_page
from benchmarks.robustness import measure
from benchmarks.robustness.corruptions import conditions
from benchmarks.robustness.held_out_speakers import Fold, FrontEnd, Words
from edge_runtime.bundle.bundle import Bundle
from trainer.corpora.utterance import LABELS, Utterance
from trainer.fusion.network import FusionEmotion
from trainer.speech.network import SpeechEmotion


def positive(value):
    """Whether every number below is finite and not negative, and there is one."""
    if isinstance(value, dict | list):
        return bool(value) and all(map(positive, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float | int) or (np.isfinite(value) and value >= 0)


@pytest.fixture
def page(tmp_path):
    """Render a page of one result, written and read again; return its text."""

    def render(monkeypatch, name, result):
        monkeypatch.setattr(results_file, "RESULTS", tmp_path)
        written = json.loads(results_file.write(name, result).read_text())
        benchmarks_page.render({name: written}, tmp_path / "page.md")
        return (tmp_path / "page.md").read_text()

    return render


def test_latency(monkeypatch, jfk, page):
    result = by_slot.measure([jfk], calls=2, seconds=(1.0, 4.0), files=2, seed=0)
    assert result["ways"].keys() >= {"cpu, 1 thread", "cpu, 2 threads"}
    for lengths in result["ways"].values():
        assert list(lengths) == ["1", "4"]
        assert lengths["4"].keys() >= {*Bundle.read(BUNDLE).slots, "total"}
        assert all(len(slot["samples"]) == slot["n"] == 2 for slot in lengths["4"].values())
    assert positive(result["throughput"])
    assert "cpu, 2 threads" in page(monkeypatch, "latency", result)


def test_limit(monkeypatch, jfk, page):
    result = roofline.measure([jfk], seconds=(4.0,), repeats=1, seed=0)
    slots = result["utterances"]["4"]
    assert slots.keys() == Bundle.read(BUNDLE).slots.keys()
    assert positive(
        {slot: {k: v for k, v in found.items() if k != "gap_ms"} for slot, found in slots.items() if slot != "fusion"}
    )
    assert slots["speech_encoder"]["int8_mega_operations"] > 1000 > slots["vad"]["fp32_mega_operations"] > 100
    assert slots["transcript_decoder"]["calls"] > 3
    assert "least ms" in page(monkeypatch, "limit", result)


def test_gaps(monkeypatch, tmp_path, bundle_folder, jfk, page):
    (tmp_path / "silero-vad").mkdir()
    shutil.copyfile(bundle_folder / "vad.onnx", tmp_path / "silero-vad" / "vad.onnx")
    whole = Bundle.read(BUNDLE).slots["transcript_decoder"].path
    monkeypatch.setattr(ablation, "decoders", lambda *_: (whole, whole, whole))
    result = ablation.measure([jfk], tmp_path, tmp_path, repeats=1, compared=2, seed=0)
    (detector, decoder, spinning) = result.values()
    assert decoder["clips_with_the_exact_transcript"] == {"before": 2, "after": 2}
    assert positive(decoder["ms"])
    assert detector["clips_with_the_same_spoken_part"] == detector["clips"] == 2
    assert positive(detector["ms"]) and positive(spinning["ms"])
    assert "times faster" in page(monkeypatch, "gaps", {"changes": result})


def test_the_decoders_of_gaps_differ_in_how_they_score_alone(tmp_path):
    sizes = {f"{side}_{what}": n for side in ("encoder", "decoder")
             for what, n in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 64))}  # fmt: skip
    config = WhisperConfig(
        vocab_size=2000, d_model=64, pad_token_id=0, bos_token_id=0, eos_token_id=0, decoder_start_token_id=1, **sizes
    )
    WhisperForConditionalGeneration(config).save_pretrained(tmp_path / "whisper-tiny.en")
    exact, whole, screened = (
        {node.op_type for node in onnx.load(str(path)).graph.node} for path in ablation.decoders(tmp_path, tmp_path)
    )
    assert "MatMulNBits" in screened - whole
    assert "MatMulInteger" in whole - exact


def test_peers(monkeypatch, tmp_path, bundle_folder, jfk):
    monkeypatch.setenv("EDGE_IEMONET_BUNDLE", str(bundle_folder))
    installed = compare.Installed({compare.OURS: Path(sys.executable)}, tmp_path)
    monkeypatch.setattr(compare, "_size", lambda *_: {"packages": 1.0, "weights": 2.0})
    paths = clips.write(clips.cut([jfk], 1.0, 1, seed=0), tmp_path, "one")
    result = compare.measure(installed, {"1": paths}, [(jfk, "ask not")], calls=1, starts=1)
    (ours,) = result["peers"].values()
    assert ours["times_ours"]["1"]["median"] == ours["cold_start_times_ours"]["median"] == 1.0
    assert positive({k: ours[k] for k in ("ms", "cold_start_s", "peak_memory_mb", "wer")})
    assert result["recordings"] == 1


def test_robustness(monkeypatch, bundle_folder, jfk, page):
    heard = clips.read(jfk)[:32000]
    monkeypatch.setattr(measure, "speak", lambda *_: heard)
    torch.manual_seed(0)
    bundle = Bundle.read(bundle_folder)
    words = Words(bundle)
    fold = Fold(
        SpeechEmotion(4, width=384).eval(), FusionEmotion(4, speech=128, text=words.classifier.in_features).eval()
    )
    people = [Utterance(label, "test", label, "someone", audio=jfk, transcript="ask not") for label in LABELS]
    scene = measure.Scene(people, [fold] * 4, people[:2], [0, 1, 0, 1], FrontEnd(bundle), words)
    ways = [w for w in conditions([heard] * 6) if (w.kind, w.level) in {("white noise", 0.0), ("telephone", 1.0)}]
    rows = [{"kind": w.kind, "level": w.level, **scene.scores(w, [0])} for w in ways]
    assert len(rows) == 2 and positive(rows)
    # Everybody is the same recording, so one of four answers is right.
    assert all(row["voice"]["ua"] == row["both_with_its_own_sentence"]["ua"] == 0.25 for row in rows)
    result = {"voices": "v", "words": "w", "axes": {w.kind: "x" for w in ways},
              "conditions": [{**rows[0], "kind": "clean"}, *rows]}  # fmt: skip
    assert "telephone" in page(monkeypatch, "robustness", result)


def test_nobody_heard_is_wrong_in_silence(bundle_folder):
    front_end = FrontEnd(Bundle.read(bundle_folder))
    nothing = front_end(np.zeros(16000, np.float32))
    assert nothing.pooled is None and nothing.transcript == ""
    assert np.isfinite(front_end.to_learn_from(np.zeros(16000, np.float32))).all()
    truth = np.array([0, 0, 1, 1])
    assert measure.accuracy(truth, [0, measure.NOBODY, 1, 1])["ua"] == 0.75


def test_as_many_of_each_label_as_there_are():
    labels = ["neutral"] * 5 + ["sad"] * 1 + ["angry"] * 3 + ["happy"] * 2
    chosen = measure.balanced(range(len(labels)), labels, 8, np.random.default_rng(0))
    assert [labels[i] for i in chosen] == ["neutral"] * 2 + ["happy"] * 2 + ["sad"] + ["angry"] * 2
