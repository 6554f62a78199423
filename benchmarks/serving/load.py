"""Many clients at once for some minutes: what is answered, refused and lost, how long it takes, and the memory."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import soundfile
import typer
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from benchmarks.common import results_file
from benchmarks.common.paths import BUNDLE, EXAMPLE
from benchmarks.common.timing import percentiles
from edge_runtime.audio.recording import SAMPLE_RATE

STREAM_EVERY, RUDE_EVERY = 10, 10
"""Of so many clients one is a live stream, and one goes away in the middle of what it does."""
PORTION_S = 0.1
SAMPLE_S = 2.0
SETTLED = 0.25
"""Memory is compared from this share of the time on: before, threads and buffers are made."""


@dataclass
class Seen:
    """What all clients saw; appended to by several threads.

    Attributes:
        statuses: how often each status was answered.
        milliseconds: of each answer with status 200, without the waiting after a refusal.
        latencies_s: of each utterance in a live stream.
        lost: what had no answer, by the name of the error.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)


def measure(clients: int, seconds: float, *, clip: Path) -> dict[str, Any]:
    """Start the command, let ``clients`` ask it for ``seconds`` with the sound of ``clip``, and end it by SIGTERM.

    Returns:
        Counts, percentiles and memory, ready for JSON.
    """
    command = [sys.executable, "-m", "edge_runtime", "serve", "--port", "0", "--no-log", "--bundle", str(BUNDLE)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as service:  # noqa: S603 - our own
        assert service.stderr is not None
        found = re.search(r"at (http://\S+)", service.stderr.readline())
        assert found, "the service did not start"
        url, seen = found[1], Seen()
        try:
            memory = _load(url, service.pid, clients, seconds, clip, seen)
            metrics = httpx.get(f"{url}/metrics").text
            ended = _end(service, url, clip)
        finally:
            service.kill()
    settled = memory[int(SETTLED * len(memory)) :]
    return {
        "clients": clients,
        "seconds": seconds,
        "clip_s": round(soundfile.info(clip).duration, 2),
        "answered": seen.statuses["200"],
        "refused": seen.statuses["503"],
        "other": {status: count for status, count in seen.statuses.items() if status not in {"200", "503"}},
        "lost": dict(seen.lost),
        "answer_ms": percentiles(seen.milliseconds) if seen.milliseconds else {},
        "audio_s_per_s": round(_value(metrics, "edge_iemonet_audio_seconds_total") / seconds, 1),
        "stream_latency_s": percentiles(seen.latencies_s) if seen.latencies_s else {},
        "utterances_streamed": len(seen.latencies_s),
        "memory_mb": {"first": settled[0], "last": settled[-1], "most": max(memory), "samples": memory},
        "left_over": {name: _value(metrics, f"edge_iemonet_{name}") for name in ("streams", "running", "waiting")},
        **ended,
    }


def _load(url: str, process: int, clients: int, seconds: float, clip: Path, seen: Seen) -> list[float]:
    """Run the clients; return the memory of ``process`` in MB, sampled."""
    stop = threading.Event()
    rude, streams = (range(begin, clients, every) for begin, every in ((1, RUDE_EVERY), (2, STREAM_EVERY)))
    kinds: list[Callable[[str, Path, threading.Event, Seen], None]] = [
        _go_away if i in rude else _stream if i in streams else _ask for i in range(clients)
    ]
    threads = [threading.Thread(target=kind, args=(url, clip, stop, seen), daemon=True) for kind in kinds]
    for thread in threads:
        thread.start()
    memory, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        memory.append(_memory_mb(process))
        time.sleep(SAMPLE_S)
    stop.set()
    for thread in threads:
        thread.join(300)
    return memory


def _ask(url: str, clip: Path, stop: threading.Event, seen: Seen) -> None:
    """Ask again and again; come back after a refusal when the service says so."""
    data = clip.read_bytes()
    with httpx.Client(base_url=url, timeout=300) as client:
        while not stop.is_set():
            begin = time.perf_counter()
            try:
                answer = client.post("/v1/audio/transcriptions", files={"file": ("clip.wav", data)})
            except httpx.HTTPError as error:
                seen.lost[type(error).__name__] += 1
                continue
            seen.statuses[str(answer.status_code)] += 1
            if answer.status_code == 200:
                seen.milliseconds.append(1000 * (time.perf_counter() - begin))
            else:
                stop.wait(float(answer.headers.get("Retry-After", 1)))


def _go_away(url: str, clip: Path, stop: threading.Event, seen: Seen) -> None:
    """Send half of an upload, or all of one, and hang up."""
    data, place = clip.read_bytes(), urlsplit(url)
    head = f"POST /v1/classify HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    half = True
    while not stop.wait(0.5):
        half = not half
        with suppress(OSError), socket.create_connection((place.hostname or "", place.port or 0)) as connection:
            connection.sendall(head + (data[: len(data) // 2] if half else data))
            stop.wait(0.1)


def _stream(url: str, clip: Path, stop: threading.Event, seen: Seen) -> None:
    """Speak the clip at its own speed, again and again."""
    samples = soundfile.read(clip, dtype="int16")[0].astype("<i2")
    step = int(PORTION_S * SAMPLE_RATE)
    while not stop.is_set():
        try:
            with connect(f"ws{url.removeprefix('http')}/v1/stream?sample_rate={SAMPLE_RATE}") as live:
                begin = time.monotonic()
                for number, at in enumerate(range(0, len(samples), step), 1):
                    live.send(samples[at : at + step].tobytes())
                    time.sleep(max(0.0, begin + number * PORTION_S - time.monotonic()))
                live.send("end")
                for message in live:
                    seen.latencies_s.append(_latency_s(str(message)))
        except (WebSocketException, OSError) as error:
            seen.lost[type(error).__name__] += 1


def _latency_s(message: str) -> float:
    found = re.search(r'"latency_s": ([\d.]+)', message)
    assert found, message
    return float(found[1])


def _end(service: subprocess.Popen[str], url: str, clip: Path) -> dict[str, Any]:
    """Send SIGTERM while requests are under way, and say what became of them."""
    seen, stop = Seen(), threading.Event()
    threads = [threading.Thread(target=_ask, args=(url, clip, stop, seen), daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    while _value(httpx.get(f"{url}/metrics").text, "edge_iemonet_running") < 1:
        time.sleep(0.02)
    stop.set()
    service.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(300)
    return {"at_sigterm": {**seen.statuses, "lost": sum(seen.lost.values()), "exit_code": service.wait(60)}}


def _value(metrics: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", metrics, re.MULTILINE)
    return float(found[1]) if found else 0.0


def _memory_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found, status
    return round(int(found[1]) / 1024, 1)


def command(
    clients: Annotated[int, typer.Option(help="Clients at the same time.")] = 50,
    seconds: Annotated[float, typer.Option(help="How long they ask.")] = 120,
    clip: Annotated[Path, typer.Option(help="What they send.")] = EXAMPLE,
    name: Annotated[str, typer.Option(help="Name of the file of results.")] = "serve",
) -> None:
    """The service under load: answers, refusals, losses, times and memory."""
    print(results_file.write(name, measure(clients, seconds, clip=clip)))
