"""The parts of the runtime that are fuzzed; each makes a damaged input from a seeded generator and tries it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import numpy as np
import soundfile

from benchmarks.fuzzing import mutations
from edge_runtime import Bundle, IEmoNet, IEmoNetError
from edge_runtime.audio.recording import Recording
from edge_runtime.errors import AudioError
from tests import tiny_bundle

RATES = (0, -1, 1, 999, 1_000, 8_000, 16_000, 44_100, 768_000, 768_001, 10_000_000, 1 << 40)
DTYPES = ("f2", "f4", "f8", ">f4", "i1", "i2", "i4", "i8", "u1", "u2", "c8", "?", "O", "U3", "M8[s]")
SHAPES = ((), (0,), (1,), (999,), (100, 0), (0, 2), (50, 64), (50, 65), (3, 3, 3))
SHARES: Mapping[str, int] = {
    "random_bytes": 5,
    "damaged_audio": 25,
    "wav_header": 15,
    "flac_header": 10,
    "ogg_pages": 5,
    "array": 5,
    "manifest": 20,
    "altered_file": 5,
    "graph": 7,
    "tokenizer": 3,
}
"""How many of a hundred inputs are for each method of ``Targets``."""
NAMES = [name for name, share in SHARES.items() for _ in range(share)]


def draw(seed: int, number: int) -> tuple[str, Random]:
    """Return the target of the input ``number``, and the generator that makes the input."""
    random = Random(f"{seed}/{number}")  # noqa: S311 - it is to be repeated
    return NAMES[random.randrange(len(NAMES))], random


class Targets:
    """One method for each target; it takes a generator and either works or raises."""

    def __init__(self, folder: Path) -> None:
        """Make whole inputs, in ``folder``: a file of every audio format, and a bundle that can be run."""
        found = _recordings()
        self._recordings = [data for data in found if _can_be_read(data)] * 4 + found
        self._flac = [data for data in self._recordings if data.startswith(b"fLaC")]
        self._ogg = [data for data in self._recordings if data.startswith(b"OggS")]
        self._bundle = tiny_bundle.build(folder / "bundle", reads_states=True)
        self._files = {path.name: path.read_bytes() for path in self._bundle.iterdir()}
        self._model = IEmoNet(Bundle.read(self._bundle), device="cpu", threads=1)
        self._waveform = np.random.default_rng(0).uniform(-1, 1, 8_000).astype(np.float32)
        self._path = folder / "recording"

    def outcome(self, name: str, random: Random) -> str:
        """Try one input; return "accepted", the name of one of our errors, "out of memory" or "crash: …"."""
        return outcome(getattr(self, name), random)

    def random_bytes(self, random: Random) -> None:
        """Read bytes without any order."""
        self._read(random.randbytes(random.choice((0, 1, 12, 44, 1_000, 10_000))), random)

    def damaged_audio(self, random: Random) -> None:
        """Read a file of any format, damaged, or spliced with another."""
        self._read(mutations.damaged(random.choice(self._recordings), random, random.choice(self._recordings)), random)

    def wav_header(self, random: Random) -> None:
        """Read a wav file whose header lies."""
        self._read(mutations.lying_wav(random), random)

    def flac_header(self, random: Random) -> None:
        """Read a tiny flac file that promises up to 2^36 samples, at any rate."""
        self._read(mutations.lying_flac(random.choice(self._flac), random), random)

    def ogg_pages(self, random: Random) -> None:
        """Read Vorbis and Opus behind checksums that fit the damage."""
        self._read(mutations.lying_ogg(random.choice(self._ogg), random), random)

    def array(self, random: Random) -> None:
        """Classify samples of any type, shape and rate."""
        shape, rng = random.choice(SHAPES), np.random.default_rng(random.randrange(1 << 32))
        with np.errstate(all="ignore"):
            samples = np.asarray(rng.normal(0, random.choice((0, 1, 1e38, 1e300)), shape)).astype("f8")
            array = samples.astype(random.choice(DTYPES)) if random.random() < 0.9 else samples * np.nan
        self._model(array, random.choice(RATES))

    def manifest(self, random: Random) -> None:
        """Use a bundle whose manifest has other values, names or text."""
        self._use({"bundle.json": mutations.damaged_json(self._files["bundle.json"], random)})

    def altered_file(self, random: Random) -> None:
        """Use a bundle with a file that was damaged behind the manifest's back; the bundle must be refused."""
        name = random.choice([name for name in self._files if name != "bundle.json"])
        data = mutations.damaged(self._files[name], random)
        try:
            self._use({name: data})
        except IEmoNetError:
            return
        if data != self._files[name]:
            raise AssertionError(f"{name}: taken, though it was altered")

    def graph(self, random: Random) -> None:
        """Use a bundle with a damaged graph, whose checksum and size the manifest states."""
        name = random.choice([n for n in self._files if n.endswith(".onnx")])
        self._use_stated(name, mutations.damaged(self._files[name], random))

    def tokenizer(self, random: Random) -> None:
        """Use a bundle with a damaged tokenizer, whose checksum and size the manifest states."""
        name = random.choice(["transcript_tokenizer.json", "text_tokenizer.json"])
        damage = mutations.damaged_json if random.random() < 0.7 else mutations.damaged
        self._use_stated(name, damage(self._files[name], random))

    def _read(self, data: bytes, random: Random) -> None:
        audio: object = data
        if random.random() < 0.2:
            self._path.write_bytes(data)
            audio = self._path
        elif random.random() < 0.5:
            audio = io.BytesIO(data)
        for block in Recording(audio).blocks():  # type: ignore[arg-type]
            assert np.isfinite(block).all()

    def _use_stated(self, name: str, data: bytes) -> None:
        (self._bundle / name).write_bytes(data)
        manifest = json.loads(self._files["bundle.json"])
        for entry in [*manifest["slots"].values(), *manifest["tokenizers"].values()]:
            if entry["file"] == name:
                entry.update(tiny_bundle.stated(self._bundle / name))
        self._use({name: data, "bundle.json": json.dumps(manifest).encode()})

    def _use(self, changed: Mapping[str, bytes]) -> None:
        try:
            for name, data in changed.items():
                (self._bundle / name).write_bytes(data)
            with IEmoNet(Bundle.read(self._bundle), device="cpu", threads=1) as model:
                if "vad" in model.bundle.slots:
                    json.dumps(model(self._waveform, 16_000).to_dict(), allow_nan=False)
                if "text_emotion" in model.bundle.slots:
                    model.classify_text("ask not what you can do")
        finally:
            for name in changed:
                (self._bundle / name).write_bytes(self._files[name])


def outcome(target: Callable[[Random], None], random: Random) -> str:
    """Return the outcome of one input; see ``Targets.outcome``."""
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


def _recordings() -> list[bytes]:
    """Return a tenth of a second in every format and encoding that libsndfile writes here."""
    found = []
    rng = np.random.default_rng(0)
    for kind in sorted(set(soundfile.available_formats()) - {"RAW", "SD2"}):  # without a header; beside a second file
        for subtype in soundfile.available_subtypes(kind):
            for channels in (1, 2):
                file = io.BytesIO()
                try:
                    soundfile.write(file, rng.normal(0, 0.1, (1_600, channels)), 16_000, format=kind, subtype=subtype)
                except (soundfile.LibsndfileError, ValueError):  # a pair that libsndfile does not write
                    continue
                found.append(file.getvalue())
    return found


def _can_be_read(data: bytes) -> bool:
    try:
        Recording(data)
    except AudioError:
        return False
    return True
