"""A baseline as a value and as a file: joined, limited, saved and read back; damaged files are refused in words."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime import Baseline, BaselineError, BundleError, IEmoNet
from edge_runtime.baseline import BEGINNING, LARGEST_FILE, MOST_RECORDINGS, checksum, is_saved, join

GRAPHS = "ab" * 32


def baseline(*seconds: float, graphs: str = GRAPHS, first: float = 0.0) -> Baseline:
    """Recordings of so many ``seconds``, whose rows are numbered from ``first``."""
    rows = np.arange(len(seconds), dtype=np.float32)[:, None] + np.float32(first) + np.zeros(3, np.float32)
    return Baseline(rows, np.array(seconds, np.float32), graphs, "tiny 1")


def test_a_baseline_says_how_much_it_holds_and_whose_it_is() -> None:
    found = baseline(1.5, 2.25)
    assert (found.recordings, found.speech_s) == (2, 3.75)
    assert repr(found) == "<Baseline of 2 recordings, 3.8 s of speech, by tiny 1 (graphs abababababab)>"


def test_equal_recordings_of_equal_graphs_are_equal() -> None:
    assert baseline(1, 2) == baseline(1, 2)
    assert hash(baseline(1, 2)) == hash(baseline(1, 2))
    assert len({baseline(1, 2), baseline(2, 1), baseline(1), baseline(1, 2, graphs="cd" * 32)}) == 4
    assert baseline(1) != "baseline"


def test_nobody_can_change_a_baseline() -> None:
    rows = np.zeros((1, 3), np.float32)
    found = Baseline(rows, np.ones(1, np.float32), GRAPHS, "tiny 1")
    rows[0] = 7
    assert found.pooled.max() == 0
    with pytest.raises(ValueError, match="read-only"):
        found.pooled[0] = 7
    with pytest.raises(AttributeError):
        found.graphs = "other"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(found)) == found


def test_joined_baselines_have_the_recordings_of_both_in_order() -> None:
    both = baseline(1, 2) + baseline(3, first=9)
    assert both.seconds.tolist() == [1, 2, 3]
    assert both.pooled[:, 0].tolist() == [0, 1, 9]
    with pytest.raises(TypeError):
        both + 1  # type: ignore[operator]


def test_of_many_recordings_the_last_are_kept() -> None:
    whole = baseline(*range(1, MOST_RECORDINGS)) + baseline(100, 101, 102)
    assert whole.recordings == MOST_RECORDINGS
    assert whole.seconds.tolist() == [*range(3, MOST_RECORDINGS), 100, 101, 102]
    assert baseline(*range(1_000)).recordings == MOST_RECORDINGS


@pytest.mark.parametrize("other", [baseline(1, graphs="cd" * 32), Baseline(np.ones((1, 4)), np.ones(1), GRAPHS, "x")])
def test_baselines_of_different_graphs_are_not_joined(other: Baseline) -> None:
    with pytest.raises(BaselineError, match=r"different bundles: tiny 1 \(graphs abababababab\) and "):
        baseline(1) + other


@pytest.mark.parametrize(
    ("pooled", "seconds"),
    [
        (np.zeros((0, 3)), np.zeros(0)),
        (np.zeros((1, 0)), np.zeros(1)),
        (np.zeros(3), np.zeros(3)),
        (np.zeros((2, 3)), np.zeros(1)),
        (np.full((1, 3), np.nan), np.ones(1)),
        (np.full((1, 3), 1e300), np.ones(1)),
        (np.zeros((1, 3)), np.array([np.inf])),
        (np.zeros((1, 3)), np.array([-1.0])),
        (np.array([["a"]]), np.ones(1)),
        ([[1, 2], [3]], [1, 1]),
        (None, None),
    ],
)
def test_values_that_are_no_baseline_are_refused(pooled: Any, seconds: Any) -> None:
    with pytest.raises(BaselineError) as caught:
        Baseline(pooled, seconds, GRAPHS, "tiny 1")
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(("pooled", "seconds"), [([[3e38]], [2.0]), ([[-3e38]], [2.0]), ([[1.0]], [3e38])])
def test_values_that_no_recording_gives_are_refused(pooled: Any, seconds: Any) -> None:
    """Finite values so large make a graph overflow; the message would then blame the bundle."""
    with pytest.raises(BaselineError, match="no recording gives"):
        Baseline(pooled, seconds, GRAPHS, "made-up 1")


def test_a_recording_that_comes_twice_counts_once_and_gets_a_note() -> None:
    found = join([("a.wav", baseline(0.5)), ("b.wav", baseline(0.75, first=4)), ("copy.wav", baseline(0.5))])
    assert found == join([("a.wav", baseline(0.5)), ("b.wav", baseline(0.75, first=4))])
    assert found.notes == ("copy.wav: the same recording as a.wav, so it counts once",)


def test_parts_are_joined_and_a_silent_one_gets_a_note() -> None:
    found = join([("a.wav", baseline(0.5)), ("b.wav", None), ("c.wav", baseline(0.75, first=4))])
    assert found == baseline(0.5) + baseline(0.75, first=4)
    assert found.notes == ("b.wav: no speech, so it is not in the baseline",)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "0 recordings: no speech"),
        ([("a.wav", None)], "a.wav: no speech; a baseline needs 1 s of speech"),
        ([("a.wav", None), ("b.wav", None)], "2 recordings: no speech"),
        ([("a.wav", baseline(0.5)), ("b.wav", baseline(0.4))], "2 recordings: 0.9 s of speech; a baseline needs"),
    ],
)
def test_less_than_a_second_of_speech_is_no_baseline(parts: list[Any], message: str) -> None:
    with pytest.raises(BaselineError, match=message):
        join(parts)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.floats(-1e6, 1e6, width=32), st.floats(0, 900, width=32)),
                  min_size=1, max_size=5),
    bundle=st.text(max_size=20),
)  # fmt: skip
def test_what_is_saved_is_read_back(tmp_path: Path, rows: list[tuple[float, float]], bundle: str) -> None:
    found = Baseline(np.array([[a, -a] for a, _ in rows]), np.array([s for _, s in rows]), GRAPHS, bundle)
    found.save(tmp_path / "ann.baseline")
    again = Baseline.load(tmp_path / "ann.baseline")
    assert again == found
    assert again.bundle == bundle
    assert is_saved(tmp_path / "ann.baseline")


def test_a_file_can_be_read_without_edge_iemonet(tmp_path: Path) -> None:
    baseline(1, 2).save(tmp_path / "ann.baseline")
    line, _, values = (tmp_path / "ann.baseline").read_bytes().partition(b"\n")
    header = json.loads(line)
    numbers = np.frombuffer(values, "<f4")
    assert header["edge_iemonet_baseline"] == 1
    assert numbers[: header["recordings"]].tolist() == [1, 2]
    assert numbers[header["recordings"] :].reshape(-1, header["features"]).tolist() == [[0, 0, 0], [1, 1, 1]]


def test_saving_replaces_a_file_as_a_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "ann.baseline"
    baseline(1).save(path)
    path.chmod(0o600)
    baseline(1, 2).save(str(path))
    assert Baseline.load(path).recordings == 2
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match="no_such"):
        baseline(1).save(tmp_path / "no_such" / "ann.baseline")


def written(path: Path, **changes: Any) -> Path:
    """A saved baseline whose first line has ``changes``; None leaves a key out."""
    baseline(1, 2).save(path)
    line, _, values = path.read_bytes().partition(b"\n")
    header = {key: value for key, value in (json.loads(line) | changes).items() if value is not None}
    path.write_bytes(json.dumps(header).encode() + b"\n" + values)
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"edge_iemonet_baseline": 2}, "of version 2, and 1 is read here; update edge-iemonet"),
        ({"edge_iemonet_baseline": "1"}, "of version '1'"),
        ({"recordings": 3}, "damaged: 32 bytes of values for 3 recordings"),
        ({"recordings": 10**12, "features": 10**12}, "damaged"),
        ({"recordings": -2}, "damaged"),
        ({"recordings": True}, "damaged"),
        ({"recordings": 2.0}, "damaged"),
        ({"features": "3"}, "damaged"),
        ({"features": None}, "'features'"),
        ({"graphs": 7}, "damaged"),
        ({"bundle": None}, "'bundle'"),
        ({"sha256": "0" * 64}, "sha256"),
        ({"sha256": None}, "'sha256'"),
        ({"bundle": "x" * 10_000}, "no saved baseline"),
    ],
)
def test_a_first_line_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BaselineError, match=message) as caught:
        Baseline.load(written(tmp_path / "ann.baseline", **changes))
    assert str(caught.value).startswith(f"{tmp_path / 'ann.baseline'}: ")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF....WAVE",
        BEGINNING,
        BEGINNING + b"\n",
        BEGINNING + b"1}\n",
        BEGINNING + b"[" * 4_000 + b"\n",
        BEGINNING + b"1" * 4_000 + b"}\n",
        BEGINNING + b"\xff}\n",
        b"PK\x03\x04" + b"\0" * 100,
        b"\x80\x04\x95",
    ],
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(BaselineError, match=r"no saved baseline|damaged|of version") as caught:
        Baseline.load(tmp_path / "x")
    assert len(str(caught.value)) < len(str(tmp_path)) + 200


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 300), what=st.binary(max_size=5), gone=st.integers(0, 400))
def test_a_damaged_file_is_refused_or_is_the_same(tmp_path: Path, at: int, what: bytes, gone: int) -> None:
    path = tmp_path / "ann.baseline"
    baseline(1, 2).save(path)
    data = path.read_bytes()
    path.write_bytes((data[:at] + what + data[at + len(what) :])[: len(data) - gone if gone < 9 else None])
    try:
        found = Baseline.load(path)
    except BaselineError:
        return
    assert (found.recordings, found.seconds.tolist(), found.pooled[:, 0].tolist()) == (2, [1, 2], [0, 1])


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ann.baseline"
    baseline(1, 2).save(path)
    line, _, _ = path.read_bytes().partition(b"\n")
    values = np.array([1, 2, *[np.nan] * 6], "<f4").tobytes()
    header = json.loads(line) | {"sha256": hashlib.sha256(values).hexdigest()}
    path.write_bytes(json.dumps(header).encode() + b"\n" + values)
    with pytest.raises(BaselineError, match="no finite numbers"):
        Baseline.load(path)


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = written(tmp_path / "ann.baseline")
    os.truncate(path, LARGEST_FILE * 1_000)  # of which no disk is taken
    with pytest.raises(BaselineError, match="no baseline has so many"):
        Baseline.load(path)


@pytest.mark.skipif(os.name == "nt", reason="pipes have no names there")
def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(BaselineError, match="not a regular file"):
            Baseline.load(path)
        assert not is_saved(path)


@pytest.mark.parametrize("name", ["missing.baseline", "n" * 5_000, "a\0b"])
def test_a_missing_file_is_said_to_be_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(BaselineError, match="no such file"):
        Baseline.load(tmp_path / name)


def test_a_baseline_belongs_to_the_graphs_that_made_it(comparing: IEmoNet, jfk: Path) -> None:
    made = comparing.baseline(jfk)
    slots = comparing.bundle.manifest["slots"]
    parts = " ".join(slots[slot]["sha256"] for slot in ("speech_encoder", "speech_emotion"))
    assert made.graphs == checksum(comparing.bundle) == hashlib.sha256(parts.encode()).hexdigest()
    assert made.bundle == "tiny 0.0.1"
    foreign = Baseline(made.pooled, made.seconds, GRAPHS, "other 2")
    uses = (
        lambda: comparing(jfk, baseline=foreign),
        lambda: comparing([jfk], baseline=foreign),
        lambda: comparing.timeline(jfk, baseline=foreign),
        lambda: comparing.stream(16_000, baseline=foreign),
    )
    for use in uses:
        with pytest.raises(BaselineError, match=rf"other 2 \(graphs abab.* tiny 0.0.1 \(graphs {made.graphs[:12]}"):
            use()


def test_a_bundle_that_takes_no_baseline_says_so(tiny_bundle: Path, jfk: Path) -> None:
    model = IEmoNet.load(tiny_bundle, device="cpu", threads=1)
    for use in (
        lambda: model.baseline(jfk),
        lambda: model.pool(jfk),
        lambda: model(jfk, baseline=baseline(2)),
        lambda: model.timeline(jfk, baseline=baseline(2)),
        lambda: model.stream(16_000, baseline=baseline(2)),
    ):
        with pytest.raises(BundleError, match="takes no baseline"):
            use()


@pytest.mark.parametrize("given", ["ann.baseline", 1, object()])
def test_what_is_no_baseline_is_a_type_error_that_names_the_way(comparing: IEmoNet, jfk: Path, given: Any) -> None:
    for use in (
        lambda: comparing(jfk, baseline=given),
        lambda: comparing.timeline(jfk, baseline=given),
        lambda: comparing.stream(16_000, baseline=given),
    ):
        with pytest.raises(TypeError, match=r"model\.baseline\(recordings\)"):
            use()
