"""``/v1/stream``: sound comes in over a WebSocket, and the events of ``IEmoNet.stream`` go out."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from edge_runtime.errors import IEmoNetError
from edge_runtime.live import Event, Stream
from edge_runtime.serve.errors import RequestError, field_error
from edge_runtime.serve.service import Service
from edge_runtime.serve.upload import Upload

PROTOCOL = "edge-iemonet"
"""The subprotocol, which a page names besides its token."""
END = "end"
"""The text message after the last sound: what was still being said is answered."""
LARGEST_MESSAGE = 256 << 10
"""Bytes: at most 16 s of sound at the lowest rate, so that no message is long work."""
LOWEST_RATE, HIGHEST_RATE = 8_000, 192_000
REFUSED, TRY_LATER, RESTARTING = 1008, 1013, 1012
"""Codes of a WebSocket's end (RFC 6455 and its registry)."""


def router(service: Service) -> APIRouter:
    """Return the route."""
    found = APIRouter()

    work = service.work

    @found.websocket("/v1/stream")
    async def stream(socket: WebSocket) -> None:
        """Answer sound as it comes; the query has ``sample_rate``, ``provisional_s`` and ``baseline``."""
        await socket.accept(PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None)
        work.streams += 1
        try:
            if work.streams > service.limits.streams or work.draining.is_set():
                await _refuse(socket, RequestError(503, "too many streams; try again later", code="busy"), TRY_LATER)
                return
            await _Exchange(service, socket, _begin(service, socket)).run()
        except IEmoNetError as error:
            await _refuse(socket, error, REFUSED)
        except WebSocketDisconnect:
            pass  # nobody is there to be told
        finally:
            work.streams -= 1

    return found


def _begin(service: Service, socket: WebSocket) -> Stream:
    query = Upload(dict(socket.query_params))
    rate = query.number("sample_rate", least=LOWEST_RATE, most=HIGHEST_RATE)
    if rate is None:
        raise field_error("sample_rate", "state that of the sound, in Hz: /v1/stream?sample_rate=16000")
    provisional_s = query.number("provisional_s", least=0.25, most=15)
    return service.model.stream(rate, provisional_s=provisional_s, baseline=query.flag("baseline", default=True))


class _Exchange:
    """Portions of sound in, events out, until the client says the end, goes away, or is silent for too long."""

    def __init__(self, service: Service, socket: WebSocket, stream: Stream) -> None:
        self._service, self._socket, self._stream = service, socket, stream
        self._waiting, self._odd = bytearray(), b""
        self._came, self._room = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Serve, and close.

        Raises:
            IEmoNetError: what comes cannot be used.
            WebSocketDisconnect: the client went away.
        """
        reading = asyncio.ensure_future(self._read())
        reading.add_done_callback(lambda done: done.cancelled() or done.exception())  # the service may be ending
        draining = asyncio.ensure_future(self._service.work.draining.wait())
        try:
            while await self._more(reading, draining):
                samples, arrived, before_s = self._samples(), time.perf_counter(), self._stream.duration_s
                feed = partial(self._stream.feed, samples, arrived=arrived)
                await self._answer(await self._service.work.run(feed))
                self._service.metrics.audio_s.inc(self._stream.duration_s - before_s)
        finally:
            reading.cancel()
            draining.cancel()
        await self._answer(await self._service.work.run(self._stream.close))
        await self._socket.close(RESTARTING if self._service.work.draining.is_set() else 1000)

    async def _read(self) -> None:
        """Collect portions until the client says the end; while too much waits, nothing more is read.

        What comes while the models think is taken together afterwards, and the client's pings are answered meanwhile.
        """
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1005))
            portion: bytes | None = message.get("bytes")
            if portion is None and message.get("text") == END:
                return
            if portion is None:
                raise RequestError(400, f"send samples of 16 bits as binary messages, and at the end the text {END!r}")
            self._waiting += portion
            if portion:
                self._came.set()
            while len(self._waiting) >= LARGEST_MESSAGE:
                self._room.clear()
                await self._room.wait()

    async def _more(self, reading: asyncio.Future[None], draining: asyncio.Future[Any]) -> bool:
        """Wait for sound; return whether there is any, False where there will be none."""
        if not self._waiting and not reading.done():
            self._came.clear()
            came = asyncio.ensure_future(self._came.wait())
            either: set[asyncio.Future[Any]] = {came, reading, draining}
            await asyncio.wait(either, timeout=self._service.limits.time_s, return_when=asyncio.FIRST_COMPLETED)
            came.cancel()
            if not self._waiting and not reading.done() and not draining.done():
                raise RequestError(408, f"no sound for {self._service.limits.time_s:g} s", code="idle")
        if reading.done():
            reading.result()  # which may be an error
        return bool(self._waiting)

    def _samples(self) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        """Take what waits, as whole samples."""
        data = self._odd + bytes(self._waiting)
        self._waiting.clear()
        self._room.set()
        even = len(data) & ~1
        self._odd = data[even:]
        return np.frombuffer(data[:even], "<i2").astype(np.int16)

    async def _answer(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.final:
                self._service.metrics.latency.observe(event.latency_s)
            await self._socket.send_text(json.dumps(event.to_dict(), ensure_ascii=False))


async def _refuse(socket: WebSocket, error: IEmoNetError, code: int) -> None:
    known = error if isinstance(error, RequestError) else RequestError(400, str(error), code="invalid_value")
    await socket.send_text(json.dumps(known.to_dict()))
    await socket.close(code)
