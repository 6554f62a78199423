"""How commands meet streams that are full, closed or gone, and names that are no text or would steer a terminal."""

from __future__ import annotations

import csv
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from edge_runtime.cli.command import report_error

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full and file names of any bytes are Linux's")

COMMAND = [sys.executable, "-m", "edge_runtime"]
NAMES = [b"caf\xe9.wav", b"red\x1b[31m.wav", b"two\nlines.wav", "ab\u202ecd 音.wav".encode()]
Shell = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def shell(bundle_folder: Path, tmp_path: Path) -> Shell:
    """Run a line of bash in which ``edge-iemonet`` is the command."""

    def call(line: str, **changes: str) -> subprocess.CompletedProcess[bytes]:
        here = {k: v for k, v in os.environ.items() if k not in {"PYTHONUNBUFFERED", "PYTHONIOENCODING"}}
        environment = {**here, "EDGE_IEMONET_BUNDLE": str(bundle_folder), "NO_COLOR": "1", "COLUMNS": "200", **changes}
        function = f'edge-iemonet() {{ {shlex.join(COMMAND)} "$@"; }}; '
        done = subprocess.run(
            ["bash", "-c", function + line],
            capture_output=True,
            cwd=tmp_path,
            env=environment,
            timeout=120,
            check=False,
        )
        assert b"Traceback" not in done.stdout + done.stderr
        assert b"Exception ignored" not in done.stderr
        return done

    return call


@pytest.fixture
def clip(tmp_path: Path, jfk: Path) -> Path:
    samples, rate = soundfile.read(jfk, frames=32_000)
    soundfile.write(tmp_path / "clip.wav", samples, rate)
    return tmp_path / "clip.wav"


SLOW = [
    "classify clip.wav --json",
    "classify clip.wav --csv",
    "timeline clip.wav",
    "timeline clip.wav --csv -",
    "listen - < clip.wav",
    "classify-text fine",
]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "arguments", ["classify clip.wav", "--help", *(pytest.param(line, marks=pytest.mark.slow) for line in SLOW)]
)
def test_a_full_disk_behind_standard_output_is_one_line(
    shell: Shell, clip: Path, arguments: str, unbuffered: str
) -> None:
    done = shell(f"edge-iemonet {arguments} > /dev/full", PYTHONUNBUFFERED=unbuffered)
    said = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert [line for line in said if "No space left on device" in line] == [said[-1]]
    assert said[-1].startswith("edge-iemonet: standard output")


@pytest.mark.parametrize("closed", ["2> /dev/full", "2>&-"])
def test_messages_that_cannot_be_written_stop_nothing_and_go_nowhere_else(
    shell: Shell, clip: Path, closed: str
) -> None:
    done = shell(f"edge-iemonet classify missing.wav clip.wav --json {closed}")
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"clip.wav" in done.stdout
    assert b"missing.wav" not in done.stdout


def test_closed_standard_output_is_one_line(shell: Shell, clip: Path) -> None:
    done = shell("edge-iemonet classify clip.wav >&-")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert b"standard output: cannot be written" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "classify -",
        *(pytest.param(line, marks=pytest.mark.slow) for line in ("timeline -", "listen -", "classify-text")),
    ],
)
def test_closed_standard_input_is_one_line(shell: Shell, command: str) -> None:
    done = shell(f"edge-iemonet {command} <&-")
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        "edge-iemonet: standard input: is closed; send something to it, or name a file"
    ]


def test_a_file_of_results_gets_no_number_of_a_closed_stream(shell: Shell, clip: Path, tmp_path: Path) -> None:
    assert shell("edge-iemonet classify missing.wav clip.wav --output r.jsonl <&- >&- 2>&-").returncode == 1
    assert [json.loads(line)["file"] for line in (tmp_path / "r.jsonl").read_text().splitlines()] == [
        "missing.wav",
        "clip.wav",
    ]


def test_a_reader_that_leaves_early_hears_no_complaint(shell: Shell, clip: Path) -> None:
    done = shell("edge-iemonet classify clip.wav clip.wav clip.wav | head -1")
    assert (done.stdout.split(), done.stderr) == ([b"clip.wav", b"2.0", b"s"], b"")


@pytest.fixture
def named(tmp_path: Path, clip: Path) -> Path:
    folder = tmp_path / "named"
    folder.mkdir()
    for name in NAMES:
        (folder / os.fsdecode(name)).write_bytes(clip.read_bytes())
    return folder


def test_json_has_names_that_lead_to_the_files_whatever_the_terminal_can_show(shell: Shell, named: Path) -> None:
    done = shell("edge-iemonet classify named --json --no-asr", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    files = [json.loads(line)["file"] for line in done.stdout.decode("ascii").splitlines()]
    assert {os.fsencode(file) for file in files} == {b"named/" + name for name in NAMES}


def test_csv_has_the_bytes_of_names_whatever_the_terminal_can_show(shell: Shell, named: Path) -> None:
    done = shell("edge-iemonet classify named --csv --no-asr", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    rows = list(csv.DictReader(done.stdout.decode("utf-8", "surrogateescape").splitlines(keepends=True)))
    assert {os.fsencode(row["file"]) for row in rows} == {b"named/" + name for name in NAMES}


def test_people_see_control_characters_in_messages_and_the_terminal_does_not(shell: Shell) -> None:
    done = shell("edge-iemonet classify $'no\\x1b31m\\n\\xff.wav' $'x\\u202e.wav'", LC_ALL="C.UTF-8")
    assert done.stderr.decode().splitlines() == [
        "edge-iemonet: no\\x1b31m\\n\\udcff.wav: no such file",
        "edge-iemonet: x\\u202e.wav: no such file",
    ]


def test_a_page_of_a_recording_whose_name_is_no_text_is_written(shell: Shell, named: Path, tmp_path: Path) -> None:
    done = shell("edge-iemonet timeline named/caf$'\\xe9'.wav --html page.html")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "<h1>caf\\udce9.wav</h1>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_lines_that_are_no_text_are_classified(shell: Shell) -> None:
    done = shell("printf 'caf\\xe9\\n' | edge-iemonet classify-text --json")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["text"] == "caf\udce9"


def test_help_waits_for_nothing_heavy() -> None:
    heavy = {"numpy", "onnxruntime", "soundfile", "tokenizers"}
    code = f"import sys, edge_runtime.cli.app; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_message_that_cannot_be_said_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w", buffering=1) as full:  # noqa: PTH123
        monkeypatch.setattr(sys, "stderr", full)
        report_error("edge-iemonet", "nothing")
        monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())


@pytest.mark.parametrize(
    "package", ["edge_runtime", "trainer", "export", pytest.param("benchmarks", marks=pytest.mark.slow)]
)
def test_each_package_is_a_command(package: str, repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", package, "--help"], capture_output=True, text=True, cwd=repository, check=False
    )
    assert done.returncode == 0
    assert "Usage" in done.stdout
