"""Word error rate: our graphs, full window and stitched, fp32 and int8, against torch."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from transformers import WhisperFeatureExtractor

from benchmarks.common import results_file
from benchmarks.common.clips import audio_files, draw, synthetic
from benchmarks.common.paths import EXAMPLE, Clips, Data, Seed, Weights
from edge_runtime.inference.asr import Decoding, SpeechEncoder, TranscriptDecoder
from edge_runtime.inference.session import Session
from edge_runtime.inference.tokenizer_file import detokenizer
from export.graphs import whisper
from export.graphs.torch_export import write
from export.quantization.config import QuantizationConfig
from export.quantization.quantize import quantize
from trainer.audio import load_audio
from trainer.corpora import meld, ravdess
from trainer.pretrained.whisper import SAMPLE_RATE, peak_normalize
from trainer.text.wer import word_error_rate

JFK = "And so my fellow Americans ask not what your country can do for you ask what you can do for your country"
TORCH = "torch fp32, 30 s"

Float = NDArray[np.float32]
Transcribe = Callable[[Float], str]


def measure(data: Path, weights: Path, jfk: Path, *, clips: int, sentences: int, seed: int) -> dict[str, Any]:
    """Transcribe ``clips`` RAVDESS clips, ``sentences`` read aloud, and ``jfk`` in every way; return error rates.

    Every way gets the same levelled waveform, on one processor thread. RAVDESS has two sentences; so a synthesiser
    also reads some of MELD dev's, whose synthetic speech is harder than people's.
    """
    torch.set_num_threads(1)
    random = np.random.default_rng(seed)
    picked = draw(ravdess.load(data / "ravdess"), clips, random)
    lines = draw([u.transcript or "" for u in meld.load(data / "meld", "dev")], sentences, random)
    waveforms = [load_audio(file) for file in audio_files(picked)] + synthetic(lines) + [load_audio(jfk)]
    references = [u.transcript or "" for u in picked] + lines + [JFK]
    asr = whisper.load(str(weights / "whisper-tiny.en"))
    rows: dict[str, Any] = {}
    texts: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as scratch, torch.no_grad():
        ways = {TORCH: _torch(asr), **_ours(asr, Path(scratch))}
        for name, transcribe in ways.items():
            begin = time.perf_counter()
            texts[name] = [transcribe(x) for x in waveforms]
            seconds = time.perf_counter() - begin
            rows[name] = {
                "wer_ravdess": round(word_error_rate(references[:clips], texts[name][:clips]), 4),
                "wer_synthesiser": round(word_error_rate(lines, texts[name][clips:-1]), 4),
                "wer_jfk": round(word_error_rate(references[-1:], texts[name][-1:]), 4),
                "same_text_as_torch": sum(a == b for a, b in zip(texts[name], texts[TORCH], strict=True)),
                "seconds_a_clip": round(seconds / len(waveforms), 4),
            }
    source = f"{clips} of RAVDESS (two sentences), {sentences} of MELD dev read by a synthesiser, 1 of J. F. Kennedy"
    return {"clips": len(waveforms), "sentences": source, "threads": 1, "ways": rows}


def _torch(asr: whisper.WhisperAsr) -> Transcribe:
    extract = WhisperFeatureExtractor.from_pretrained(asr.model.name_or_path)

    def transcribe(waveform: Float) -> str:
        levelled = peak_normalize(torch.from_numpy(waveform)[None])[0].numpy()
        features = extract(levelled, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features
        ids = asr.model.generate(features, max_new_tokens=asr.decoding["max_tokens"])[0].tolist()
        return str(asr.tokenizer.backend_tokenizer.decode(ids, skip_special_tokens=True)).strip()

    return transcribe


def _ours(asr: whisper.WhisperAsr, scratch: Path) -> dict[str, Transcribe]:
    tokenizer, decoding = detokenizer(asr.tokenizer.backend_tokenizer.to_str()), _decoding(asr)
    write(whisper.decoder_graph(asr.model), scratch / "decoder.onnx")
    quantize(scratch / "decoder.onnx", scratch / "decoder8.onnx", QuantizationConfig("int8"))
    ways: dict[str, Transcribe] = {}
    for window, stitched in (("30 s", False), ("stitched", True)):
        encoder = scratch / f"encoder-{stitched}.onnx"
        write(whisper.encoder_graph(asr.model, stitched=stitched), encoder)
        quantize(encoder, encoder.with_suffix(".int8.onnx"), QuantizationConfig("int8"))
        for precision, paths in {
            "fp32": (encoder, scratch / "decoder.onnx"),
            "int8": (encoder.with_suffix(".int8.onnx"), scratch / "decoder8.onnx"),
        }.items():
            encode = SpeechEncoder(Session(paths[0]))
            decode = TranscriptDecoder(Session(paths[1]), tokenizer, decoding)
            ways[f"onnx {precision}, {window}"] = _pipeline(encode, decode)
    return ways


def _decoding(asr: whisper.WhisperAsr) -> Decoding:
    return Decoding(**{name: value for name, value in asr.decoding.items() if name != "language"})


def _pipeline(encode: SpeechEncoder, decode: TranscriptDecoder) -> Transcribe:
    def transcribe(waveform: Float) -> str:
        return decode(encode(waveform)[1], duration_s=len(waveform) / SAMPLE_RATE)

    return transcribe


def command(
    data: Data = Path("data"),
    weights: Weights = Path("weights"),
    clips: Clips = 120,
    sentences: Annotated[int, typer.Option(help="Sentences of MELD dev, read by espeak-ng.")] = 120,
    seed: Seed = 0,
) -> None:
    """Word error rate and agreement with torch."""
    result = measure(data, weights, EXAMPLE, clips=clips, sentences=sentences, seed=seed)
    print(results_file.write("wer", result, seed=seed))
