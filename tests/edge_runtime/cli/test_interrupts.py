"""One Ctrl-C ends a command, wherever it is: exit code 130, and nothing on the terminal but what was answered."""

from __future__ import annotations

import array
import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime.cli import interrupts

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and terminals are others there")

MAIN = "from edge_runtime.__main__ import main; main()"
IMPORTED = """
import os, signal, sys
class Hook:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.{signal})
sys.meta_path.insert(0, Hook())
"""
CALLED = """
import os, signal
import {module}
before = {module}.{function}
def called(*arguments, **settings):
    os.kill(os.getpid(), signal.SIGINT)
    return before(*arguments, **settings)
{module}.{function} = called
"""
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def environment(bundle_folder: Path) -> dict[str, str]:
    return {**os.environ, "EDGE_IEMONET_BUNDLE": str(bundle_folder)}


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    def call(code: str, *arguments: object, **settings: object) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-c", code + MAIN, *map(str, arguments)]
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            command, capture_output=True, cwd=tmp_path, env=environment, timeout=120, check=False, **settings
        )

    return call


@pytest.mark.parametrize("module", ["edge_runtime.cli.app", "typer", "numpy", "onnxruntime", "soundfile"])
def test_while_something_is_imported(run, jfk: Path, module: str) -> None:
    done = run(IMPORTED.format(module=module, signal="SIGINT"), "classify", jfk)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_sigterm_ends_it_with_143(run, jfk: Path) -> None:
    done = run(IMPORTED.format(module="numpy", signal="SIGTERM"), "classify", jfk)
    assert (done.returncode, done.stdout, done.stderr) == (143, b"", b"")


def test_a_ctrl_c_that_our_parent_ignores_is_ignored(run, jfk: Path) -> None:
    done = run(
        IMPORTED.format(module="numpy", signal="SIGINT"),
        *("classify-text", "fine"),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"fine" in done.stdout


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("edge_runtime.pipeline", "Bundle.read"),
        ("edge_runtime.inference.session", "Session._open"),
        ("edge_runtime.audio.recording", "Recording.blocks"),
        ("edge_runtime.pipeline", "IEmoNet._prediction"),
    ],
)
def test_while_it_loads_decodes_and_classifies_in_its_threads(run, jfk: Path, module: str, function: str) -> None:
    done = run(CALLED.format(module=module, function=function), "classify", jfk, jfk)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_while_a_file_is_written_what_was_there_stays_and_nothing_is_left_beside_it(
    run, jfk: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "a.csv").write_text("old")
    done = run(CALLED.format(module="os", function="replace"), "timeline", jfk, "--csv", folder / "a.csv")
    assert (done.returncode, done.stderr) == (130, b"")
    assert [path.name for path in folder.iterdir()] == ["a.csv"]
    assert (folder / "a.csv").read_text() == "old"


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ends = pty.openpty()
    yield ends
    for end in ends:
        os.close(end)


def until_read(descriptor: int) -> None:
    """Wait until what was sent has been read: whoever read it now waits for more."""
    unread = array.array("i", [1])
    until = time.monotonic() + 60
    while unread[0]:
        assert time.monotonic() < until, "nobody reads"
        time.sleep(0.02)
        fcntl.ioctl(descriptor, termios.FIONREAD, unread)


@pytest.mark.parametrize("arguments", [["classify", "-"], ["timeline", "-"], ["classify-text"]])
def test_while_it_waits_for_what_is_typed_at_a_terminal(
    environment: dict[str, str], terminal: tuple[int, int], arguments: list[str]
) -> None:
    ours, theirs = terminal
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - it calls the system, nothing else
    )
    os.write(ours, b" \n")
    until_read(theirs)
    os.write(ours, b"\x03")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")


@pytest.mark.parametrize(("command", "said"), [("classify", b""), ("listen", b"0:00.0 heard, no speech\n")])
def test_while_a_pipe_says_nothing(environment: dict[str, str], command: str, said: bytes) -> None:
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, command, "-"], stdin=pipe, stdout=pipe, stderr=pipe, env=environment
    )
    assert process.stdin is not None
    process.stdin.write(b"RI")
    process.stdin.flush()
    until_read(process.stdin.fileno())
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert process.communicate() == (b"", said)


def test_signals_that_are_ignored_are_not_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    ignored = {signal.SIGTERM: signal.SIG_IGN, signal.SIGINT: signal.SIG_DFL}
    monkeypatch.setattr(signal, "getsignal", ignored.__getitem__)
    assert interrupts.heeded_signals() == (signal.SIGINT,)


def test_signal_within_a_callback_of_libsndfile_is_raised_after_it() -> None:
    """An exception in the callback itself would be lost, and the file be called damaged."""
    before = signal.signal(signal.SIGTERM, interrupts.end)
    reached = []

    def vio_read() -> None:
        signal.raise_signal(signal.SIGTERM)
        reached.append("the callback ends as if nothing had come")

    def decode() -> None:
        with interrupts.after_cleaning_up():
            vio_read()
            for _ in range(3000):
                time.sleep(0.01)

    try:
        with pytest.raises(SystemExit) as ended:
            decode()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 143
    assert reached
