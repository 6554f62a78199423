"""A file of results grows only, by one process at a time, and survives being killed at any point."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime import ResultsError
from edge_runtime.cli.results_file import ResultsFile

NAMES = ["a.wav", "Größe 音 😀.wav", "caf\udce9.wav", 'quote " and \\.wav', "line\nbreak.wav"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_what_is_added_is_done_when_it_is_opened_again(path: Path) -> None:
    with ResultsFile(path) as results:
        assert results.done == set()
        for name in NAMES:
            results.add({"file": name, "label": "sad"})
        results.add({"file": "bad.wav", "error": "not audio"})
    with ResultsFile(path) as results:
        assert results.done == {*NAMES, "bad.wav"}
        assert results.failed == {"bad.wav"}
    assert [line["file"] for line in lines(path)] == [*NAMES, "bad.wav"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 400))
def test_a_file_cut_anywhere_is_gone_on_with(path: Path, cut: int) -> None:
    path.unlink(missing_ok=True)
    with ResultsFile(path) as results:
        for name in NAMES:
            results.add({"file": name, "label": "sad", "notes": ["x" * 20]})
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    with ResultsFile(path) as results:
        assert len(results.done) == whole[:cut].count(b"\n")
        for name in NAMES:
            if name not in results.done:
                results.add({"file": name, "label": "sad", "notes": ["x" * 20]})
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "text",
    ["notes without an end", "a,b\n1,2\n", '{"label": "sad"}\n', '{"file": "a"}\nnotes', "\0\0\0", '{"file": \n'],
)
def test_a_file_that_holds_something_else_is_left_alone(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ResultsError, match=r"line [12] is no result"):
        ResultsFile(path)
    assert path.read_text() == text


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "no" / "folder.jsonl"):
        with pytest.raises(ResultsError, match="cannot be written"):
            ResultsFile(place)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_said(path: Path) -> None:
    with ResultsFile(path) as results:
        os.dup2(os.open("/dev/full", os.O_WRONLY), results._file.fileno())
        with pytest.raises(ResultsError, match="No space"):
            results.add({"file": "a"})


def test_into_a_pipe_lines_are_written_as_they_come(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with ResultsFile(pipe) as results:
        for name in NAMES:
            results.add({"file": name, "label": "sad"})
            assert json.loads(os.read(reading, 1000))["file"] == name
        assert results.done == set()
    os.close(reading)
    assert pipe.is_fifo()


def test_output_that_a_shell_opened_is_gone_on_with_where_it_is(path: Path) -> None:
    """As ``--output /dev/stdout`` is, in a shell that writes before and after it."""
    with path.open("wb", buffering=0) as file:
        file.write(b"before\n")
        with ResultsFile(Path(f"/dev/fd/{file.fileno()}")) as results:
            results.add({"file": "a.wav"})
        file.write(b"after\n")
    assert path.read_text() == 'before\n{"file": "a.wav"}\nafter\n'


ENDLESS = """
import resource, sys
from pathlib import Path
from edge_runtime.cli.results_file import ResultsFile
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
with ResultsFile(Path(sys.argv[1])) as results:
    results.add({"file": "a.wav"})
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_device_is_not_read_to_its_end(tmp_path: Path) -> None:
    """It has none: reading it takes all memory."""
    (tmp_path / "full").symlink_to("/dev/full")
    done = subprocess.run(
        [sys.executable, "-c", ENDLESS, str(tmp_path / "full")], capture_output=True, text=True, check=False
    )
    assert "No space left" in done.stderr.splitlines()[-1]


def test_linked_file_of_results_stays_linked(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(path.name)
    with ResultsFile(tmp_path / "link") as results:
        results.add({"file": "a.wav"})
    assert (tmp_path / "link").is_symlink()
    assert len(lines(path)) == 1


def test_two_at_once_are_refused_and_one_after_the_other_are_not(path: Path) -> None:
    with ResultsFile(path), pytest.raises(ResultsError, match="another process"):
        ResultsFile(path)
    with ResultsFile(path):
        pass


def test_a_disk_that_knows_no_locks_is_not_called_another_process(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl", reason="files are locked in other ways there")

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(ResultsError, match=r"cannot be locked.*name a file on another disk"):
        ResultsFile(path)


WRITER = """
import sys
from pathlib import Path
from edge_runtime.cli.results_file import ResultsFile
with ResultsFile(Path(sys.argv[1])) as results:
    begin = len(results.done)
    for i in range(begin, 100_000):
        results.add({"file": str(i), "text": "x" * (i % 5_000)})
        if i == begin:
            print("one is written", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is not known there")
def test_killed_at_any_time_nothing_is_lost_or_doubled(path: Path) -> None:
    """A real process, killed while it writes, several times over; its lock goes with it."""
    delay = random.Random(0)
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    with ResultsFile(path) as results:
        count = len(results.done)
    assert count >= 4
    found = lines(path)
    assert [line["file"] for line in found] == [str(i) for i in range(count)]
    assert all(line["text"] == "x" * (int(str(line["file"])) % 5_000) for line in found)
