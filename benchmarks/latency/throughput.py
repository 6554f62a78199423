"""An archive on one core: many files and a long recording, one by one and together, and by an earlier version."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.common import clips, results_file
from benchmarks.common.paths import BUNDLE, EXAMPLE, ROOT, Data, Repeats, Seed
from benchmarks.common.timing import rounds
from benchmarks.latency.footprint import described
from benchmarks.latency.long_audio import PAUSES_S, write_recording
from edge_runtime.audio.find_recordings import find_recordings
from edge_runtime.audio.recording import SAMPLE_RATE
from trainer.audio import load_audio

PROBE = "benchmarks.latency.throughput_probe"
CORPORA = ("ravdess", "savee", "plain_speech/librispeech", "plain_speech/ami_turns")
READ = "plain_speech/librispeech"
"""The long recording is of these."""
FILES, MINUTES, ROUNDS = 100, 60.0, 3
TOGETHER = "together"

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Way:
    """A way to classify.

    Attributes:
        tree: the folder that holds the package ``edge_runtime``.
        bundle: a bundle.
        options: of ``IEmoNet.load`` besides.
    """

    tree: Path
    bundle: Path
    options: Mapping[str, float] = field(default_factory=dict)


def measure(
    ways: Mapping[str, Way], files: Sequence[Path], recording: Path, *, repeats: int, long_repeats: int
) -> dict[str, Any]:
    """Classify ``files`` and the long ``recording`` in each way, in processes of their own, on one thread.

    Args:
        ways: by name; ``together`` is what the others are compared with.
        files: short recordings.
        recording: a long one.
        repeats: processes of each way for the files.
        long_repeats: the same for the recording.

    Returns:
        For ``files`` and ``recording``, by way: medians of processor time, of seconds of audio for each second of it,
        and of peak memory; how many times as long it takes as ``together``, the median of pairs; and the share of
        answers whose transcript and whose label are those of ``together``.
    """
    result: dict[str, Any] = {"threads": 1}
    for kind, given, count in (("files", list(files), repeats), ("recording", [recording], long_repeats)):
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
        for _, name in rounds(list(ways), count):
            runs[name].append(_probe(ways[name], kind, given))
        together = runs[TOGETHER]
        result[kind] = {
            "rounds": count,
            "recordings": len(given),
            "utterances": together[0]["utterances"],
            "seconds": together[0]["seconds"],
            "ways": {name: _summary(found, together) for name, found in runs.items()},
        }
    return result


def _probe(way: Way, kind: str, files: Sequence[Path]) -> dict[str, Any]:
    given = [way.tree, way.bundle, json.dumps(way.options), kind, *files]
    command = [sys.executable, "-m", PROBE, *map(str, given)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT)  # noqa: S603
    if done.returncode:
        sys.exit("benchmarks: the runtime failed; see above")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _summary(runs: Sequence[Mapping[str, Any]], together: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    processor = [run["processor_s"] for run in runs]
    ratios = [r["processor_s"] / t["processor_s"] for t, r in zip(together, runs, strict=True)]
    mine, other = ({begin: answer for begin, *answer in run["answers"]} for run in (runs[0], together[0]))
    pairs = [(mine.get(begin, []), other.get(begin, [None])) for begin in mine.keys() | other.keys()]
    return {
        "processor_s": {"median": statistics.median(processor), "samples": processor},
        "audio_s_per_s": round(runs[0]["seconds"] / statistics.median(processor), 1),
        "times_as_long": round(statistics.median(ratios), 2),
        "peak_memory_mb": statistics.median(run["peak_memory_mb"] for run in runs),
        "same_label": round(sum(a[:1] == b[:1] for a, b in pairs) / len(pairs), 4),
        "same_transcript": round(sum(a[1:] == b[1:] for a, b in pairs) / len(pairs), 4),
    }


def archive(data: Path, count: int, *, seed: int) -> list[Path]:
    """Return ``count`` recordings, as many of each of ``CORPORA``, mixed; the example clip where there are none."""
    random = np.random.default_rng(seed)
    found = [
        path
        for folder in CORPORA
        if (data / folder).is_dir()
        for path in clips.draw(find_recordings(str(data / folder)).files, count // len(CORPORA), random)
    ]
    return [Path(path).resolve() for path in random.permutation(found)] if found else [EXAMPLE] * count


def joined(data: Path, *, seed: int) -> Iterator[Float]:
    """Yield read speech and pauses without an end, in another order each time round."""
    random = np.random.default_rng(seed)
    files = find_recordings(str(data / READ)).files if (data / READ).is_dir() else [str(EXAMPLE)]
    while True:
        for index in random.permutation(len(files)):
            yield load_audio(Path(files[index]))
            yield np.zeros(int(random.uniform(*PAUSES_S) * SAMPLE_RATE), np.float32)


def command(
    before: Annotated[Path, typer.Option(help="A checkout of the earlier version, with its bundle in models/.")],
    data: Data = Path("data"),
    files: Annotated[int, typer.Option(help="Number of recordings.")] = FILES,
    minutes: Annotated[float, typer.Option(help="Length of the long recording.")] = MINUTES,
    repeats: Repeats = ROUNDS,
    long_repeats: Annotated[int, typer.Option(help="Runs of the long recording.")] = 1,
    seed: Seed = 0,
    name: Annotated[str, typer.Option(help="Of the results' file.")] = "throughput",
) -> None:
    """Many files and a long recording on one core: one by one and together, and by an earlier version."""
    ways = {
        "version before": Way(before.resolve(), before.resolve() / BUNDLE.relative_to(ROOT)),
        "one by one": Way(ROOT, BUNDLE, {"batch_memory_mb": 0}),
        TOGETHER: Way(ROOT, BUNDLE),
    }
    with tempfile.TemporaryDirectory() as scratch:
        recording = Path(scratch) / "hour.wav"
        write_recording(recording, joined(data, seed=seed), minutes * 60)
        given = archive(data, files, seed=seed)
        result = measure(ways, given, recording, repeats=repeats, long_repeats=long_repeats)
    bundles = {title: described(way.bundle) for title, way in ways.items()}
    result |= {"corpora": list(CORPORA), "minutes": minutes, "bundles": bundles}
    print(results_file.write(name, result, seed=seed))
