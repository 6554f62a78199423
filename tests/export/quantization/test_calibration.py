"""Inputs of a slot's graph for static int8: waveforms for slots that take sound, token ids for those that take text."""

from types import SimpleNamespace

import numpy as np
import pytest

from edge_runtime.classifier import MAX_TEXT_TOKENS
from export.graphs.bundle_graphs import BundleGraphs
from export.graphs.text import text_graph
from export.quantization.calibration import FROM_TEXT, FROM_WAVEFORM, named_feeds
from trainer.text.network import TextEmotion

WAVEFORM = np.linspace(-1, 1, 50, dtype=np.float32)
SAMPLES = [SimpleNamespace(waveform=w, transcript=t) for w, t in ((WAVEFORM, ""), (None, "well no"), (WAVEFORM, "no"))]


def tokenizer(text: str, *, truncation: bool, max_length: int) -> dict[str, list[int]]:
    assert (truncation, max_length) == (True, MAX_TEXT_TOKENS)
    return {"input_ids": [len(word) for word in text.split()]}


def graphs(known, *, network=None) -> BundleGraphs:
    """Return graphs whose tokenizer is ``known``, and whose ``text_emotion`` is that of ``network``."""
    slots = {} if network is None else {"text_emotion": text_graph(network)}
    return BundleGraphs(slots=slots, tokenizers={} if known is None else {"text": known})


@pytest.mark.parametrize("slot", FROM_WAVEFORM)
def test_a_slot_that_takes_sound_gets_the_waveform_of_each_recording(slot):
    feeds = named_feeds(slot, SAMPLES, graphs(None))
    assert [list(feed) for feed in feeds] == [["waveform"]] * 2
    np.testing.assert_array_equal(feeds[0]["waveform"], WAVEFORM[None])


@pytest.mark.parametrize("slot", FROM_TEXT)
def test_a_slot_that_takes_text_gets_the_token_ids_of_each_transcript(slot):
    feeds = named_feeds(slot, SAMPLES, graphs(tokenizer))
    assert [feed["input_ids"].tolist() for feed in feeds] == [[[4, 2]], [[2]]]
    assert [feed["attention_mask"].tolist() for feed in feeds] == [[[1, 1]], [[1]]]


def test_a_graph_that_reads_a_context_is_given_utterances_alone(tiny_bert):
    feeds = named_feeds("text_emotion", SAMPLES, graphs(tokenizer, network=TextEmotion(tiny_bert, 4, context_tokens=8)))
    assert [feed["token_type_ids"].tolist() for feed in feeds] == [[[0, 0]], [[0]]]
    feeds = named_feeds("text_emotion", SAMPLES, graphs(tokenizer, network=TextEmotion(tiny_bert, 4)))
    assert [sorted(feed) for feed in feeds] == [["attention_mask", "input_ids"]] * 2


@pytest.mark.parametrize(("slot", "known"), [("vad", tokenizer), ("fusion", tokenizer), ("text_emotion", None)])
def test_other_slots_and_text_without_a_tokenizer_get_nothing(slot, known):
    assert named_feeds(slot, SAMPLES, graphs(known)) == []
