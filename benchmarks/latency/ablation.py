"""Before and after: each change that closes a gap which ``roofline`` showed, with and without it in turn in one run."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from transformers import WhisperForConditionalGeneration

from benchmarks.common import clips, results_file
from benchmarks.common.paths import BUNDLE, EXAMPLE, Data, Repeats, Seed, Weights
from benchmarks.common.timing import in_turn, paired
from benchmarks.latency.roofline import feeds_of
from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.inference.asr import TranscriptDecoder
from edge_runtime.inference.onnx_runtime import ort
from edge_runtime.inference.session import CPU, Arrays, Session
from edge_runtime.inference.vad import speech_mask, speech_probabilities
from export.graphs.silero_vad import batch_vad_convolutions
from export.graphs.torch_export import write
from export.graphs.whisper import decoder_graph
from export.quantization.config import QuantizationConfig
from export.quantization.quantizable_layers import prepare
from export.quantization.quantize import to_int8

SECONDS = (1.0, 4.0, 15.0)
REPEATS = 30
COMPARED = 60
SPIN = "session.intra_op.allow_spinning"
STOP = "session.force_spinning_stop"


def measure(recordings: Sequence[Path], weights: Path, scratch: Path, *, repeats: int = REPEATS,
            compared: int = COMPARED, seed: int) -> dict[str, Any]:  # fmt: skip
    """Return times before and after each change, and the effect of the change on the answers.

    Args:
        recordings: the clips are cut from these.
        weights: folder that holds ``silero-vad`` and ``whisper-tiny.en``.
        scratch: for the rewritten graphs.
        repeats: calls of each.
        compared: clips of 4 s on which answers are compared.
        seed: of the choice of recordings.
    """
    return {
        "voice activity: windows side by side": _detector(recordings, weights, scratch, repeats, compared, seed),
        "transcript decoder: half of the vocabulary's bits first": _decoder(
            recordings, export_decoders(weights, scratch), repeats, compared, seed
        ),
        "two threads: waiting by spinning within a call, not by sleeping": _spinning(recordings, repeats, seed),
    }


def _detector(
    recordings: Sequence[Path], weights: Path, scratch: Path, repeats: int, compared: int, seed: int
) -> dict[str, Any]:
    source, rewritten = weights / "silero-vad" / "vad.onnx", scratch / "vad.onnx"
    model = onnx.load(str(source))
    batch_vad_convolutions(model)
    onnx.save(model, str(rewritten))
    before, after = (Session(path) for path in (source, rewritten))
    times = {}
    for seconds in SECONDS:
        (clip,) = clips.cut(recordings, seconds, 1, seed=seed)
        times[f"{seconds:g} s"] = _pair(
            partial(speech_probabilities, before, clip), partial(speech_probabilities, after, clip), repeats
        )
    compared_on = clips.cut(recordings, 4.0, compared, seed=seed + 1)
    differences = [
        float(np.abs(speech_probabilities(before, x) - speech_probabilities(after, x)).max()) for x in compared_on
    ]
    same = sum(bool((speech_mask(before, x) == speech_mask(after, x)).all()) for x in compared_on)
    return {
        "threads": 1,
        "ms": times,
        "clips": compared,
        "clips_with_the_same_spoken_part": same,
        "greatest_difference_of_a_probability": float(f"{max(differences):.1e}"),
    }


def export_decoders(weights: Path, scratch: Path) -> tuple[Path, Path, Path]:
    """Return the exact decoder, the int8 one that reads all of its vocabulary for each token, and the one that screens.

    Args:
        weights: folder that holds ``whisper-tiny.en``.
        scratch: where to write them.
    """
    model = WhisperForConditionalGeneration.from_pretrained(weights / "whisper-tiny.en")
    write(decoder_graph(model), scratch / "exact.onnx")
    prepared = prepare(scratch / "exact.onnx")
    whole, screening = scratch / "whole.onnx", scratch / "screened.onnx"
    for path, two_stage in ((whole, False), (screening, True)):
        onnx.save(to_int8(prepared, QuantizationConfig(), scratch, two_stage=two_stage), str(path))
    return scratch / "exact.onnx", whole, screening


def _decoder(
    recordings: Sequence[Path], graphs: tuple[Path, Path, Path], repeats: int, compared: int, seed: int
) -> dict[str, Any]:
    exact, before, after = (Session(path) for path in graphs)
    times = {}
    for seconds in SECONDS:
        (clip,) = clips.cut(recordings, seconds, 1, seed=seed)
        _, steps = feeds_of(clip, threads=1)["transcript_decoder"]
        times[f"{seconds:g} s, {len(steps)} tokens"] = _pair(
            partial(_all, lambda feed: before(**feed), steps), partial(_all, lambda feed: after(**feed), steps), repeats
        )
    bundle = Bundle.read(BUNDLE)
    assert bundle.decoding is not None
    encode, _ = bundle.open_recogniser()
    spell = bundle.open_detokenizer()
    decoders = [TranscriptDecoder(session, spell, bundle.decoding) for session in (exact, before, after)]
    as_exact = {"before": 0, "after": 0}
    for x in clips.cut(recordings, 4.0, compared, seed=seed + 1):
        _, cross = encode(x)
        wanted, *found = (decode(cross, duration_s=len(x) / SAMPLE_RATE) for decode in decoders)
        for name, text in zip(as_exact, found, strict=True):
            as_exact[name] += text == wanted
    return {"threads": 1, "ms": times, "clips": compared, "clips_with_the_exact_transcript": as_exact}


def _spinning(recordings: Sequence[Path], repeats: int, seed: int) -> dict[str, Any]:
    """Return times of the large graphs on two threads; two processors that nobody else keeps busy are needed."""
    found = {}
    (clip,) = clips.cut(recordings, 4.0, 1, seed=seed)
    for slot, (entry, feeds) in feeds_of(clip, threads=1).items():
        if slot in {"speech_encoder", "transcript_decoder"}:
            before, after = (_session(entry.path, entries) for entries in ({SPIN: "0"}, {SPIN: "1", STOP: "1"}))
            found[slot] = _pair(
                partial(_all, partial(before.run, None), feeds), partial(_all, partial(after.run, None), feeds), repeats
            )
    return {"threads": 2, "processors": os.cpu_count(), "ms": found}


def _session(graph: Path, entries: Mapping[str, str]) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = 2, 1
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    return ort.InferenceSession(str(graph), options, providers=[CPU])


def _all(run: Callable[[Arrays], object], feeds: Sequence[Arrays]) -> None:
    for feed in feeds:
        run(feed)


def _pair(before: Callable[[], object], after: Callable[[], object], repeats: int) -> dict[str, Any]:
    """Return median milliseconds of both, their processor time, and how many times faster the second is."""
    wall, processor = in_turn({"before": before, "after": after}, repeats)
    return {
        **_medians(wall),
        "times_faster": paired(wall["after"], wall["before"]),
        "processor_ms": _medians(processor),
        "samples": {name: [round(v, 2) for v in ms] for name, ms in wall.items()},
    }


def _medians(samples: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: round(statistics.median(ms), 2) for name, ms in samples.items()}


def command(
    data: Data = Path("data"), weights: Weights = Path("weights"), repeats: Repeats = REPEATS, seed: Seed = 0
) -> None:
    """Changes that close gaps to the roofline, on and off."""
    recordings, source = clips.english(data, EXAMPLE)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(recordings, weights, Path(folder), repeats=repeats, seed=seed)
    print(results_file.write("ablation", {"recordings": source, "changes": result}, seed=seed))
