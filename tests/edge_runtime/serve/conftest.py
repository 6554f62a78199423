"""A service on a free port of this machine, in a thread."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import numpy as np
import pytest
import soundfile

from edge_runtime import IEmoNet
from edge_runtime.serve import server
from edge_runtime.serve.service import Service
from edge_runtime.serve.settings import Access, Limits
from tests.tiny_bundle import build


@dataclass(frozen=True)
class Running:
    """A service that runs.

    Attributes:
        url: its address.
        http: a client of it.
        server: to look into, and to stop.
    """

    url: str
    http: httpx.Client
    server: server.Server

    @property
    def service(self) -> Service:
        assert self.server.service is not None
        return self.server.service

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    def post(self, path: str, clip: bytes, **options: object) -> httpx.Response:
        """Send a recording as a form's file."""
        return self.http.post(path, files={"file": ("clip.wav", clip)}, **options)  # type: ignore[arg-type]


Serve = Callable[..., "contextmanager[Running]"]  # type: ignore[type-arg]


@contextmanager
def served(model: IEmoNet, *, access: Access | None = None, **limits: float) -> Iterator[Running]:
    """Run a service of ``model``; what is left of its limits are the usual ones, with two workers."""
    listening = server.open_socket("127.0.0.1", 0)
    running = server.Server(model, Limits(**{"workers": 2, **limits}), access or Access())  # type: ignore[arg-type]
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    wait_until(lambda: running.started)
    url = server.address(listening)
    with httpx.Client(base_url=url, timeout=60) as client:
        yield Running(url, client, running)
    running.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


def wait_until(condition: Callable[[], bool], seconds: float = 30, *, pause_s: float = 0.01) -> None:
    """Wait for what must happen soon."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(pause_s)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> IEmoNet:
    return IEmoNet.load(build(tmp_path_factory.mktemp("served") / "tiny"), device="cpu", threads=1)


@pytest.fixture(scope="module")
def tiny(tiny_model: IEmoNet) -> Iterator[Running]:
    """A service of a tiny bundle, for all that does not depend on what was said."""
    with served(tiny_model) as running:
        yield running


@pytest.fixture(scope="module")
def real(model: IEmoNet) -> Iterator[Running]:
    """A service of the committed bundle."""
    with served(model) as running:
        yield running


@pytest.fixture(scope="session")
def long_clip(speech: np.ndarray) -> bytes:
    """A wav file of 24 s in which somebody speaks several times."""
    return wav(np.concatenate([speech, np.zeros(2 * 16_000, np.float32), speech]))


@pytest.fixture(scope="session")
def silence() -> bytes:
    """A wav file of a second in which nobody speaks."""
    return wav(np.zeros(16_000, np.float32))


def wav(samples: np.ndarray, rate: int = 16_000, kind: str = "WAV") -> bytes:
    """Return samples as a file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind)
    return file.getvalue()
