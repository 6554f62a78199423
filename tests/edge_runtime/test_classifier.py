"""One utterance through stand-ins for its graphs: what each is given, and what becomes of its logits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from edge_runtime.baseline import Baseline
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.slot import Slot, Tensor
from edge_runtime.bundle.text_settings import TextSettings
from edge_runtime.classifier import UtteranceClassifier
from edge_runtime.errors import BaselineError, BundleError
from edge_runtime.inference.asr import Language, Transcript, TranscriptDecoder
from edge_runtime.inference.segmenter import Utterance
from edge_runtime.inference.text_tokens import Turn
from edge_runtime.inference.vad import WINDOW
from edge_runtime.prediction import Scores

LABELS = ("angry", "happy", "sad")
TEMPERATURES = {"speech": 2.0, "text": 3.0, "fusion": 4.0, "fusion_speech_only": 5.0, "fusion_text_only": 6.0}
VOICE, WORDS, JOINED = (np.array([row], np.float32) for row in ([12, 0, 0], [0, 12, 0], [0, 0, 12]))
SPOKEN = np.array([False, True, True, False])
UTTERANCE = Utterance(1.5, np.arange(1_280, dtype=np.float32), SPOKEN)
HIDDEN = np.full((1, 1, 4, 2), 7, np.float32)


class Graph:
    """Gives what it was told to give, and keeps what it was given."""

    def __init__(self, **outputs: np.ndarray) -> None:
        self.outputs, self.given = outputs, dict[str, np.ndarray]()

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        self.given = inputs
        return dict(self.outputs)


def graphs() -> dict[str, Graph]:
    return {
        "speech_encoder": Graph(hidden_states=HIDDEN, cross=np.zeros(1, np.float32)),
        "speech_emotion": Graph(logits=VOICE, embedding=np.full((1, 3), 8, np.float32)),
        "text_emotion": Graph(logits=WORDS, embedding=np.full((1, 5), 9, np.float32)),
        "fusion": Graph(logits=JOINED),
    }


def classify(
    folder: Path,
    slots: Mapping[str, Graph],
    temperatures: Mapping[str, float] = TEMPERATURES,
    evidence: tuple[str, ...] = (),
) -> UtteranceClassifier:
    """A bundle of these graphs, without a transcript's decoder."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "no": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "text.json"))
    widths = {"present": 2, "speech_embedding": 3, "text_embedding": 5, "text_logits": 3, "evidence": len(evidence)}
    fused = tuple(Tensor(name, "tensor(float)", ("batch", width)) for name, width in widths.items() if width)
    stated = {slot: Slot(slot, folder / slot, "fp32", fused if slot == "fusion" else (), ()) for slot in slots}
    bundle = Bundle(
        folder,
        "stand-in",
        "1",
        LABELS,
        stated,
        {"text": folder / "text.json"},
        None,
        dict(temperatures),
        {},
        evidence=evidence,
    )
    return UtteranceClassifier(bundle, slots)  # type: ignore[arg-type]


def assert_is(scores: Scores | None, label: str, temperature: float) -> None:
    """The logit of ``label`` is 12, the others' 0."""
    assert scores is not None
    odds = np.exp(12 / temperature)
    expected = {name: (odds if name == label else 1) / (odds + 2) for name in LABELS}
    assert scores.label == label
    assert tuple(scores.scores) == LABELS
    assert scores.scores == pytest.approx(expected)


def test_each_answer_is_divided_by_its_own_temperature(tmp_path: Path) -> None:
    found = classify(tmp_path, graphs())(UTTERANCE, "no", {})
    assert_is(found.speech, "angry", TEMPERATURES["speech"])
    assert_is(found.text, "happy", TEMPERATURES["text"])
    assert_is(found.fused, "sad", TEMPERATURES["fusion"])


def with_text(classifier: UtteranceClassifier, settings: TextSettings, point: float = 0.0) -> Bundle:
    """Return the bundle of ``classifier`` with what is stated of words."""
    return replace(classifier._bundle, text=settings, operating_point=point)


