"""Parts replaced: what stays, stays byte for byte; what is new is checked; what does not fit is refused."""

import json
import shutil
from pathlib import Path

import pytest

from edge_runtime import IEmoNet
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.errors import BundleNotFoundError
from export.build import VERSION, Sources, build
from export.quantization.config import Recipe
from export.swap import Replacement, swap
from tests.export.conftest import write_checkpoints
from tests.export.test_hf_classifier import write_classifier
from trainer import checkpoints
from trainer.errors import CheckpointError, ExportError
from trainer.speech import bilstm
from trainer.speech.bilstm import AttentionBiLSTM

LABELS = ("neutral", "happy", "sad", "angry")
RENAMED = {"joy": "happy", "anger": "angry", "annoyance": "angry", "gloom": "sad"}
FP32 = Recipe("fp32")


@pytest.fixture
def base(pretrained, trained, tmp_path) -> Path:
    build(Sources(pretrained, trained), tmp_path / "base", name="base", recipe=FP32)
    return tmp_path / "base"


@pytest.fixture
def words(tmp_path) -> Path:
    return write_classifier(tmp_path / "my-bert", labels=["joy", "anger", "neutral", "annoyance", "gloom"])


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "new"


def checksums(folder: Path) -> dict[str, str]:
    return {slot: entry["sha256"] for slot, entry in Bundle.read(folder).manifest["slots"].items()}


def change(base: Path, target: Path, new: Replacement, **options) -> dict:
    return swap(base, new, target, **{"name": "new", "recipe": FP32, **options})


def test_words_are_replaced_and_fusion_becomes_a_product(base, target, words):
    manifest = change(base, target, Replacement(text=words, renamed=RENAMED))
    before, after = checksums(base), checksums(target)
    assert {slot for slot in before if before[slot] != after[slot]} == {"text_emotion", "fusion"}
    bundle = Bundle.read(target)
    assert bundle.labels == LABELS
    assert set(bundle.temperatures) == {"speech", "text", "fusion"}
    assert manifest["swapped"] == {"from": f"base {VERSION}", "parts": ["text"]}
    assert set(manifest["provenance"]) == {"speech", "text"}
    model = IEmoNet.load(target, device="cpu", threads=1)
    answer = model.classify_text("well")
    assert set(answer.scores) == set(LABELS)
    card = (target / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "never trained together" in card
    assert "my-bert" in card
    assert "GPL" not in card  # MELD shaped the words and the fusion that are gone
    assert "NC-SA" in card  # RAVDESS still shapes the voice


def test_the_papers_voice_is_put_in(base, target, tmp_path, run_configs):
    speech = tmp_path / "is09"
    config = {**run_configs["speech"], "labels": list(LABELS), "kind": bilstm.KIND}
    checkpoints.write(speech, AttentionBiLSTM(4), config)
    change(base, target, Replacement(speech=speech), recipe=Recipe("int8"))
    slots = Bundle.read(target).slots
    assert slots["speech_emotion"].takes("waveform")
    assert checksums(base)["text_emotion"] == checksums(target)["text_emotion"]


def test_another_recogniser_leaves_the_voice_its_own_encoder(base, target, pretrained):
    change(base, target, Replacement(whisper=str(pretrained / "whisper-tiny.en")))
    before, after = checksums(base), checksums(target)
    assert "transcript_encoder" in after
    assert all(after[slot] == before[slot] for slot in ("speech_encoder", "speech_emotion", "fusion", "text_emotion"))
    assert set(Bundle.read(target).temperatures) == set(Bundle.read(base).temperatures)
    example = Path(__file__).parents[2] / "examples" / "jfk.wav"
    one, other = (IEmoNet.load(folder, device="cpu", threads=1)(example) for folder in (base, target))
    assert one.transcript == other.transcript
    assert "transcript_encoder" in other.timings_ms


def test_a_words_checkpoint_of_the_trainer_is_put_in(base, target, trained):
    change(base, target, Replacement(text=trained / "text"))
    assert checksums(target)["text_emotion"] == checksums(base)["text_emotion"]
    assert checksums(target)["fusion"] != checksums(base)["fusion"]


def test_nothing_to_replace_is_an_error(base, target):
    with pytest.raises(ExportError, match="nothing to replace"):
        change(base, target, Replacement())


def test_other_labels_are_refused_and_nothing_is_left(base, target, tmp_path, run_configs, tiny_bert):
    other = write_checkpoints(tmp_path / "run" / "checkpoints", tiny_bert, run_configs)
    for new in (Replacement(text=other / "text"), Replacement(speech=other / "speech")):
        with pytest.raises(ExportError, match=r"labels \['glad', 'grim', 'so-so'\] differ from the bundle's"):
            change(base, target, new)
    assert not target.exists()


def test_what_is_there_stays(base, target, words):
    target.mkdir()
    with pytest.raises(ExportError, match="--force"):
        change(base, target, Replacement(text=words, renamed=RENAMED))


def test_what_is_missing_is_named(base, target, tmp_path):
    with pytest.raises(BundleNotFoundError):
        change(tmp_path / "nowhere", target, Replacement(text=tmp_path))
    with pytest.raises(CheckpointError, match="empty"):
        change(base, target, Replacement(text=tmp_path / "empty"))


def test_a_bundle_that_reads_words_alone_cannot_hear(target, pretrained, trained, tmp_path):
    for part in ("speech", "fusion"):
        shutil.rmtree(trained / part)
    build(Sources(pretrained, trained), tmp_path / "words", name="words", recipe=FP32)
    manifest = json.loads((tmp_path / "words" / "bundle.json").read_text())
    for slot in ("vad", "speech_encoder", "transcript_decoder"):
        del manifest["slots"][slot]
    (tmp_path / "words" / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(ExportError, match="reads words alone"):
        change(tmp_path / "words", target, Replacement(whisper=str(pretrained / "whisper-tiny.en")))
