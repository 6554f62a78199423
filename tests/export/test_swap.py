"""Components replaced: the rest stays byte for byte; what is new is checked; what does not fit is refused."""

import json
import shutil
from pathlib import Path

import pytest

from edge_runtime import IEmoNet
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.text_settings import TextSettings
from edge_runtime.errors import BundleNotFoundError
from export.build import VERSION
from export.bundle_writer import Options
from export.evaluation.limits import Limits
from export.quantization.config import QuantizationConfig
from export.swap import Replacement, swap
from tests.export.test_hf_classifier import write_classifier
from tests.export.tiny import edit
from trainer.errors import CheckpointError, ExportError
from trainer.speech import checkpoint as speech_checkpoint
from trainer.speech.bilstm import AttentionBiLSTM

LABELS = ("neutral", "happy", "sad", "angry")
RENAMED = {"joy": "happy", "anger": "angry", "annoyance": "angry", "gloom": "sad"}
PRIORS = {"neutral": 0.4, "happy": 0.3, "sad": 0.2, "angry": 0.1}
ANY_LOSS = Limits(allow_shortfall=True)
FP32 = Options(QuantizationConfig("fp32"))


@pytest.fixture
def classifier(tmp_path) -> Path:
    return write_classifier(tmp_path / "my-bert", labels=["joy", "anger", "neutral", "annoyance", "gloom"])


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "new"


def checksums(folder: Path) -> dict[str, str]:
    return {slot: entry["sha256"] for slot, entry in Bundle.read(folder).manifest["slots"].items()}


