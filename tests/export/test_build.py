"""Bundles end to end: the runtime accepts what is built, and a refusal leaves nothing behind."""

import json
import shutil
import stat
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.torch

from edge_runtime import IEmoNet
from edge_runtime.bundle.bundle import SLOTS, Bundle
from edge_runtime.errors import IEmoNetError
from export import bundle_writer
from export.build import Sources, build
from export.bundle_writer import Options
from export.commands import report
from export.evaluation import data
from export.evaluation.limits import Limits
from export.inspect_bundle import inspect_bundle
from export.quantization import outliers
from export.quantization.config import QuantizationConfig
from tests.export.tiny import edit
from trainer import checkpoints
from trainer.errors import CheckpointError, ExportError, WeightsError

FILLED = tuple(slot for slot in SLOTS if slot != "transcript_encoder")
LABELS = ("neutral", "happy", "sad", "angry")
FP32 = QuantizationConfig("fp32")
ANY_LOSS = Limits(allow_shortfall=True)


@pytest.fixture
def sources(pretrained, trained) -> Sources:
    return Sources(pretrained, trained)


@pytest.fixture
def target(tmp_path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models" / "tiny"


def refused(sources: Sources, target: Path, error: type[IEmoNetError], match: str, **options) -> None:
    """Check that building fails with ``error`` and leaves the target's parent as it was."""
    before = sorted(p.relative_to(target.parent) for p in target.parent.rglob("*"))
    with pytest.raises(error, match=match):
        build(sources, target, Options(**{"quantization": FP32, **options}))
    assert sorted(p.relative_to(target.parent) for p in target.parent.rglob("*")) == before


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_built_bundle_is_accepted_by_the_runtime(exported, exported_int8, precision, configs):
    folder = {"fp32": exported, "int8": exported_int8}[precision]
    assert inspect_bundle(folder).problems == []
    bundle = Bundle.read(folder)
    assert (bundle.name, bundle.labels) == (f"tiny-{precision}", LABELS)
    assert set(bundle.slots) == set(FILLED)
    assert bundle.slots["text_emotion"].precision == precision
    assert bundle.slots["fusion"].precision == "fp32"
    assert bundle.temperatures == {
        "speech": configs["speech"]["metrics"]["calibration"]["temperature"],
        "text": configs["text"]["metrics"]["calibration"]["temperature"],
        **{name: c["temperature"] for name, c in configs["fusion"]["metrics"]["calibration"].items()},
    }
    assert (bundle.decoding.prompt, bundle.decoding.end) == ([51, 52], 50)
    assert (bundle.decoding.suppress, bundle.decoding.begin_suppress) == ([1, 2], [3, 50])
    assert 0 < bundle.decoding.max_tokens <= 448


def test_each_slot_takes_the_outputs_of_the_slot_before(exported):
    bundle = Bundle.read(exported)
    run = {slot: bundle.open(slot, device="cpu", threads=1) for slot in FILLED}
    encoded = run["speech_encoder"](waveform=np.random.default_rng(0).normal(0, 0.1, (1, 9000)).astype(np.float32))
    hidden = encoded["hidden_states"]
    features = bundle.slots["speech_emotion"].output("pooled").shape[1]
    speech = run["speech_emotion"](
        hidden_states=hidden,
        spoken=np.ones(hidden.shape[::2], np.float32),
        baseline=np.zeros((1, 1, features), np.float32),
        baseline_s=np.zeros((1, 1), np.float32),
    )
    assert speech["pooled"].shape == (1, features)
    ids = np.ones((1, 3), np.int64)
    text = run["text_emotion"](input_ids=ids, attention_mask=ids)
    fused = run["fusion"](
        speech_embedding=speech["embedding"], text_embedding=text["embedding"], present=np.ones((1, 2), np.float32)
    )
    assert fused["logits"].shape == (1, 4)
    memory = run["transcript_memory"](encoded=encoded["encoded"])
    past = {name: np.zeros((1, 2, 0, 8), np.float32) for name in run["transcript_decoder"].inputs if "past" in name}
    decoded = run["transcript_decoder"](tokens=np.array([bundle.decoding.prompt]), **memory, **past)
    assert decoded["logits"].shape == (1, 60)


def test_the_manifest_names_the_origin_of_every_component(exported, components):
    manifest = Bundle.read(exported).manifest
    assert {part: entry["weights_sha256"] for part, entry in manifest["provenance"].items()} == {
        part: checkpoints.digest(components / "checkpoints" / part) for part in ("speech", "text", "fusion")
    }
    assert {"MIT", "BSD-2-Clause", "Apache-2.0", "GPL-3.0"} <= {c["licence"] for c in manifest["credits"]}
    assert manifest["toolchain"] == checkpoints.versions()
    assert "\n# tiny-fp32 " in (exported / "MODEL_CARD.md").read_text(encoding="utf-8")
    named = {e["file"] for part in ("slots", "tokenizers") for e in manifest[part].values()}
    assert {p.name for p in exported.iterdir()} == named | {"bundle.json", "MODEL_CARD.md"}
    assert all((exported / e["file"]).stat().st_size == e["bytes"] for e in manifest["slots"].values())
    assert stat.S_IMODE(exported.stat().st_mode) == 0o755


def test_force_replaces_a_bundle_and_a_full_window_has_no_pooled_silence(sources, target):
    target.mkdir()
    for name in ("bundle.json", "left.over"):
        (target / name).write_text("{}")
    build(sources, target, Options(FP32, force=True), stitched=False)
    assert not (target / "left.over").exists()
    encoder, _ = Bundle.read(target).open_recogniser()
    _, memory = encoder(np.ones(9000, np.float32))
    assert not memory["cross_bias"].any() and len(memory["cross_bias"]) == 1500
    assert [p.name for p in target.parent.iterdir()] == ["tiny"]


@pytest.mark.slow
def test_the_same_checkpoints_give_the_same_bytes(exported, components, tmp_path):
    build(Sources(components / "weights", components / "checkpoints"), tmp_path / exported.name, Options(FP32))
    again = {path.name: path.read_bytes() for path in (tmp_path / exported.name).iterdir()}
    assert again == {path.name: path.read_bytes() for path in exported.iterdir()}


def test_without_force_an_existing_target_is_kept(sources, target):
    target.mkdir()
    (target / "precious").write_text("mine")
    refused(sources, target, ExportError, "--force")
    assert (target / "precious").read_text() == "mine"


def test_with_force_an_existing_target_outlives_a_failure(sources, target):
    target.mkdir()
    (target / "bundle.json").write_text("{}")
    (target / "precious").write_text("mine")
    shutil.rmtree(sources.checkpoints / "text")
    refused(sources, target, CheckpointError, "no text checkpoint", force=True)
    assert (target / "precious").read_text() == "mine"


@pytest.mark.parametrize("part", ["speech", "text", "fusion"])
def test_a_missing_checkpoint_is_named(sources, target, part):
    shutil.rmtree(sources.checkpoints / part)
    error, named = (ExportError, "no fusion") if part == "fusion" else (CheckpointError, f"no {part} checkpoint")
    refused(sources, target, error, named)


def test_a_checkpoint_of_another_kind_is_refused(sources, target):
    shutil.rmtree(sources.checkpoints / "text")
    shutil.copytree(sources.checkpoints / "speech", sources.checkpoints / "text")
    refused(sources, target, CheckpointError, "'speech', not 'text'")


@pytest.mark.parametrize("part", ["speech", "text"])
def test_fusion_of_another_branch_is_refused(sources, target, part):
    config = json.loads((sources.checkpoints / "fusion" / checkpoints.CONFIG).read_text())
    edit(sources.checkpoints / "fusion", branches={**config["branches"], part: "0" * 64})
    refused(
        sources,
        target,
        ExportError,
        f"another {part} checkpoint; take all three of one run; `trainer fit --resume`",
    )


@pytest.mark.parametrize("part", ["text", "fusion"])
@pytest.mark.parametrize("labels", [["happy", "neutral", "sad", "angry"], ["neutral", "happy", "sad", "furious"]])
def test_differing_labels_are_refused(sources, target, part, labels):
    edit(sources.checkpoints / part, labels=labels)
    refused(sources, target, ExportError, f"{part}: labels .* differ from speech's")


def test_a_checkpoint_for_another_number_of_labels_is_refused(sources, target):
    edit(sources.checkpoints / "speech", labels=["neutral", "happy"])
    refused(sources, target, CheckpointError, "does not fit")


@pytest.mark.parametrize("name", ["whisper-tiny.en", "silero-vad"])
def test_missing_weights_are_named(sources, target, name):
    shutil.rmtree(sources.pretrained / name)
    refused(sources, target, WeightsError, f"{name}.*trainer fetch")


@pytest.mark.parametrize("file", ["whisper-tiny.en/tokenizer.json", "silero-vad/vad.onnx"])
def test_incomplete_weights_leave_nothing_behind(sources, target, file):
    (sources.pretrained / file).unlink()
    with pytest.raises((CheckpointError, WeightsError), match=file.rsplit("/", 1)[1]):
        build(sources, target, Options(FP32))
    assert list(target.parent.iterdir()) == []


def test_a_folder_that_is_no_bundle_is_never_replaced(tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(ExportError, match="not a bundle"):
        build(Sources(tmp_path, tmp_path), precious, Options(force=True))
    assert (precious / "thesis.txt").read_text() == "years of work"


def change_text(folder: Path, change) -> None:
    """Change the weights of the text checkpoint, and tell fusion so."""
    path = folder / "text" / checkpoints.WEIGHTS
    weights = safetensors.torch.load_file(path)
    change(weights)
    safetensors.torch.save_file(weights, path)
    edit(folder / "fusion", branches={part: checkpoints.digest(folder / part) for part in ("speech", "text")})


def ruin_a_layer(weights) -> None:
    """In int8 one huge weight of each channel leaves nothing of the others; its input is always 0, so fp32 is well."""
    (first,) = (name for name in weights if name.endswith("layer.0.intermediate.dense.weight"))
    block = first.removesuffix("intermediate.dense.weight")
    for name in ("weight", "bias"):
        weights[f"{block}attention.output.LayerNorm.{name}"][0] = 0.0
    weights[first][:, 0] = 3000.0
    weights[f"{block}output.dense.weight"] *= 100.0  # so that the label rests on this block


@pytest.mark.slow
def test_a_layer_that_int8_would_ruin_stays_exact_and_the_report_names_it(sources, target, trained):
    def ruin(weights) -> None:
        ruin_a_layer(weights)
        weights["classifier.weight"] *= 100.0  # the label is clear

    change_text(trained, ruin)
    manifest = build(sources, target, Options(limits=ANY_LOSS))
    kept = manifest["verification"]["kept_exact"]["text_emotion"]
    assert kept["points_lost_before"] > 0
    assert kept["points_lost"] == 0
    assert ["layer.0" in name for name in kept["layers"]] == [True]
    assert any(kept["layers"][0] in line for line in report.lines(manifest, target))
    assert f"{kept['layers'][0]} stayed in fp32" in (target / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert manifest["verification"]["converted"]["text"]["clear_labels_changed"] == 0


@pytest.mark.slow
def test_layers_stay_exact_until_the_answers_of_the_bundle_hold_not_only_those_of_the_branch(sources, target, trained):
    """Text passes through fusion, whose temperature makes every label clear; in the branch's own scores none is."""

    def ruin(weights) -> None:
        ruin_a_layer(weights)
        for name in [n for n in weights if n.startswith("classifier.")]:
            weights[name] *= 0.01

    change_text(trained, ruin)
    config = json.loads((trained / "fusion" / checkpoints.CONFIG).read_text())
    config["metrics"]["calibration"]["fusion_text_only"]["temperature"] = 1e-3
    edit(trained / "fusion", metrics=config["metrics"])
    found = build(sources, target, Options(limits=ANY_LOSS))["verification"]
    assert found["converted"]["text"]["clear_labels_changed"] == 0
    assert found["kept_exact"]["text_emotion"]["points_lost_before"] > 0
    assert found["kept_exact"]["text_emotion"]["points_lost"] == 0


@pytest.mark.slow
def test_the_largest_channels_of_text_alone_stay_exact(sources, target, monkeypatch):
    monkeypatch.setattr(outliers, "WORTH", 0.0)  # a tiny network has no large ones
    build(sources, target, Options(limits=ANY_LOSS))
    graphs = {path.stem: onnx.load(str(path), load_external_data=False).graph for path in target.glob("*.onnx")}
    split = [name for name, graph in graphs.items() if any(outliers.OUTLIERS in i.name for i in graph.initializer)]
    assert split == ["text_emotion"]


@pytest.mark.slow
def test_static_int8_is_calibrated_with_the_given_samples(sources, target):
    options = Options(QuantizationConfig("int8", static=True), calibration=data.built_in(), limits=ANY_LOSS)
    manifest = build(sources, target, options)
    kinds = {node.op_type for node in onnx.load(target / "text_emotion.onnx").graph.node}
    assert "DynamicQuantizeLinear" not in kinds
    assert kinds & {"QuantizeLinear", "QLinearMatMul"}
    assert manifest["slots"]["text_emotion"]["precision"] == "int8"
    decoder = {node.op_type for node in onnx.load(target / "transcript_decoder.onnx").graph.node}
    # Its past is never the same twice: eight bits by the range of each call, and fused.
    assert "DynamicQuantizeMatMul" in decoder and "MatMulInteger" not in decoder


@pytest.mark.slow
def test_fp16_is_run_by_the_runtime(sources, target):
    build(sources, target, Options(QuantizationConfig("fp16"), limits=ANY_LOSS))
    assert Bundle.read(target).slots["text_emotion"].precision == "fp16"
    assert set(IEmoNet.load(target, device="cpu", threads=1).classify_text("well").scores) == set(LABELS)


LOST = {
    "text": {"n": 9, "same_label": 0.5, "clear_labels_changed": 4, "answers_lost": 0, "labelled": 0},
    "samples": "some",
}


def test_a_bundle_that_loses_too_much_is_not_written(sources, target, monkeypatch):
    monkeypatch.setattr(bundle_writer, "differences", lambda *_: LOST)
    refused(
        sources, target, ExportError, "int8 loses too much: text: 4 of 9 clear", quantization=QuantizationConfig("int8")
    )


@pytest.mark.slow
def test_a_bundle_that_loses_too_much_is_written_with_its_shortfall_where_that_is_allowed(sources, target, monkeypatch):
    monkeypatch.setattr(bundle_writer, "differences", lambda *_: LOST)
    manifest = build(sources, target, Options(limits=ANY_LOSS))
    assert manifest["verification"]["shortfall"] == ["text: 4 of 9 clear labels changed"]
    assert "**Falls short**" in (target / "MODEL_CARD.md").read_text(encoding="utf-8")
