"""Transcripts: greedy decoding ends, suppresses and leaves loops, and the example is written down rightly."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from edge_runtime import IEmoNet
from edge_runtime.inference.asr import (
    ADDED,
    BIAS,
    LONGEST_LOOP,
    REPEATS,
    SURE,
    Decoding,
    Language,
    Transcript,
    TranscriptDecoder,
    _log_probability,
    _loop,
    joined,
    separated,
)
from edge_runtime.inference.session import Session
from edge_runtime.inference.tokenizer_file import detokenizer

WORDS = ["<start>", "<end>", "a", "b", "c", "d"]
START, END, A, B, C, D = range(len(WORDS))


@pytest.mark.parametrize(
    ("tokens", "repeated"),
    [
        ([], 0),
        ([7], 0),
        ([7] * (REPEATS - 1), 0),
        ([7] * REPEATS, REPEATS - 1),
        ([1, 2, 7, 7, 7, 7], 3),
        ([7, 7, 7, 7, 1], 0),
        ([1, 2] * REPEATS, 2 * (REPEATS - 1)),
        ([9, *[1, 2, 3] * REPEATS], 3 * (REPEATS - 1)),
        ([1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 4], 0),
        (list(range(LONGEST_LOOP)) * REPEATS, LONGEST_LOOP * (REPEATS - 1)),
        (list(range(LONGEST_LOOP + 1)) * REPEATS, 0),
    ],
)
def test_a_loop_is_what_repeats_at_the_end(tokens: list[int], repeated: int) -> None:
    assert _loop(tokens) == repeated


@given(
    before=st.lists(st.integers(0, 2), max_size=20),
    pattern=st.lists(st.integers(0, 2), min_size=1, max_size=5),
    times=st.integers(REPEATS, 8),
)
def test_what_a_loop_repeats_is_left_once(before: list[int], pattern: list[int], times: int) -> None:
    tokens = before + pattern * times
    repeated = _loop(tokens)
    assert repeated > 0
    kept, length = tokens[:-repeated], repeated // (REPEATS - 1)
    assert tokens[-repeated:] == kept[-length:] * (REPEATS - 1)


def decoder(path: Path, after: dict[int, list[int]], **changes: object) -> TranscriptDecoder:
    """A decoder whose graph follows a table: ``after[token]`` are the next ones, likeliest first."""
    table = np.zeros((len(WORDS), len(WORDS)), np.float32)
    for token, likeliest in after.items():
        table[token, likeliest] = np.arange(len(likeliest), 0, -1)
    past = [1, 2, "length", 3]
    tokens = helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, "n"])
    kept = helper.make_tensor_value_info("past_0", TensorProto.FLOAT, past)
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, len(WORDS)])
    present = helper.make_tensor_value_info("present_0", TensorProto.FLOAT, past)
    nodes = [
        helper.make_node("Gather", ["tokens", "last"], ["token"], axis=1),
        helper.make_node("Gather", ["table", "token"], ["logits"], axis=0),
        helper.make_node("Concat", ["past_0", "step"], ["present_0"], axis=2),
    ]
    constants = {"last": np.array(-1), "table": table, "step": np.zeros((1, 2, 1, 3), np.float32)}
    graph = helper.make_graph(
        nodes,
        "table",
        [tokens, kept],
        [logits, present],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]), path)
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=WORDS[0]))
    settings = {"prompt": [START], "end": END, "suppress": [], "begin_suppress": [], "max_tokens": 30}
    text = detokenizer(tokenizer.to_str())
    return TranscriptDecoder(Session(path), text, Decoding(**{**settings, **changes}))  # type: ignore[arg-type]


def test_the_likeliest_are_written_up_to_the_end(tmp_path: Path) -> None:
    write = decoder(tmp_path / "graph.onnx", {START: [A], A: [B, C], B: [C], C: [END]})
    assert write({}, duration_s=5) == "a b c"
    assert write({}, duration_s=5) == "a b c"


def test_nothing_said_is_an_empty_transcript(tmp_path: Path) -> None:
    assert decoder(tmp_path / "graph.onnx", {START: [END]})({}, duration_s=5) == ""


POLISH, GERMAN = Language("pl", "Polish"), Language("de", "German")


@pytest.mark.parametrize(("likeliest", "language"), [([A, B, C], POLISH), ([C, B, A], GERMAN)])
def test_the_likeliest_language_begins_the_transcript(tmp_path: Path, likeliest: list[int], language: Language) -> None:
    """C is likelier than B at times, but no language; D follows the language, and is no word."""
    after = {START: likeliest, D: [C], C: [END]}
    languages = {A: POLISH, B: GERMAN}
    write = decoder(tmp_path / "graph.onnx", after, languages=languages, after_language=[D], suppress=[A, B])
    assert write.transcribe({}, duration_s=5).language == language
    assert write({}, duration_s=5) == "c"


def test_without_more_of_a_prompt_the_words_follow_the_language(tmp_path: Path) -> None:
    write = decoder(tmp_path / "graph.onnx", {START: [A], A: [B], B: [END]}, languages={A: POLISH})
    assert write({}, duration_s=5) == "b"


def test_one_that_knows_a_single_language_tells_none(tmp_path: Path) -> None:
    assert decoder(tmp_path / "graph.onnx", {START: [END]}).transcribe({}, duration_s=5).language is None


def test_suppressed_tokens_are_never_written(tmp_path: Path) -> None:
    write = decoder(tmp_path / "graph.onnx", {START: [A, B], B: [A, C], C: [END]}, suppress=[A])
    assert write({}, duration_s=5) == "b c"


def test_some_are_suppressed_at_the_beginning_only(tmp_path: Path) -> None:
    after = {START: [END, A, B], B: [A], A: [END]}
    write = decoder(tmp_path / "graph.onnx", after, begin_suppress=[END, A])
    assert write({}, duration_s=5) == "b a"


def test_a_loop_is_left_and_kept_once(tmp_path: Path) -> None:
    write = decoder(tmp_path / "graph.onnx", {START: [D], D: [A], A: [B], B: [A]})
    assert write({}, duration_s=15) == "d a b"


@pytest.mark.parametrize("max_tokens", [0, 1, 3])
def test_no_more_than_the_limit_is_written(tmp_path: Path, max_tokens: int) -> None:
    after = {START: [A], A: [B], B: [C], C: [D], D: [END]}
    write = decoder(tmp_path / "graph.onnx", after, max_tokens=max_tokens)
    assert write({}, duration_s=15) == " ".join("abc"[:max_tokens])


@pytest.mark.parametrize(("duration_s", "written"), [(0.0, "abcdabcd"), (0.25, "abcdabcdabc"), (0.3, "abcdabcdabc")])
def test_no_more_is_written_than_can_be_said_in_the_time(tmp_path: Path, duration_s: float, written: str) -> None:
    """Eight tokens, and twelve for each second; what goes round here would be known for a loop after sixteen."""
    write = decoder(tmp_path / "graph.onnx", {START: [A], A: [B], B: [C], C: [D], D: [A]})
    assert write({}, duration_s=duration_s) == " ".join(written)


def test_how_sure_it_was_is_the_mean_over_tokens_the_end_and_some_sure_ones(tmp_path: Path) -> None:
    write = decoder(tmp_path / "graph.onnx", {START: [A, B], A: [END]}, suppress=[C])
    table = np.zeros((2, len(WORDS)))
    table[0, [A, B]] = 2, 1
    table[1, END] = 1
    allowed = np.delete(table, C, axis=1)
    odds = np.exp(table[[0, 1], [A, END]]) / np.exp(allowed).sum(axis=1)
    found = write.transcribe({}, duration_s=5)
    assert (found.text, found.ended) == ("a", True)
    assert found.log_probability == pytest.approx(np.log(odds).sum() / (2 + ADDED), abs=1e-6)
    assert found.lowest_log_probability == pytest.approx(np.log(odds).min(), abs=1e-6)
    assert found.confidence == pytest.approx(odds.prod() ** (1 / (2 + ADDED)), abs=1e-6)


@pytest.mark.parametrize("logits", [[0, np.nan, 0, 0], [np.inf, np.inf, 0, 0], [-np.inf] * 4, [np.inf, 0, 0, 0]])
def test_of_logits_that_are_no_numbers_each_token_is_as_likely_as_any(logits: list[float]) -> None:
    array = np.array(logits, np.float32)
    assert _log_probability(array, int(array.argmax())) == -math.log(4)


def test_what_is_cut_off_in_a_loop_or_at_the_limit_did_not_end(tmp_path: Path) -> None:
    assert not decoder(tmp_path / "loop.onnx", {START: [A], A: [A]}).transcribe({}, duration_s=15).ended
    after = {START: [A], A: [B], B: [C], C: [END]}
    assert not decoder(tmp_path / "limit.onnx", after, max_tokens=2).transcribe({}, duration_s=15).ended
    assert decoder(tmp_path / "end.onnx", after).transcribe({}, duration_s=15).ended


@pytest.mark.parametrize(
    ("transcript", "doubtful"),
    [
        (Transcript("so it is", SURE + 0.01, True), False),
        (Transcript("so it is", SURE - 0.01, True), True),
        (Transcript("so it is", 0.0, False), True),
        (Transcript("", SURE - 1, True), False),
        (Transcript("so it is", math.nan, True), False),
    ],
)
def test_words_are_doubtful_where_it_was_unsure_or_came_to_no_end(transcript: Transcript, doubtful: bool) -> None:
    assert transcript.doubtful == doubtful


def test_the_one_that_is_left_of_several_has_the_memory_that_it_had_alone() -> None:
    def memory(positions: int) -> dict[str, np.ndarray]:
        random = np.random.default_rng(positions)
        keys = random.normal(size=(1, 2, positions, 3)).astype(np.float32)
        return {BIAS: random.normal(size=positions).astype(np.float32), "cross_key_0": keys}

    for short, long in ((1, 4), (3, 3)):
        together = joined([memory(short), memory(long)])
        found = separated({name: value[:1] for name, value in together.items()})
        assert all(np.array_equal(found[name], value) for name, value in memory(short).items())


def test_the_example_is_written_down_rightly(model: IEmoNet, jfk: Path, jfk_words: list[str]) -> None:
    waveform, _ = soundfile.read(jfk, dtype="float32")
    hidden, cross = model._classify._speech_encoder(waveform)
    text = model._classify._transcript_decoder(cross, duration_s=11.0)
    assert re.findall(r"[a-z]+", text.lower()) == jfk_words
    assert text == text.strip()
    assert hidden.shape[0] == 1
    assert hidden.shape[2] == len(waveform) // 320
    assert np.isfinite(hidden).all()
