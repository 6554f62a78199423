"""One process of the fuzzer: makes inputs by number, tries them, and prints what came of each."""

from __future__ import annotations

import io
import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.fuzzing import mutations, seeds
from edge_runtime import Bundle, IEmoNet, IEmoNetError
from edge_runtime.audio.recording import Recording
from edge_runtime.errors import AudioError

ADDRESSES = 6 << 30
"""Bytes of address space; onnxruntime and numpy reserve a good part of a gigabyte without using it."""
RATES = (0, -1, 1, 999, 1_000, 8_000, 16_000, 44_100, 768_000, 768_001, 10_000_000, 1 << 40)
DTYPES = ("f2", "f4", "f8", ">f4", "i1", "i2", "i4", "i8", "u1", "u2", "c8", "?", "O", "U3", "M8[s]")
SHAPES = ((), (0,), (1,), (999,), (100, 0), (0, 2), (50, 64), (50, 65), (3, 3, 3))


class Targets:
    """What is fuzzed, by name; each takes a generator of random numbers and either works or raises."""

    def __init__(self, folder: Path) -> None:
        """Make the whole inputs, in ``folder``."""
        found = list(seeds.recordings().values())
        read = [data for data in found if _is_read(data)]
        self.recordings = read * 4 + found
        self.flac = [data for data in self.recordings if data.startswith(b"fLaC")]
        self.ogg = [data for data in self.recordings if data.startswith(b"OggS")]
        self.folder = folder / "bundle"
        self.files = seeds.bundle(self.folder)
        self.model = IEmoNet(Bundle.read(self.folder), device="cpu", threads=1)
        self.voice = np.random.default_rng(0).uniform(-1, 1, 8_000).astype(np.float32)
        self.path = folder / "recording"

    def table(self) -> list[tuple[str, Callable[[Random], None], int]]:
        """Return each target's name, itself, and how many of a hundred inputs are for it."""
        return [
            ("audio, random bytes", self.random_bytes, 5),
            ("audio, damaged file of any format", self.damaged_audio, 25),
            ("audio, wav header that lies", self.wav, 15),
            ("audio, flac header that lies", self.lying_flac, 10),
            ("audio, ogg pages with fitting checksums", self.lying_ogg, 5),
            ("array of any type, shape and rate", self.array, 5),
            ("manifest", self.manifest, 20),
            ("file that the manifest does not mean", self.altered_file, 5),
            ("graph with a fitting checksum", self.graph, 7),
            ("tokenizer with a fitting checksum", self.tokenizer, 3),
        ]

    def random_bytes(self, random: Random) -> None:
        """Bytes without any order."""
        self._read(random.randbytes(random.choice((0, 1, 12, 44, 1_000, 10_000))), random)

    def damaged_audio(self, random: Random) -> None:
        """A file of any format, damaged, or spliced with another."""
        self._read(mutations.damaged(random.choice(self.recordings), random, random.choice(self.recordings)), random)

    def wav(self, random: Random) -> None:
        """A header that lies."""
        self._read(mutations.lying_wav(random), random)

    def lying_flac(self, random: Random) -> None:
        """A tiny flac file that promises up to 2^36 samples, at any rate."""
        self._read(mutations.lying_flac(random.choice(self.flac), random), random)

    def lying_ogg(self, random: Random) -> None:
        """Vorbis and Opus behind checksums that fit the damage."""
        self._read(mutations.lying_ogg(random.choice(self.ogg), random), random)

    def array(self, random: Random) -> None:
        """Samples of any type, shape and rate, through the whole model."""
        shape, rng = random.choice(SHAPES), np.random.default_rng(random.randrange(1 << 32))
        with np.errstate(all="ignore"):
            samples = np.asarray(rng.normal(0, random.choice((0, 1, 1e38, 1e300)), shape)).astype("f8")
            array = samples.astype(random.choice(DTYPES)) if random.random() < 0.9 else samples * np.nan
        self.model(array, random.choice(RATES))

    def manifest(self, random: Random) -> None:
        """A manifest with other values, names or text; the bundle is used if it is taken."""
        document = mutations.other_json(json.loads(self.files["bundle.json"]), random)
        self._use({"bundle.json": mutations.json_bytes(document, random)})

    def altered_file(self, random: Random) -> None:
        """A file of the bundle that is damaged behind the manifest's back; it must be refused."""
        name = random.choice([name for name in self.files if name != "bundle.json"])
        data = mutations.damaged(self.files[name], random)
        try:
            self._use({name: data})
        except IEmoNetError:
            return
        if data != self.files[name]:
            raise AssertionError(f"{name}: taken, though it was altered")

    def graph(self, random: Random) -> None:
        """A damaged graph, whose checksum and size the manifest states."""
        self._behind_its_checksum(random.choice([n for n in self.files if n.endswith(".onnx")]), random)

    def tokenizer(self, random: Random) -> None:
        """A damaged tokenizer, whose checksum and size the manifest states."""
        self._behind_its_checksum(random.choice(["transcript_tokenizer.json", "text_tokenizer.json"]), random)

    def _behind_its_checksum(self, name: str, random: Random) -> None:
        if name.endswith(".json") and random.random() < 0.7:
            data = mutations.json_bytes(mutations.other_json(json.loads(self.files[name]), random), random)
        else:
            data = mutations.damaged(self.files[name], random)
        manifest = json.loads(self.files["bundle.json"])
        for entry in [*manifest["slots"].values(), *manifest["tokenizers"].values()]:
            if entry["file"] == name:
                seeds.state(entry, data)
        self._use({name: data, "bundle.json": json.dumps(manifest).encode()})

    def _read(self, data: bytes, random: Random) -> None:
        audio: object = data
        if random.random() < 0.2:
            self.path.write_bytes(data)
            audio = self.path
        elif random.random() < 0.5:
            audio = io.BytesIO(data)
        for block in Recording(audio).blocks():  # type: ignore[arg-type]
            assert np.isfinite(block).all()

    def _use(self, changed: dict[str, bytes]) -> None:
        try:
            for name, data in changed.items():
                (self.folder / name).write_bytes(data)
            with IEmoNet(Bundle.read(self.folder), device="cpu", threads=1) as model:
                model.bundle.manifest  # noqa: B018
                if "vad" in model.bundle.slots:
                    json.dumps(model(self.voice, 16_000).to_dict(), allow_nan=False)
                if "text_emotion" in model.bundle.slots:
                    model.classify_text("I am so happy")
        finally:
            for name in changed:
                (self.folder / name).write_bytes(self.files[name])