@pytest.mark.parametrize("prior", [0.05, 0.5, 0.9])
def test_another_prior_of_neutral_changes_its_odds_in_answers_from_words_alone(tmp_path: Path, prior: float) -> None:
    priors = {"angry": 0.2, "neutral": 0.5, "sad": 0.3}
    usual = classify(tmp_path, graphs())
    bundle = replace(with_text(usual, TextSettings(priors=priors)), labels=tuple(priors))
    before, after = (
        UtteranceClassifier(bundle, graphs(), text_neutral_prior=p)  # type: ignore[arg-type]
        for p in (None, prior)
    )
    one, other = (c(UTTERANCE, "no", {}) for c in (before, after))
    assert (one.speech, one.fused) == (other.speech, other.fused)
    alone, shifted = (c.classify_text("no") for c in (before, after))
    for a, b in ((one.text, other.text), (alone, shifted)):
        assert a is not None and b is not None
        wanted = {label: a.scores[label] / priors[label] for label in priors}
        wanted = {k: v * (prior if k == "neutral" else priors[k] / 0.5 * (1 - prior)) for k, v in wanted.items()}
        assert b.scores == pytest.approx({k: v / sum(wanted.values()) for k, v in wanted.items()})


def test_a_prior_needs_one_of_training_and_is_a_share(tmp_path: Path) -> None:
    usual = classify(tmp_path, graphs())
    with pytest.raises(BundleError, match="states no prior of neutral"):
        UtteranceClassifier(with_text(usual, TextSettings()), graphs(), text_neutral_prior=0.5)  # type: ignore[arg-type]
    for prior in (0, 1, -0.1, 1.5, float("nan"), True):
        with pytest.raises(ValueError, match="text_neutral_prior"):
            UtteranceClassifier(with_text(usual, TextSettings()), graphs(), text_neutral_prior=prior)  # type: ignore[arg-type]


@pytest.mark.parametrize(("words", "all_", "expected"), [(1.0, 0.1, (True, False)), (0.1, 1.0, (False, True))])
def test_words_alone_have_an_operating_point_of_their_own(
    tmp_path: Path, words: float, all_: float, expected: tuple[bool, bool]
) -> None:
    bundle = with_text(classify(tmp_path, graphs()), TextSettings(operating_point=words), all_)
    both = UtteranceClassifier(bundle, graphs())  # type: ignore[arg-type]
    found = both(UTTERANCE, "no", {})
    assert found.text is not None and found.fused is not None and found.speech is not None
    assert (found.text.uncertain, found.fused.uncertain) == expected
    assert (found.uncertain, found.speech.uncertain) == (expected[1], expected[1])
    assert both.classify_text("no").uncertain == expected[0]
    slots = {"text_emotion": graphs()["text_emotion"]}
    assert UtteranceClassifier(bundle, slots)(UTTERANCE, "no", {}).uncertain == expected[0]  # type: ignore[arg-type]


def test_what_was_said_before_reaches_the_words_alone(tmp_path: Path) -> None:
    slots = graphs()
    bundle = with_text(classify(tmp_path, slots), TextSettings(context_tokens=3))
    reading = UtteranceClassifier(bundle, slots)  # type: ignore[arg-type]
    context = reading.check_context(["no", Turn("what", "other")])
    reading(UTTERANCE, "no \ud800", {}, context=[*context, Turn("\udfff")])
    given = slots["text_emotion"].given
    assert given["token_type_ids"].tolist() == [[0, 0, 1, 1, 1]]
    assert given["input_ids"].shape == given["attention_mask"].shape == (1, 5)
    reading.classify_text("no")
    assert slots["text_emotion"].given["token_type_ids"].tolist() == [[0]]


def test_a_bundle_that_reads_no_context_refuses_one_and_is_given_no_types(tmp_path: Path) -> None:
    slots = graphs()
    usual = classify(tmp_path, slots)
    with pytest.raises(BundleError, match="reads no context"):
        usual.check_context(["no"])
    assert usual.check_context([]) == []
    usual(UTTERANCE, "no", {}, context=[Turn("no")])
    assert slots["text_emotion"].given.keys() == {"input_ids", "attention_mask"}


def test_a_tokenizer_that_cannot_put_a_context_behind_a_text_is_refused(tmp_path: Path) -> None:
    bundle = with_text(classify(tmp_path, graphs()), TextSettings(context_tokens=3))
    tokenizer = Tokenizer.from_file(str(tmp_path / "text.json"))
    tokenizer.post_processor = TemplateProcessing(single="$A no", pair="$A $B no", special_tokens=[("no", 1)])
    tokenizer.save(str(tmp_path / "text.json"))
    with pytest.raises(BundleError, match=r"text\.json: reads no context"):
        UtteranceClassifier(bundle, graphs())  # type: ignore[arg-type]


