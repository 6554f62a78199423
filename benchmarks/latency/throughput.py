"""An archive on one core: many files and a long recording, by the version before and by this one, in turn."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.common import clips, results_file
from benchmarks.common.paths import BUNDLE, EXAMPLE, ROOT, Data, Repeats, Seed
from benchmarks.common.timing import rounds
from benchmarks.latency.footprint import Version
from benchmarks.latency.long_audio import PAUSES_S, write_recording
from edge_runtime.audio.find_recordings import find_recordings
from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.bundle.bundle import Bundle
from trainer.audio import load_audio

PROBE = Path(__file__).with_name("throughput_probe.py")
CORPORA = ("ravdess", "savee", "plain_speech/librispeech", "plain_speech/ami_turns")
READ = "plain_speech/librispeech"
"""The long recording is of these."""
FILES, MINUTES, ROUNDS = 100, 60.0, 3

Float = NDArray[np.float32]


def measure(
    versions: Mapping[str, Version], files: Sequence[Path], recording: Path, *, repeats: int, long_repeats: int
) -> dict[str, Any]:
    """Classify ``files`` and the long ``recording`` with each version, in processes of their own, on one thread.

    Args:
        versions: by name; the first is what the others are compared with.
        files: short recordings.
        recording: a long one.
        repeats: processes of each version for the files.
        long_repeats: the same for the recording.

    Returns:
        For ``files`` and ``recording``, by version: medians of processor time, of seconds of audio for each second of
        it, and of peak memory; how many times faster each is than the first, pair by pair; and the share of answers
        whose transcript and whose label are the first's.
    """
    result: dict[str, Any] = {"threads": 1}
    for kind, given, count in (("files", list(files), repeats), ("recording", [recording], long_repeats)):
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in versions}
        for _, name in rounds(list(versions), count):
            runs[name].append(_probe(versions[name], kind, given))
        first = next(iter(runs.values()))
        result[kind] = {
            "rounds": count,
            "recordings": len(given),
            "utterances": first[0]["utterances"],
            "seconds_spoken": first[0]["seconds"],
            "versions": {name: _summary(found, first) for name, found in runs.items()},
        }
    return result


def _probe(version: Version, kind: str, files: Sequence[Path]) -> dict[str, Any]:
    tree, bundle = version
    command = [sys.executable, str(PROBE), str(tree), str(bundle), kind, *map(str, files)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT.anchor)  # noqa: S603
    if done.returncode:
        sys.exit("benchmarks: the runtime failed; see above")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _summary(runs: Sequence[Mapping[str, Any]], first: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    processor = [run["processor_s"] for run in runs]
    ratios = [f["processor_s"] / r["processor_s"] for f, r in zip(first, runs, strict=True)]
    mine, other = ({begin: answer for begin, *answer in run["answers"]} for run in (runs[0], first[0]))
    pairs = [(mine.get(begin, []), other.get(begin, [None])) for begin in mine.keys() | other.keys()]
    return {
        "processor_s": {"median": statistics.median(processor), "samples": processor},
        "audio_s_per_s": round(runs[0]["seconds"] / statistics.median(processor), 1),
        "times_faster": round(statistics.median(ratios), 2),
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
    bundle: Annotated[Path, typer.Option(help="The bundle of this version.")] = BUNDLE,
    data: Data = Path("data"),
    files: Annotated[int, typer.Option(help="Number of recordings.")] = FILES,
    minutes: Annotated[float, typer.Option(help="Length of the long recording.")] = MINUTES,
    repeats: Repeats = ROUNDS,
    long_repeats: Annotated[int, typer.Option(help="Runs of the long recording.")] = 1,
    seed: Seed = 0,
) -> None:
    """Many files and a long recording on one core; before and after."""
    old = before.resolve() / BUNDLE.relative_to(ROOT)
    versions = {"before": (before.resolve(), old), "after": (ROOT, bundle.resolve())}
    with tempfile.TemporaryDirectory() as scratch:
        recording = Path(scratch) / "hour.wav"
        write_recording(recording, joined(data, seed=seed), minutes * 60)
        given = archive(data, files, seed=seed)
        result = measure(versions, given, recording, repeats=repeats, long_repeats=long_repeats)
    bundles = {n: f"{b.name} {b.version}, schema {b.manifest['schema']}" for n, b in
               ((n, Bundle.read(folder)) for n, (_, folder) in versions.items())}  # fmt: skip
    result |= {"corpora": list(CORPORA), "minutes": minutes, "bundles": bundles}
    print(results_file.write("throughput", result, seed=seed))
