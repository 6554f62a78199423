"""Who may ask: the right name, the right page, the right token; and who is turned away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from edge_runtime import IEmoNet
from edge_runtime.serve import access
from edge_runtime.serve.errors import RequestError
from edge_runtime.serve.settings import Access
from tests.edge_runtime.serve.conftest import Running, served

TOKEN = "a-token-of-the-tests"
SITE = "https://allowed.example"
TEXT = {"text": "ask"}


@pytest.fixture(scope="module")
def guarded(tiny_model: IEmoNet) -> Iterator[Running]:
    with served(tiny_model, access=Access(token=TOKEN, origins=frozenset([SITE]))) as running:
        yield running


def status(headers: dict[str, str], allowed: Access, *, path: str = "/v1/x", method: str = "POST") -> int:
    """The status with which a request is refused; 200 if it is not."""
    raw = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    try:
        access.check({"type": "http", "method": method, "path": path, "headers": raw}, allowed, frozenset({"/"}))
    except RequestError as error:
        return error.status
    return 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", 200), ("LOCALHOST:80", 200), ("127.0.0.1:8000", 200), ("127.8.8.8", 200), ("[::1]:8000", 200),
        ("mine.example:8000", 200), ("MINE.EXAMPLE", 200), ("evil.example", 421), ("localhost.evil.example", 421),
        ("evil.example:localhost", 421), ("evil@localhost", 421), ("192.168.0.1", 421), ("", 421), ("[", 421),
        ("localhost/x", 421), ("[::1", 421), ("127.0.0.1.evil.example", 421), ("0x7f000001", 421),
    ],
)  # fmt: skip
def test_a_name_that_is_not_this_service_s_is_refused(host: str, expected: int) -> None:
    allowed = Access(hosts=frozenset(["mine.example"]))
    assert status({"Host": host}, allowed) == expected
    assert status({"Host": host, "Authorization": f"Bearer {TOKEN}"}, Access(token=TOKEN)) == 200


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:8000"}, 200),
        ({"Origin": "https://LOCALHOST:8000"}, 200),
        ({"Origin": SITE}, 200),
        ({"Origin": "http://localhost:8001"}, 403),
        ({"Origin": "http://localhost"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": f"{SITE}.evil.example"}, 403),
        ({"Origin": "http://x@localhost:8000"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_a_page_of_another_site_is_refused(headers: dict[str, str], expected: int) -> None:
    allowed = Access(origins=frozenset([SITE]))
    assert status({"Host": "localhost:8000", **headers}, allowed) == expected
    assert status({"Host": "localhost:8000", **headers}, allowed, method="GET") == 200


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_is_sent_as_host_and_origin_is_let_pass_or_refused(host: str, origin: str) -> None:
    assert status({"Host": host, "Origin": origin}, Access()) in {200, 403, 421}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"Bearer {TOKEN}", 200), (f"bearer  {TOKEN} ", 200), (TOKEN, 401), (f"Basic {TOKEN}", 401), ("Bearer", 401),
        (f"Bearer {TOKEN}x", 401), (f"Bearer {TOKEN[:-1]}", 401), ("Bearer \xe9", 401), ("", 401),
    ],
)  # fmt: skip
def test_the_token_must_be_right(value: str, expected: int) -> None:
    headers = {"Host": "localhost", "Authorization": value}
    assert status(headers, Access(token=TOKEN)) == expected
    assert status(headers, Access(token=TOKEN), path="/") == 200


def test_with_a_token_the_page_is_open_and_all_else_is_closed(guarded: Running) -> None:
    for path in ("/", "/page/page.js", "/health", "/ready"):
        assert guarded.http.get(path).status_code == 200
    for path in ("/v1/models", "/metrics", "/openapi.json", "/other", "/page/../v1/models", "//v1/models"):
        assert guarded.http.get(path).status_code == 401
    found = guarded.http.post("/v1/classify-text", json=TEXT)
    assert found.status_code == 401
    assert found.headers["WWW-Authenticate"] == "Bearer"
    assert found.json()["error"]["code"] == "invalid_api_key"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.http.post("/v1/classify-text", json=TEXT, headers=headers).status_code == 200
    assert guarded.http.get("/metrics", headers=headers).status_code == 200


def test_a_stream_takes_the_token_as_header_or_as_subprotocol(guarded: Running) -> None:
    address = f"ws{guarded.url.removeprefix('http')}/v1/stream?sample_rate=16000"
    with connect(address, additional_headers={"Authorization": f"Bearer {TOKEN}"}) as socket:
        socket.send("end")
        assert list(socket) == []
    with connect(address, subprotocols=["edge-iemonet", f"bearer.{TOKEN}"]) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == "edge-iemonet"
    for wrong in (None, ["edge-iemonet"], ["edge-iemonet", "bearer.x"]):
        with pytest.raises(InvalidStatus), connect(address, subprotocols=wrong):  # type: ignore[arg-type]
            pass


def test_a_stream_of_a_page_of_another_site_is_refused(tiny: Running) -> None:
    address = f"ws{tiny.url.removeprefix('http')}/v1/stream?sample_rate=16000"
    with connect(address, origin=tiny.url):  # type: ignore[arg-type]
        pass
    with pytest.raises(InvalidStatus), connect(address, origin="https://evil.example"):  # type: ignore[arg-type]
        pass
    with pytest.raises(InvalidStatus), connect(address, additional_headers={"Host": "evil.example"}):
        pass


def test_other_sites_get_no_permission_unless_they_are_named(tiny: Running, guarded: Running) -> None:
    ask = {"Origin": SITE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    assert not [
        name for name in tiny.http.options("/v1/classify-text", headers=ask).headers if "access-control" in name
    ]
    allowed = guarded.http.options("/v1/classify-text", headers=ask)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == SITE
    other = guarded.http.options("/v1/classify-text", headers={**ask, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    headers = {"Origin": SITE, "Authorization": f"Bearer {TOKEN}"}
    answer = guarded.http.post("/v1/classify-text", json=TEXT, headers=headers)
    assert answer.headers["access-control-allow-origin"] == SITE