def test_fusion_of_one_side_alone_has_a_temperature_of_its_own(tmp_path: Path) -> None:
    slots = graphs()
    alone = classify(tmp_path, slots)
    assert_is(alone(UTTERANCE, "", {}).fused, "sad", TEMPERATURES["fusion_speech_only"])
    np.testing.assert_array_equal(slots["fusion"].given["present"], [[1, 0]])
    assert_is(alone.classify_text("no"), "sad", TEMPERATURES["fusion_text_only"])
    np.testing.assert_array_equal(slots["fusion"].given["present"], [[0, 1]])


def test_fusion_that_cannot_do_without_a_side_leaves_the_answer_to_the_other(tmp_path: Path) -> None:
    both = classify(tmp_path, graphs(), {name: TEMPERATURES[name] for name in ("speech", "text", "fusion")})
    assert_is(both(UTTERANCE, "no", {}).fused, "sad", TEMPERATURES["fusion"])
    assert_is(both(UTTERANCE, "", {}).fused, "angry", TEMPERATURES["speech"])
    assert_is(both.classify_text("no"), "happy", TEMPERATURES["text"])


def test_without_fusion_the_voice_answers_before_the_words(tmp_path: Path) -> None:
    slots = graphs()
    del slots["fusion"]
    assert_is(classify(tmp_path, slots)(UTTERANCE, "no", {}).fused, "angry", TEMPERATURES["speech"])
    del slots["speech_emotion"]
    assert_is(classify(tmp_path, slots)(UTTERANCE, "no", {}).fused, "happy", TEMPERATURES["text"])


def test_fusion_gets_what_it_asks_for_by_name_and_zeros_of_a_side_that_is_missing(tmp_path: Path) -> None:
    slots = graphs()
    both = classify(tmp_path, slots)
    both(UTTERANCE, "no", {})
    given = slots["fusion"].given
    np.testing.assert_array_equal(given["present"], [[1, 1]])
    np.testing.assert_array_equal(given["speech_embedding"], [[8] * 3])
    np.testing.assert_array_equal(given["text_embedding"], [[9] * 5])
    np.testing.assert_array_equal(given["text_logits"], WORDS)
    both(UTTERANCE, "", {})
    np.testing.assert_array_equal(slots["fusion"].given["text_embedding"], [[0] * 5])
    np.testing.assert_array_equal(slots["fusion"].given["text_logits"], [[0] * 3])


def test_fusion_is_told_of_the_words_what_the_bundle_names_and_zeros_without_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = graphs()
    names = ("words_per_s", "lowest_log_probability", "mean_log_probability", "spoken_share")
    told = classify(tmp_path, slots, evidence=names)
    assert told(UTTERANCE, "no no", {}).transcript_confidence is None
    np.testing.assert_allclose(slots["fusion"].given["evidence"], [[50, 0, 0, 0.5]])
    told(UTTERANCE, "", {})
    np.testing.assert_array_equal(slots["fusion"].given["evidence"], [[0] * 4])
    told.classify_text("no")
    np.testing.assert_array_equal(slots["fusion"].given["evidence"], [[2.5, 0, 0, 1]])
    heard = Transcript("no", -0.5, ended=True, lowest_log_probability=-2)
    monkeypatch.setattr(told, "_transcript_decoder", SimpleNamespace(transcribe=lambda *_, duration_s: heard))
    assert told(UTTERANCE).transcript_confidence == pytest.approx(np.exp(-0.5))
    np.testing.assert_allclose(slots["fusion"].given["evidence"], [[25, -2, -0.5, 0.5]])
    assert slots["fusion"].given["evidence"].dtype == np.float32


def test_fusion_that_asks_for_no_evidence_is_given_none(tmp_path: Path) -> None:
    slots = graphs()
    classify(tmp_path, slots)(UTTERANCE, "no", {})
    assert "evidence" not in slots["fusion"].given


def test_the_voice_is_read_from_the_encoder_s_states_where_it_speaks(tmp_path: Path) -> None:
    slots = graphs()
    found = classify(tmp_path, slots)(UTTERANCE, "no", {})
    np.testing.assert_array_equal(slots["speech_encoder"].given["waveform"], [UTTERANCE.waveform])
    np.testing.assert_array_equal(slots["speech_emotion"].given["hidden_states"], HIDDEN)
    np.testing.assert_array_equal(slots["speech_emotion"].given["spoken"], [SPOKEN])
    assert (found.start_s, found.end_s) == (1.5, 1.58)


