"""Nothing leaves the machine: no socket is opened, no name looked up, and nothing written into the user's home."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.baselines.environments import quiet

SWITCH = "ORT_DISABLE_TELEMETRY"
CLASSIFY = "from edge_runtime.cli.app import main; main()"
SERVICE = """
import sys, time
from edge_runtime import IEmoNet
model = IEmoNet.load(device="cpu", threads=1)
for _ in range(6):
    assert model(sys.argv[1]).label
    time.sleep(3)
"""
"""onnxruntime waits for ten seconds before it sends its first events."""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path, bundle_folder: Path) -> Run:
    """Run Python code in an empty home, and without the variable that this process has set for its children."""
    kept = {key: value for key, value in os.environ.items() if key != SWITCH and not key.startswith("XDG_")}

    def call(code: str, *arguments: object, before: tuple[str, ...] = (), **changes: str) -> object:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        places = {name: str(home) for name in ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP")}
        return subprocess.run(
            [*before, sys.executable, "-c", code, *map(str, arguments)],
            env={**kept, **places, "EDGE_IEMONET_BUNDLE": str(bundle_folder), **changes},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )

    return call  # type: ignore[return-value]


@pytest.fixture
def sockets(run: Run, tmp_path: Path) -> Callable[..., list[str]]:
    """Run Python code, and return every system call about the network of the process and its children."""
    if not shutil.which("strace"):
        pytest.skip("needs strace, which shows what C++ code asks of the system")

    def call(code: str, *arguments: object) -> list[str]:
        calls = tmp_path / "calls"
        strace = ("strace", "-f", "-qq", "-e", "trace=%network", "-e", "signal=none", "-o", str(calls))
        done = run(code, *arguments, before=strace)
        if "ptrace" in done.stderr:
            pytest.skip(f"this machine lets no process look at another: {done.stderr.splitlines()[0]}")
        assert done.returncode == 0, done.stderr
        return calls.read_text().splitlines()

    return call


def test_classify_opens_no_socket_and_writes_nothing(
    sockets: Callable[..., list[str]], jfk: Path, tmp_path: Path
) -> None:
    assert sockets(CLASSIFY, "classify", jfk) == []
    assert list((tmp_path / "home").rglob("*")) == []


@pytest.mark.slow
def test_service_that_runs_on_opens_no_socket_and_writes_nothing(
    sockets: Callable[..., list[str]], jfk: Path, tmp_path: Path
) -> None:
    assert sockets(SERVICE, jfk) == []
    assert list((tmp_path / "home").rglob("*")) == []


def test_socket_that_is_opened_is_seen(sockets: Callable[..., list[str]]) -> None:
    first, *_ = sockets("import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)")
    assert "socket(AF_INET" in first


@pytest.mark.parametrize("arguments", [["--help"], ["classify"]])
def test_home_that_cannot_be_written_gives_no_warning(run: Run, jfk: Path, arguments: list[str]) -> None:
    done = run(CLASSIFY, *arguments, *([jfk] if arguments == ["classify"] else []), HOME=os.devnull)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "module", ["edge_runtime.pipeline", "export.quantization.quantizable_layers", "benchmarks.precision.measure"]
)
def test_importing_any_module_turns_telemetry_off(run: Run, repository: Path, module: str) -> None:
    code = f"""
import os, sys
sys.path.append({str(repository)!r})
seen = []
def watch(event, arguments):
    if event == "import" and arguments[0].partition(".")[0] == "onnxruntime":
        seen.append(os.environ.get({SWITCH!r}))
sys.addaudithook(watch)
import {module}
print(set(seen))
"""
    done = run(code)
    assert done.stdout == "{'1'}\n", done.stderr


def test_a_telemetry_setting_of_the_user_is_kept(run: Run) -> None:
    code = f"import os, edge_runtime; print(os.environ[{SWITCH!r}])"
    assert run(code, **{SWITCH: "0"}).stdout == "0\n"


def test_pipelines_of_the_benchmarks_inherit_the_setting() -> None:
    assert quiet()[SWITCH] == os.environ[SWITCH]


def test_no_module_imports_onnxruntime_before_its_telemetry_is_off(repository: Path) -> None:
    """``export`` turns it off as a package; workers run in environments of their own, which inherit the setting."""
    place = repository / "edge_runtime" / "inference" / "onnx_runtime.py"
    packages = ("edge_runtime", "trainer", "export", "benchmarks", "examples")
    files = [file for name in packages for file in (repository / name).rglob("*.py") if "build" not in file.parts]
    assert place in files
    apart = [repository / "export", repository / "benchmarks" / "baselines"]
    safe = {place, *(file for folder in apart for file in folder.rglob("*.py"))}
    assert [str(file) for file in files if file not in safe and _too_early(file)] == []
    (first, *_) = _imports(repository / "export" / "__init__.py")
    assert first == "edge_runtime"


def _too_early(file: Path) -> bool:
    """Whether a file imports onnxruntime, or optimum, which does, and not edge_runtime before."""
    for name in _imports(file):
        if name.partition(".")[0] == "edge_runtime":
            return False
        if name.partition(".")[0] in {"onnxruntime", "optimum"}:
            return True
    return False


def _imports(file: Path) -> Iterator[str]:
    """Yield what a file imports, in its order."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
