"""What the manifest takes from checkpoints before anything is written."""

import pytest

from export.assemble import operating_point, temperatures, text_facts
from export.graphs.bundle_graphs import BundleGraphs
from export.graphs.text import text_graph
from tests.export.tiny import FUSED
from trainer.text.network import TextEmotion


def test_temperatures_are_those_of_the_checkpoints(configs):
    assert temperatures(configs) == {
        **{part: configs[part]["metrics"]["calibration"]["temperature"] for part in ("speech", "text")},
        **{name: configs["fusion"]["metrics"]["calibration"][name]["temperature"] for name in FUSED},
    }


@pytest.mark.parametrize("kept", [("speech", "text", "fusion"), ("speech",), ("text",)])
def test_without_held_out_data_a_temperature_is_1(configs, kept):
    for config in configs.values():
        config["metrics"]["calibration"] = None
    configs["fusion"]["metrics"]["calibration"] = dict.fromkeys(FUSED)
    found = temperatures({part: configs[part] for part in kept})
    assert set(found) == {part for part in kept if part != "fusion"} | (set(FUSED) if "fusion" in kept else set())
    assert set(found.values()) == {1.0}


def test_the_operating_point_of_words_is_that_of_the_way_in_which_words_alone_answer(configs, tiny_bert):
    graphs = BundleGraphs({"text_emotion": text_graph(TextEmotion(tiny_bert, 4, context_tokens=32))})
    assert text_facts(graphs, configs) == {"text_emotion": {"context": {"max_tokens": 32}}}
    configs["text"]["metrics"]["calibration"]["operating_point"] = 0.5
    configs["fusion"]["metrics"]["calibration"]["fusion_text_only"]["operating_point"] = 0.6
    configs["text"]["priors"] = {"neutral": 0.9, "sad": 0.1}
    stated = {"context": {"max_tokens": 32}, "priors": {"neutral": 0.9, "sad": 0.1}}
    found = text_facts(graphs, configs)
    assert found == {"text_emotion": {**stated, "operating_point": {"confidence": 0.6}}}
    del configs["fusion"]
    assert text_facts(graphs, configs) == {"text_emotion": {**stated, "operating_point": {"confidence": 0.5}}}


def test_words_alone_do_not_make_answers_with_a_voice_uncertain(configs):
    points = {"fusion": 0.7, "fusion_speech_only": 0.6, "fusion_text_only": 0.97}
    for way, point in points.items():
        configs["fusion"]["metrics"]["calibration"][way]["operating_point"] = point
    assert operating_point(configs) == {"operating_point": {"confidence": 0.7}}
    configs["fusion"]["metrics"]["calibration"]["fusion_speech_only"]["operating_point"] = 0.8
    assert operating_point(configs) == {"operating_point": {"confidence": 0.8}}


def test_of_text_without_a_context_or_anything_measured_nothing_is_stated(configs, tiny_bert):
    configs["text"]["metrics"]["calibration"] = None
    assert text_facts(BundleGraphs({"text_emotion": text_graph(TextEmotion(tiny_bert, 4))}), configs) == {}
    assert text_facts(BundleGraphs(), configs) == {}