def test_replaced_text_makes_fusion_a_product(exported, target, classifier):
    manifest = swap(exported, Replacement(text=classifier, renamed=RENAMED), target, FP32)
    before, after = checksums(exported), checksums(target)
    assert {slot for slot in before if before[slot] != after[slot]} == {"text_emotion", "fusion"}
    bundle = Bundle.read(target)
    assert (bundle.name, bundle.labels) == ("new", LABELS)
    assert set(bundle.temperatures) == {"speech", "text", "fusion"}
    assert manifest["swapped"] == {"from": f"tiny-fp32 {VERSION}", "parts": ["text"]}
    assert set(manifest["provenance"]) == {"speech", "text"}
    answer = IEmoNet.load(target, device="cpu", threads=1).classify_text("well")
    assert set(answer.scores) == set(LABELS)
    card = (target / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "never trained together" in card
    assert "my-bert" in card
    assert "GPL" not in card  # MELD trained the text and the fusion that are gone
    assert "NC-SA" in card  # RAVDESS still trained speech


@pytest.fixture
def reading_text(tmp_path, components) -> Path:
    """A checkpoint of text that reads a context, with an operating point and priors."""
    folder = Path(shutil.copytree(components / "checkpoints" / "text", tmp_path / "text"))
    config = json.loads((folder / "config.json").read_text())
    metrics = {**config["metrics"], "calibration": {**config["metrics"]["calibration"], "operating_point": 0.45}}
    edit(folder, settings={**config["settings"], "context_tokens": 8}, metrics=metrics, priors=PRIORS)
    return folder


def test_text_that_reads_a_context_is_put_in_with_what_is_stated_of_it(exported, target, reading_text):
    swap(exported, Replacement(text=reading_text), target, Options(limits=ANY_LOSS))
    assert Bundle.read(exported).text.context_tokens == 0
    assert Bundle.read(target).text == TextSettings(8, 0.45, PRIORS)
    model = IEmoNet.load(target, device="cpu", threads=1, text_neutral_prior=0.5)
    assert model.classify_text("well", context=["no no"]) != model.classify_text("well")
    card = (target / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "as far as 8 tokens reach" in card and "neutral 0.40, happy 0.30," in card


def test_what_was_measured_of_words_through_another_fusion_is_left_out(exported, target, tmp_path, configs):
    base = Path(shutil.copytree(exported, tmp_path / "base"))
    stated = {"operating_point": {"confidence": 0.45}, "priors": PRIORS}
    manifest = json.loads((base / "bundle.json").read_text())
    (base / "bundle.json").write_text(json.dumps({**manifest, "text_emotion": stated}))
    speech = tmp_path / "is09"
    speech_checkpoint.write(speech, AttentionBiLSTM(4), configs["speech"])
    assert swap(base, Replacement(speech=speech), target, Options())["text_emotion"] == {"priors": PRIORS}


def test_the_papers_speech_network_is_put_in(exported, target, tmp_path, configs):
    speech = tmp_path / "is09"
    speech_checkpoint.write(speech, AttentionBiLSTM(4), configs["speech"])
    swap(exported, Replacement(speech=speech), target, Options())
    slots = Bundle.read(target).slots
    assert slots["speech_emotion"].takes("waveform")
    assert checksums(exported)["text_emotion"] == checksums(target)["text_emotion"]


def test_another_recogniser_leaves_speech_emotion_its_own_encoder(exported, target, components, jfk):
    swap(exported, Replacement(whisper=str(components / "weights" / "whisper-tiny.en")), target, FP32)
    before, after = checksums(exported), checksums(target)
    assert "transcript_encoder" in after and "transcript_memory" not in after
    assert all(after[slot] == before[slot] for slot in ("speech_encoder", "speech_emotion", "fusion", "text_emotion"))
    assert set(Bundle.read(target).temperatures) == set(Bundle.read(exported).temperatures)
    one, other = (IEmoNet.load(folder, device="cpu", threads=1)(jfk) for folder in (exported, target))
    assert one.transcript == other.transcript
    assert "transcript_encoder" in other.timings_ms


@pytest.fixture
def multilingual(tmp_path, components) -> Path:
    """The tiny Whisper, which tells two languages."""
    folder = Path(shutil.copytree(components / "weights" / "whisper-tiny.en", tmp_path / "multilingual"))
    tokens = {"lang_to_id": {"<|en|>": 53, "<|pl|>": 54}, "task_to_id": {"transcribe": 55, "translate": 56}}
    settings = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(settings | tokens))
    return folder


def test_a_recogniser_that_tells_the_language_is_put_in_with_the_languages_that_are_judged(
    exported, target, multilingual, jfk, tmp_path, reading_text
):
    swap(exported, Replacement(whisper=str(multilingual)), target, Options(QuantizationConfig("fp32"), limits=ANY_LOSS))
    bundle = Bundle.read(target)
    assert bundle.decoding is not None
    assert [bundle.decoding.prompt, bundle.decoding.after_language] == [[51], [55, 52]]
    assert {language.code for language in bundle.decoding.languages.values()} == {"en", "pl"}
    assert bundle.text.languages == ("en",)  # that of the text checkpoint
    assert IEmoNet.load(target, device="cpu", threads=1)(jfk).language in {"en", "pl", None}
    edit(
        reading_text,
        settings={**json.loads((reading_text / "config.json").read_text())["settings"], "languages": ["pl"]},
    )
    swap(target, Replacement(text=reading_text), tmp_path / "again", Options(limits=ANY_LOSS))
    assert Bundle.read(tmp_path / "again").text.languages == ("pl",)


def test_a_multilingual_recogniser_that_is_told_its_language_tells_none(exported, target, multilingual):
    swap(exported, Replacement(whisper=str(multilingual), language="pl"), target, Options(limits=ANY_LOSS))
    bundle = Bundle.read(target)
    assert bundle.decoding is not None
    assert [bundle.decoding.prompt, bundle.decoding.languages] == [[51, 54, 55, 52], {}]
    assert bundle.text.languages == ()


def test_the_same_text_checkpoint_gives_the_same_graph(exported, target, components):
    swap(exported, Replacement(text=components / "checkpoints" / "text"), target, FP32)
    assert checksums(target)["text_emotion"] == checksums(exported)["text_emotion"]
    assert checksums(target)["fusion"] != checksums(exported)["fusion"]


def test_nothing_to_replace_is_an_error(exported, target):
    with pytest.raises(ExportError, match="nothing to replace"):
        swap(exported, Replacement(), target, FP32)


@pytest.mark.parametrize("part", ["speech", "text"])
def test_other_labels_are_refused_and_leave_nothing(exported, target, components, part):
    new = Replacement(**{part: components / "run" / "checkpoints" / part})
    with pytest.raises(ExportError, match=r"labels \['glad', 'grim', 'so-so'\] differ from the bundle's"):
        swap(exported, new, target, FP32)
    assert not target.exists()


def test_without_force_an_existing_target_is_kept(exported, target, classifier):
    target.mkdir()
    with pytest.raises(ExportError, match="--force"):
        swap(exported, Replacement(text=classifier, renamed=RENAMED), target, FP32)


def test_a_missing_bundle_and_a_missing_checkpoint_are_named(exported, target, tmp_path):
    with pytest.raises(BundleNotFoundError):
        swap(tmp_path / "nowhere", Replacement(text=tmp_path), target, FP32)
    with pytest.raises(CheckpointError, match="empty"):
        swap(exported, Replacement(text=tmp_path / "empty"), target, FP32)


def test_a_bundle_that_reads_text_alone_takes_no_recogniser(exported, target, tmp_path, components):
    base = Path(shutil.copytree(exported, tmp_path / "text-alone"))
    manifest = json.loads((base / "bundle.json").read_text())
    for slot in manifest["slots"].keys() - {"text_emotion"}:
        del manifest["slots"][slot]
    manifest["calibration"] = {"text": 1.0}
    (base / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(ExportError, match="reads text alone"):
        swap(base, Replacement(whisper=str(components / "weights" / "whisper-tiny.en")), target, FP32)


@pytest.mark.slow
def test_swapping_speech_of_the_default_bundle_keeps_the_metrics_of_text_and_drops_those_of_speech(
    bundle_folder, target, tmp_path, configs, components
):
    speech = tmp_path / "is09"
    speech_checkpoint.write(speech, AttentionBiLSTM(4), configs["speech"])
    swap(bundle_folder, Replacement(speech=speech), target, Options())
    card, card_of_default = (
        (folder / "MODEL_CARD.md").read_text(encoding="utf-8") for folder in (target, bundle_folder)
    )
    (row,) = [line for line in card_of_default.splitlines() if line.startswith("| text | held-out utterances |")]
    assert row in card
    assert "| speech | emodb |" in card_of_default and "| speech | emodb |" not in card
