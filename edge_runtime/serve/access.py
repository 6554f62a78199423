"""Who may ask: the name that the service was called by, the page that calls, and the token."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from edge_runtime.serve.errors import RequestError
from edge_runtime.serve.settings import Access, is_loopback

OPEN = ("/health", "/ready")
"""Paths that need no token, besides the page's own files, in which nothing is secret."""
TOKEN_PROTOCOL = "bearer."  # noqa: S105
"""How a WebSocket's subprotocol begins that carries the token: a page can set no header there."""


def check(scope: Scope, access: Access, public: frozenset[str]) -> None:
    """Let a request or a WebSocket pass, or refuse it.

    Args:
        scope: of ASGI.
        access: who may ask.
        public: paths that need no token.

    Raises:
        RequestError: the service was called by a foreign name, a foreign page calls, or the token is missing or wrong.
    """
    headers = Headers(scope=scope)
    socket = scope["type"] == "websocket"
    _check_host(headers, access)
    if socket or scope["method"] not in {"GET", "HEAD"}:
        _check_origin(headers, access)
    if access.token is not None and scope["path"] not in public:
        _check_token(headers, access.token, scope.get("subprotocols", ()))


def _check_host(headers: Headers, access: Access) -> None:
    """Without a token, a page of any site could have its own name lead here (DNS rebinding), and would read answers."""
    if access.token is not None:
        return
    host = headers.get("host", "")
    name = (urlsplit(f"//{host}").hostname or "") if _is_netloc(host) else ""
    if not is_loopback(name) and name not in access.hosts:
        raise RequestError(421, "called by a name that is not this service's; see --allow-host", code="foreign_host")


def _check_origin(headers: Headers, access: Access) -> None:
    """Browsers say which page calls; what says nothing is no page of another site."""
    origin = headers.get("origin")
    if origin is None:
        foreign = headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}
    else:
        own = (
            _is_netloc(origin.partition("://")[2])
            and urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
        )
        foreign = not own and origin not in access.origins
    if foreign:
        raise RequestError(403, "called by a page of another site; see --allow-origin", code="foreign_origin")


def _is_netloc(text: str) -> bool:
    return not set(text) & set("/\\?#@") and text.count("[") == text.count("]") <= 1


def _check_token(headers: Headers, token: str, subprotocols: list[str]) -> None:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    candidates = [given.strip()] if scheme.lower() == "bearer" else []
    candidates += [p.removeprefix(TOKEN_PROTOCOL) for p in subprotocols if p.startswith(TOKEN_PROTOCOL)]
    # Compared in a time that does not depend on how many characters are right.
    if not any(hmac.compare_digest(one.encode("latin-1", "replace"), token.encode()) for one in candidates):
        raise RequestError(
            401, "the token is missing or wrong: send the header Authorization: Bearer TOKEN", code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )  # fmt: skip
