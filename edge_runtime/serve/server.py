"""The process: a socket, uvicorn, and an end that leaves nothing half done."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge_runtime.formats.printable import visible
from edge_runtime.pipeline import IEmoNet
from edge_runtime.serve.app import build
from edge_runtime.serve.gate import LOG
from edge_runtime.serve.service import Service
from edge_runtime.serve.settings import Access, Limits
from edge_runtime.serve.stream_socket import LARGEST_MESSAGE

HEAD_S = 10.0
"""Within so many seconds a request's head must arrive, so that idle connections do not pile up."""
LOOK_S = 0.05
STREAMS_END_S = 10.0
"""So long streams have to answer what was being said when the service ends."""


def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes any that is free.

    Raises:
        OSError: the address is no address of this machine, or another program listens there.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(128)
    except OSError:
        found.close()
        raise
    return found


def address(listening: socket.socket) -> str:
    """Return the address of the page that a socket serves."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Serves ``model`` on an open socket until Ctrl-C or SIGTERM; what is under way then is answered first."""

    def __init__(self, model: IEmoNet, limits: Limits, access: Access) -> None:
        """Get ready; ``run(sockets=[…])`` serves."""
        self.service: Service | None = None
        self._model, self._limits, self._access = model, limits, access
        super().__init__(
            uvicorn.Config(
                self._application,
                factory=True,
                http=_Connection,
                ws="websockets-sansio",
                lifespan="off",
                log_config=None,
                server_header=False,
                proxy_headers=False,
                ws_max_size=LARGEST_MESSAGE,
                ws_per_message_deflate=False,  # sound does not get smaller by it
                ws_ping_timeout=60.0,
                timeout_graceful_shutdown=round(limits.time_s),
            )
        )

    def _application(self) -> Any:
        self.service = Service.of(self._model, self._limits, self._access)
        return build(self.service)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let streams answer and close, refuse new work, and wait for what is under way."""
        assert self.service is not None
        self.service.work.draining.set()
        for _ in range(round(STREAMS_END_S / LOOK_S)):
            if not self.service.work.streams:
                break
            await asyncio.sleep(LOOK_S)
        await super().shutdown(sockets)
        self.service.work.close()


class _Connection(H11Protocol):
    """A connection that is closed where a request's head comes too slowly."""

    _waits: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.access_log = False  # it has whole addresses, with what stands in a query, for any handler that there is

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._waits is not None:
            self._waits.cancel()

    def _watch(self) -> None:
        """Wait only for a head: a body has a limit of its own."""
        head = self.conn.their_state is h11.IDLE
        if head and self._waits is None:
            self._waits = self.loop.call_later(HEAD_S, self._close_if_waiting)
        elif not head and self._waits is not None:
            self._waits.cancel()
            self._waits = None

    def _close_if_waiting(self) -> None:
        self._waits = None
        if self.conn.their_state is h11.IDLE and self.transport.get_protocol() is self:
            self.transport.close()


def log_to_standard_error(*, requests: bool) -> None:
    """Write a line for each request, if wanted, and for what goes wrong; nothing that a request holds is in it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Visible("%(asctime)s %(levelname)s %(message)s"))
    for logger, level in ((LOG, logging.INFO if requests else logging.WARNING), ("uvicorn.error", logging.WARNING)):
        found = logging.getLogger(logger) if isinstance(logger, str) else logger
        found.handlers, found.propagate = [handler], False
        found.setLevel(level)


class _Visible(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))
