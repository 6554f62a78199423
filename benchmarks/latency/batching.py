"""Several utterances in one call of a graph: how far the answers move, and what is saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.common import clips, results_file
from benchmarks.common.paths import BUNDLE, EXAMPLE, Data, Repeats, Seed
from benchmarks.common.timing import in_turn
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.inference.session import Arrays, Session

SECONDS, UTTERANCES, TOKENS = 3.0, 16, 18
REPEATS = 5


def measure(recordings: Sequence[Path], *, repeats: int, seed: int) -> dict[str, Any]:
    """Return differences and processor time of utterances of one length, in one call and alone.

    Args:
        recordings: the utterances are cut from these.
        repeats: of everything that is timed.
        seed: of the choice of recordings.
    """
    waveforms = np.stack(clips.cut(recordings, SECONDS, UTTERANCES, seed=seed))
    bundle = Bundle.read(BUNDLE)
    assert bundle.decoding is not None
    encode, decode = (bundle.open(s, device="cpu", threads=1) for s in ("speech_encoder", "transcript_decoder"))
    alone = [encode(waveform=w[None]) for w in waveforms]
    together = encode(waveform=waveforms)
    states = [float(np.abs(t - a["hidden_states"][0]).max() / np.abs(a["hidden_states"]).max())
              for t, a in zip(together["hidden_states"], alone, strict=True)]  # fmt: skip
    if "transcript_memory" in bundle.slots:
        remember = bundle.open("transcript_memory", device="cpu", threads=1)
        alone = [remember(encoded=a["encoded"]) for a in alone]
    crosses = [{name: value for name, value in a.items() if name.startswith("cross_")} for a in alone]
    batch = {n: v if n == "cross_bias" else np.concatenate([c[n] for c in crosses]) for n, v in crosses[0].items()}
    prompt = np.array([bundle.decoding.prompt], np.int64)
    one = [_decode(decode, prompt, cross) for cross in crosses]
    many = _decode(decode, np.repeat(prompt, UTTERANCES, 0), batch)
    calls: dict[str, Callable[[], object]] = {
        "encoder alone": lambda: [encode(waveform=w[None]) for w in waveforms],
        "encoder together": partial(encode, waveform=waveforms),
        "decoder alone": lambda: [_decode(decode, prompt, cross) for cross in crosses],
        "decoder together": partial(_decode, decode, np.repeat(prompt, UTTERANCES, 0), batch),
    }
    _, processor = in_turn(calls, repeats)
    return {
        "utterances": UTTERANCES,
        "seconds": SECONDS,
        "tokens": TOKENS,
        "states_differ_by": round(max(states), 4),
        "first_logits_differ_by": round(max(float(np.abs(a[0] - m).max()) for a, m in zip(one, many, strict=True)), 3),
        "processor_ms_an_utterance": {name: round(median(ms) / UTTERANCES, 2) for name, ms in processor.items()},
    }


def _decode(decode: Session, prompt: np.ndarray[Any, Any], cross: Arrays) -> np.ndarray[Any, Any]:
    """Write ``TOKENS`` tokens to each utterance; return the logits of the first."""
    past = {n: np.zeros((len(prompt), s[1], 0, s[3]), np.float32) for n, (_, s) in decode.inputs.items() if "past" in n}
    tokens, first = prompt, None
    for _ in range(TOKENS):
        found = decode(tokens=tokens, **cross, **past)
        logits = found.pop("logits")
        first = logits if first is None else first
        past = {"past" + name.removeprefix("present"): value for name, value in found.items()}
        tokens = logits.argmax(1)[:, None]
    assert first is not None
    return first


def command(data: Data = Path("data"), repeats: Repeats = REPEATS, seed: Seed = 0) -> None:
    """Several utterances in one call: other answers, and the time."""
    recordings, source = clips.english(data, EXAMPLE)
    result = measure(recordings, repeats=repeats, seed=seed)
    print(results_file.write("batching", {"recordings": source, **result}, seed=seed))
