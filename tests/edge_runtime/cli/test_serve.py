"""The command: what it refuses, what it says, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.edge_runtime.serve.conftest import wait_until

COMMAND = [sys.executable, "-m", "edge_runtime", "serve"]
WITHOUT_EXTRA = """
import sys
class Hidden:
    def find_spec(self, name, *_):
        if name.split(".")[0] == "fastapi": raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
sys.argv = ["edge-iemonet", *sys.argv[1:]]
from edge_runtime.__main__ import main
main()
"""


def run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False, timeout=120
    )


@contextmanager
def started(bundle: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the command, and return it with its address."""
    command = [*COMMAND, "--port", "0", "--bundle", str(bundle), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.search(r"at (http://\S+)", line)
            assert found, line
            yield process, found[1]
        finally:
            process.kill()


def received(url: str) -> float:
    """Return how many requests to classify the service has: those that run or wait, and those that are answered.

    One that only lies in the socket's queue is refused by the system when the service closes.
    """
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    present = [s.value for s in samples if s.name in {"edge_iemonet_running", "edge_iemonet_waiting"}]
    answered = [
        s.value for s in samples if s.name == "edge_iemonet_requests_total" and s.labels["path"] == "/v1/classify"
    ]
    return sum(present) + sum(answered)


def test_without_the_extra_it_names_the_command_to_install_it() -> None:
    done = run([sys.executable, "-c", WITHOUT_EXTRA, "serve"])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "edge-iemonet: serve needs fastapi: pip install 'edge-iemonet[serve]'\n"
    assert run([sys.executable, "-c", WITHOUT_EXTRA, "serve", "--help"]).returncode == 0


def test_another_address_needs_a_token(tmp_path: Path, tiny_bundle: Path) -> None:
    done = run([*COMMAND, "--host", "0.0.0.0"])
    assert done.returncode == 2
    assert "so a token is needed" in " ".join(done.stderr.replace("│", " ").split())
    (tmp_path / "token").write_text("short")
    assert run([*COMMAND, "--token-file", str(tmp_path / "token")]).returncode == 2
    (tmp_path / "token").write_text("0123456789abcdef")
    with started(tiny_bundle, "--host", "0.0.0.0", "--token-file", str(tmp_path / "token")) as (_, url):
        local = url.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{local}/v1/models").status_code == 401
        headers = {"Authorization": "Bearer 0123456789abcdef"}
        assert httpx.get(f"{local}/v1/models", headers=headers).status_code == 200


def test_an_address_that_is_taken_is_said(tiny_bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run([*COMMAND, "--port", port, "--bundle", str(tiny_bundle)])
    assert done.returncode == 1
    assert done.stderr == (
        f"edge-iemonet: 127.0.0.1, port {port}: cannot listen there (Address already in use); choose another --port\n"
    )


def test_a_bundle_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = run([*COMMAND, "--port", "0", "--bundle", str(tmp_path / "none")])
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_lets_it_answer_what_is_under_way(
    number: signal.Signals, code: int, bundle_folder: Path, jfk: Path
) -> None:
    with started(bundle_folder, "--threads", "1") as (process, url), ThreadPoolExecutor() as pool:
        asked = [pool.submit(httpx.post, f"{url}/v1/classify", content=jfk.read_bytes(), timeout=60) for _ in range(3)]
        wait_until(lambda: received(url) == len(asked))
        process.send_signal(number)
        assert [one.result().status_code for one in asked] == [200] * 3
        assert process.wait(60) == code
        assert process.stderr is not None
        log = process.stderr.read()
    assert log.count("POST /v1/classify 200") == 3
    assert "Traceback" not in log


def test_log_lines_can_be_left_out(tiny_bundle: Path) -> None:
    with started(tiny_bundle, "--no-log") as (process, url):
        assert httpx.get(f"{url}/health").json() == {"status": "ok"}
        process.terminate()
        process.wait(60)
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_sizes_and_times_are_those_of_the_options(tiny_bundle: Path, speech: Callable[..., object]) -> None:
    options = ("--max-mb", "1", "--max-seconds", "5", "--time-limit", "20", "--allow-host", "Mine.example")
    with started(tiny_bundle, *options) as (_, url):
        assert httpx.post(f"{url}/v1/classify", content=bytes((1 << 20) + 1)).status_code == 413
        assert httpx.get(f"{url}/v1/models", headers={"Host": "mine.example"}).status_code == 200
