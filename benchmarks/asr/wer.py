"""Word error rate: our graphs, full window and stitched, fp32 and int8, against torch."""

from __future__ import annotations

import string
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import jiwer
import numpy as np
import torch
import typer
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import GenerationConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

from benchmarks.asr.error_statistics import VOICES, speak
from benchmarks.common import results_file
from benchmarks.common.paths import EXAMPLE, Clips, Data, Seed, Weights
from edge_runtime.inference.asr import Decoding, SpeechEncoder, TranscriptDecoder
from edge_runtime.inference.session import Session
from export.graphs import whisper
from export.graphs.torch_export import write
from export.quantization.config import QuantizationConfig
from export.quantization.quantize import quantize
from trainer.audio import load_audio
from trainer.corpora import meld, ravdess
from trainer.pretrained.whisper import SAMPLE_RATE, peak_normalize

JFK = "And so my fellow Americans ask not what your country can do for you ask what you can do for your country"
MAX_TOKENS = 224

Float = NDArray[np.float32]
Transcribe = Callable[[Float], str]


def measure(data: Path, weights: Path, jfk: Path, *, clips: int, sentences: int, seed: int) -> dict[str, Any]:
    """Transcribe ``clips`` RAVDESS clips, ``sentences`` read aloud, and ``jfk`` in every way; return error rates.

    Every way hears the same levelled waveform, one processor thread. RAVDESS has two sentences; so a synthesiser reads
    some of MELD dev's, which are harder than people are.
    """
    torch.set_num_threads(1)
    everything = [u for u in ravdess.load(data / "ravdess") if u.audio]
    random = np.random.default_rng(seed)
    picked = [everything[i] for i in sorted(random.choice(len(everything), clips, replace=False))]
    dev = [u.transcript or "" for u in meld.load(data / "meld", "dev")]
    lines = [dev[i] for i in sorted(random.choice(len(dev), sentences, replace=False))]
    aloud = [speak(line, VOICES[i % len(VOICES)]) for i, line in enumerate(lines)]
    waveforms = [load_audio(u.audio) for u in picked if u.audio] + aloud + [load_audio(jfk)]
    references = [u.transcript or "" for u in picked] + lines + [JFK]
    folder = weights / "whisper-tiny.en"
    model = WhisperForConditionalGeneration.from_pretrained(folder).eval()
    rows: dict[str, Any] = {}
    texts: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as scratch, torch.no_grad():
        ways: dict[str, Transcribe] = {"torch fp32, 30 s": _torch(model, folder)}
        ways |= _ours(model, folder, Path(scratch))
        for name, transcribe in ways.items():
            begin = time.perf_counter()
            texts[name] = [transcribe(x) for x in waveforms]
            seconds = time.perf_counter() - begin
            rows[name] = {
                "wer_ravdess": round(error_rate(references[:clips], texts[name][:clips]), 4),
                "wer_synthesiser": round(error_rate(lines, texts[name][clips:-1]), 4),
                "wer_jfk": round(error_rate(references[-1:], texts[name][-1:]), 4),
                "same_text_as_torch": sum(a == b for a, b in zip(texts[name], texts["torch fp32, 30 s"], strict=True)),
                "seconds_a_clip": round(seconds / len(waveforms), 4),
            }
    what = f"{clips} of RAVDESS (two sentences), {sentences} of MELD dev read by a synthesiser, 1 of J. F. Kennedy"
    return {"clips": len(waveforms), "sentences": what, "threads": 1, "ways": rows}


def error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Return the word error rate, without case and punctuation."""
    return float(jiwer.wer([plain(r) for r in references], [plain(h) for h in hypotheses]))


def plain(text: str) -> str:
    """Return the words alone, in lower case."""
    return " ".join(text.lower().translate(str.maketrans("", "", string.punctuation)).split())


def _torch(model: WhisperForConditionalGeneration, folder: Path) -> Transcribe:
    extract = WhisperFeatureExtractor.from_pretrained(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def transcribe(waveform: Float) -> str:
        levelled = peak_normalize(torch.from_numpy(waveform)[None])[0].numpy()
        features = extract(levelled, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features
        ids = model.generate(features, max_new_tokens=MAX_TOKENS)[0].tolist()
        return str(tokenizer.decode(ids, skip_special_tokens=True)).strip()

    return transcribe


def _ours(model: WhisperForConditionalGeneration, folder: Path, scratch: Path) -> dict[str, Transcribe]:
    config: GenerationConfig = model.generation_config
    decoding = Decoding(
        prompt=[config.decoder_start_token_id, config.no_timestamps_token_id],
        end=config.eos_token_id,
        suppress=config.suppress_tokens,
        begin_suppress=config.begin_suppress_tokens,
        max_tokens=MAX_TOKENS,
    )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    write(whisper.decoder_graph(model), scratch / "decoder.onnx")
    quantize(scratch / "decoder.onnx", scratch / "decoder8.onnx", QuantizationConfig("int8"))
    ways: dict[str, Transcribe] = {}
    for window, stitched in (("30 s", False), ("stitched", True)):
        encoder = scratch / f"encoder-{stitched}.onnx"
        write(whisper.encoder_graph(model, stitched=stitched), encoder)
        quantize(encoder, encoder.with_suffix(".int8.onnx"), QuantizationConfig("int8"))
        for precision, paths in {
            "fp32": (encoder, scratch / "decoder.onnx"),
            "int8": (encoder.with_suffix(".int8.onnx"), scratch / "decoder8.onnx"),
        }.items():
            encode = SpeechEncoder(Session(paths[0]))
            decode = TranscriptDecoder(Session(paths[1]), tokenizer, decoding)
            ways[f"onnx {precision}, {window}"] = _pipeline(encode, decode)
    return ways


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
    """Word error rate and agreement with torch: full window and stitched, fp32 and int8."""
    result = measure(data, weights, EXAMPLE, clips=clips, sentences=sentences, seed=seed)
    print(results_file.write("recognition", result, seed=seed))
