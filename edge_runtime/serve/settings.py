"""How much work the service takes on, and who may ask for it."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path

TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,256}")
"""What a token is made of: all that a header and a WebSocket's subprotocol can carry as it is."""
TOKEN_VARIABLE = "EDGE_IEMONET_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class Limits:
    """What bounds each request, and all of them together.

    Attributes:
        workers: requests that run at the same time, one thread each.
        waiting: requests that may wait for a worker; more are refused with 503.
        streams: WebSockets at the same time.
        body_bytes: of an upload.
        audio_s: seconds of sound in one request.
        time_s: seconds for an upload to arrive, and again for the answer.
    """

    workers: int
    waiting: int = 16
    streams: int = 16
    body_bytes: int = 25 << 20
    audio_s: float = 3600.0
    time_s: float = 300.0


@dataclass(frozen=True)
class Access:
    """Who may ask.

    Attributes:
        token: what a request must carry; None asks for none.
        hosts: names of this service, in lower case, besides those of the loopback interface.
        origins: web sites whose pages may ask, such as ``https://example.org``.
    """

    token: str | None = None
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()


def read_token(path: Path | None) -> str | None:
    """Return the token: that of the file, else that of the environment, else None.

    Raises:
        ValueError: it cannot be read, or is too short or of other characters than a token may have.
    """
    place = TOKEN_VARIABLE if path is None else str(path)
    try:
        text = os.environ.get(TOKEN_VARIABLE) if path is None else path.read_text(encoding="ascii")
    except OSError as error:
        raise ValueError(f"{place}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ValueError(_no_token(place)) from error
    if text is None:
        return None
    if not TOKEN.fullmatch(text.strip()):
        raise ValueError(_no_token(place))
    return text.strip()


def is_loopback(host: str) -> bool:
    """Whether ``host``, a name or an address, is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _no_token(place: str) -> str:
    make = "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
    return f"{place}: a token has 16 to 256 letters, digits and - . _ ~ and nothing else; make one with {make}"