@pytest.mark.parametrize(("count", "read"), [(1, 1), (256, 256), (257, 256), (1_000, 256)])
def test_no_more_than_256_tokens_of_a_text_are_read(tmp_path: Path, count: int, read: int) -> None:
    slots = graphs()
    found = classify(tmp_path, slots)(UTTERANCE, "no " * count, {})
    assert slots["text_emotion"].given["input_ids"].shape == (1, read)
    assert slots["text_emotion"].given["attention_mask"].sum() == read
    assert found.transcript == ("no " * count).strip()


def test_a_transcript_is_bounded_by_the_length_of_the_utterance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    heard = classify(tmp_path, graphs())

    def transcribe(cross: Mapping[str, np.ndarray], *, duration_s: float) -> Transcript:
        asked.append({"cross": list(cross), "duration_s": duration_s})
        return Transcript("no", 0.0, ended=True)

    monkeypatch.setattr(heard, "_transcript_decoder", SimpleNamespace(transcribe=transcribe))
    assert heard(UTTERANCE, None, {}).transcript == "no"
    assert asked == [{"cross": ["cross"], "duration_s": pytest.approx(0.08)}]
    heard(UTTERANCE, "given", {})
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("judged", "used", "notes"),
    [
        (("en",), ("voice",), ("spoken in Polish: the words are not judged",)),
        (("en", "pl"), ("voice", "words"), ()),
        ((), ("voice", "words"), ()),
    ],
)
def test_words_of_a_language_that_the_text_branch_does_not_know_are_shown_and_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judged: tuple[str, ...], used: tuple[str, ...], notes: tuple[str]
) -> None:
    slots = graphs()
    bundle = with_text(classify(tmp_path, slots), TextSettings(languages=judged))
    heard = UtteranceClassifier(bundle, slots)  # type: ignore[arg-type]
    said = [Transcript("no", 0.0, ended=True, language=Language("pl", "Polish"))]
    transcribe = SimpleNamespace(transcribe=lambda *_, **__: said[-1])
    monkeypatch.setattr(heard, "_transcript_decoder", transcribe)
    found = heard(UTTERANCE)
    assert (found.transcript, found.language, found.used, found.notes) == ("no", "pl", used, notes)
    assert slots["fusion"].given["present"].tolist() == [[1, float("words" in used)]]
    given = heard(UTTERANCE, "no")  # whoever gives the words has them judged
    assert (given.language, given.used, given.notes) == (None, ("voice", "words"), ())
    said.append(Transcript("", 0.0, ended=True, language=Language("pl", "Polish")))
    nothing = heard(UTTERANCE)
    assert (nothing.transcript, nothing.language, nothing.notes) == (None, None, ())


def test_logits_that_are_no_numbers_are_the_bundle_s_fault(tmp_path: Path) -> None:
    slots = graphs()
    slots["speech_emotion"].outputs["logits"] = np.array([[np.nan, 0, 0]], np.float32)
    with pytest.raises(BundleError, match=r"\(speech\)"):
        classify(tmp_path, slots)(UTTERANCE, "", {})


