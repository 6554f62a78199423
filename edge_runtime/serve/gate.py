"""What every request goes through: who asks, an identifier, headers for browsers, counting, and a line in the log."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_runtime.serve import access
from edge_runtime.serve.errors import RequestError
from edge_runtime.serve.service import Service

LOG = logging.getLogger("edge_iemonet.serve")
GONE = 499
"""In the log and the metrics: the client went away before it had an answer."""
CODE = "edge_iemonet.code"
"""Where a scope has the code of the error that was answered."""
LINGER_S = 2.0
"""So long a refused upload is still read, and thrown away: many clients read the answer only when all is sent."""
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; media-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Gate:
    """ASGI middleware around the whole service. Nothing that a request holds is logged but its known path."""

    def __init__(self, app: ASGIApp, service: Service, *, paths: Iterable[str], public: Iterable[str]) -> None:
        """Guard ``app``.

        Args:
            app: what answers.
            service: whose access is checked, and whose metrics count.
            paths: those that are known; others are counted together.
            public: those that need no token.
        """
        self._app, self._service = app, service
        self._paths, self._public = frozenset(paths), frozenset(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or serve a WebSocket."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        path = scope["path"] if scope["path"] in self._paths else "other"
        begin = time.perf_counter()
        try:
            try:
                access.check(scope, self._service.access, self._public)
            except RequestError as error:
                await exchange.answer(error)
            else:
                await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:
            # Its message, and so its traceback, could hold what was sent.
            where = traceback.extract_tb(error.__traceback__)[-1]
            LOG.error("%s %s at %s:%s", exchange.id, type(error).__name__, where.filename, where.lineno)  # noqa: TRY400
            exchange.status = exchange.status or 500
        finally:
            seconds = time.perf_counter() - begin
            self._service.metrics.requests.labels(path, exchange.status).inc()
            if scope["type"] == "http":
                self._service.metrics.seconds.labels(path).observe(seconds)
            if CODE in scope:
                self._service.metrics.refused.labels(scope[CODE]).inc()
            method = scope.get("method", "WS")
            LOG.info("%s %s %s %s %.3f s", exchange.id, method, path, exchange.status, seconds)


def error_response(scope: Scope, error: RequestError) -> Response:
    """Return the answer to a request that is refused, and have it counted."""
    scope[CODE] = error.code
    return JSONResponse(error.to_dict(), error.status, error.headers)


class _Exchange:
    """One request and its answer.

    Attributes:
        id: a random identifier, which the answer and the log carry.
        status: of the answer; of a WebSocket its code at the end. 0 while there is none.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.id = secrets.token_hex(8)
        self.status = 0
        self._scope, self._receive, self._send = scope, receive, send
        self._complete = scope["type"] == "websocket"

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._complete = not message.get("more_body", False)
        elif message["type"] == "http.disconnect":
            self._complete = True
        elif message["type"] == "websocket.disconnect":
            self.status = message.get("code", 1005)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.id
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._rest(), LINGER_S)
            if not self._complete:
                headers["Connection"] = "close"
        elif message["type"] == "websocket.close":
            self.status = message.get("code", 1000)
        await self._send(message)

    async def answer(self, error: RequestError) -> None:
        """Refuse a request before anything else sees it."""
        response = error_response(self._scope, error)
        if self._scope["type"] == "websocket":
            self.status = error.status
            await self._send({"type": "websocket.close", "code": 1008})  # to the client, HTTP status 403
        else:
            await response(self._scope, self.receive, self.send)

    async def _rest(self) -> None:
        """Read what is still being uploaded, and keep nothing of it."""
        while not self._complete:
            await self.receive()