def _is_read(data: bytes) -> bool:
    try:
        Recording(data)
    except AudioError:
        return False
    return True


def outcome(target: Callable[[Random], None], random: Random) -> str:
    """Return what came of one input: "accepted", the name of one of our errors, or "crash: …"."""
    try:
        target(random)
    except IEmoNetError as error:
        if "bad_alloc" in str(error) or "allocate" in str(error):
            return "out of memory"
        return type(error).__name__
    except MemoryError:
        return "out of memory"
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return f"crash: {type(error).__name__}: {str(error)[:200]}".replace("\n", " ")
    return "accepted"


def peak_mb() -> int:
    """Return the most memory that this process ever used."""
    # On Linux ru_maxrss starts from the parent that forked us; VmHWM is our own.
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    own = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return (int(own[0]) if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) // 1024


def main(seed: int, first: int, end: int, step: int) -> None:
    """Try the inputs ``first``, ``first + step`` … below ``end`` and print a line of JSON before and after each."""
    # What the libraries under test print themselves is not to be taken for ours.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as scratch:
        table = Targets(Path(scratch)).table()
        names = [entry for entry in table for _ in range(entry[2])]
        for index in range(first, end, step):
            random = Random(f"{seed}/{index}")  # noqa: S311 - it is to be repeated
            name, target, _ = names[random.randrange(len(names))]
            print(json.dumps({"begin": index, "target": name}), file=out, flush=True)
            print(json.dumps({"outcome": outcome(target, random), "peak_mb": peak_mb()}), file=out, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