def test_the_length_of_a_transcript_is_bound_by_the_samples_wherever_the_utterance_begins(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    durations: list[float] = []
    said = Transcript("ask", 0.0, ended=True)
    monkeypatch.setattr(TranscriptDecoder, "transcribe", lambda *_, duration_s: durations.append(duration_s) or said)
    bundle = Bundle.read(tiny_bundle)
    classify = UtteranceClassifier(bundle, {s: bundle.open(s, device="cpu", threads=1) for s in bundle.slots})
    samples, spoken = np.ones(125 * WINDOW, np.float32), np.ones(200, np.bool_)
    utterances = [Utterance(window * WINDOW / 16_000, samples, spoken) for window in range(2_000)]
    rounded = [utterance for utterance in utterances if utterance.end_s - utterance.start_s < 4]
    for utterance in [utterances[0], *rounded[:2]]:
        classify(utterance, None, {})
    assert durations == [4.0, 4.0, 4.0]


FORMS = {
    "hidden_states": ("batch", 1, "states", 2),
    "spoken": ("batch", "states"),
    "baseline": ("batch", "recordings", 2),
    "baseline_s": ("batch", "recordings"),
    "pooled": ("batch", 2),
}


def comparing(folder: Path, slots: Mapping[str, Graph], operating_point: float = 0.0) -> UtteranceClassifier:
    """A bundle of the voice alone, which takes a baseline."""
    tensors = [Tensor(name, "tensor(float)", shape) for name, shape in FORMS.items()]
    stated = {
        slot: Slot(slot, folder / slot, "fp32", tuple(tensors[:4]), tuple(tensors[4:]))
        for slot in ("speech_encoder", "speech_emotion")
    }
    manifest = {"slots": {slot: {"sha256": slot} for slot in stated}}
    bundle = Bundle(
        folder, "stand-in", "1", LABELS, stated, {}, None, {"speech": 2.0}, manifest, operating_point=operating_point
    )
    return UtteranceClassifier(bundle, {slot: slots[slot] for slot in stated})  # type: ignore[misc]


def pooling() -> dict[str, Graph]:
    slots = graphs()
    slots["speech_emotion"].outputs["pooled"] = np.array([[3, 4]], np.float32)
    return slots


def test_without_a_baseline_the_graph_gets_one_row_of_zeros_with_no_seconds(tmp_path: Path) -> None:
    slots = pooling()
    classify = comparing(tmp_path, slots)
    heard = classify.hear(UTTERANCE)
    segment, pooled = classify.judge(heard, classify.recognise(heard)), heard.pooled
    np.testing.assert_array_equal(slots["speech_emotion"].given["baseline"], np.zeros((1, 1, 2), np.float32))
    np.testing.assert_array_equal(slots["speech_emotion"].given["baseline_s"], np.zeros((1, 1), np.float32))
    assert segment.baseline_s == 0.0
    assert pooled is not None
    assert pooled.pooled.tolist() == [[3, 4]]
    assert pooled.seconds.tolist() == pytest.approx([0.04])  # two states of speech
    assert pooled.bundle == "stand-in 1"


def test_the_graph_gets_each_row_of_a_baseline_and_its_seconds(tmp_path: Path) -> None:
    slots = pooling()
    classify = comparing(tmp_path, slots)
    graphs_of = classify.pool(UTTERANCE).graphs
    given = Baseline(np.array([[1, 2], [5, 6]]), np.array([0.25, 2]), graphs_of, "stand-in 1")
    classify.check_baseline(given)
    assert classify(UTTERANCE, baseline=given).baseline_s == 2.25
    sent = slots["speech_emotion"].given
    assert (sent["baseline"].tolist(), sent["baseline_s"].tolist()) == ([[[1, 2], [5, 6]]], [[0.25, 2]])
    assert {sent[name].dtype for name in ("baseline", "baseline_s", "spoken")} == {np.dtype(np.float32)}
    classify.pool(UTTERANCE)
    assert slots["speech_emotion"].given["baseline_s"].tolist() == [[0]]


def test_a_baseline_of_less_than_a_second_has_a_weight_of_nothing(tmp_path: Path) -> None:
    slots = pooling()
    classify = comparing(tmp_path, slots)
    short = Baseline(np.array([[1, 2]]), np.array([0.98]), classify.pool(UTTERANCE).graphs, "stand-in 1")
    assert classify(UTTERANCE, baseline=short).baseline_s == 0.0
    assert slots["speech_emotion"].given["baseline"].tolist() == [[[0, 0]]]


def test_rows_of_another_width_are_another_bundle_s(tmp_path: Path) -> None:
    classify = comparing(tmp_path, pooling())
    wide = Baseline(np.ones((1, 3)), np.ones(1), classify.pool(UTTERANCE).graphs, "stand-in 1")
    with pytest.raises(BaselineError, match="make it again"):
        classify.check_baseline(wide)


def test_pooled_values_that_are_no_numbers_are_the_bundle_s_fault(tmp_path: Path) -> None:
    slots = pooling()
    slots["speech_emotion"].outputs["pooled"] = np.array([[np.nan, 4]], np.float32)
    with pytest.raises(BundleError, match="slot speech_emotion pools"):
        comparing(tmp_path, slots)(UTTERANCE)


def test_an_answer_below_the_operating_point_is_uncertain_and_keeps_its_label(tmp_path: Path) -> None:
    sure = comparing(tmp_path, pooling())(UTTERANCE)
    assert sure.confidence is not None
    assert (sure.label, sure.uncertain) == ("angry", False)
    for point, uncertain in ((sure.confidence, False), (float(np.nextafter(sure.confidence, 1)), True)):
        found = comparing(tmp_path, pooling(), operating_point=point)(UTTERANCE)
        assert (found.label, found.uncertain) == ("angry", uncertain)
