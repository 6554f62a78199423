"""The token comes from a file or the environment, and is refused where it is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.serve.settings import TOKEN_VARIABLE, is_loopback, read_token

GOOD = "0123456789abcdef"


def test_a_file_goes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text(f"{GOOD}-file\n")
    monkeypatch.setenv(TOKEN_VARIABLE, f"{GOOD}-variable")
    assert read_token(tmp_path / "token") == f"{GOOD}-file"
    assert read_token(None) == f"{GOOD}-variable"
    monkeypatch.delenv(TOKEN_VARIABLE)
    assert read_token(None) is None


@pytest.mark.parametrize("text", ["", "short", GOOD[:-1], f"{GOOD} {GOOD}", f"{GOOD}é", f"{GOOD}\x00", "x" * 257])
def test_what_is_no_token_is_refused_without_being_shown(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"token: a token has 16 to 256") as found:
        read_token(tmp_path / "token")
    assert not text or text not in str(found.value)
    if "\x00" not in text:
        monkeypatch.setenv(TOKEN_VARIABLE, text)
        with pytest.raises(ValueError, match=f"{TOKEN_VARIABLE}: a token has"):
            read_token(None)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none: cannot be read \(No such file"):
        read_token(tmp_path / "none")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("0.0.0.0", False), ("::", False),
     ("192.168.1.1", False), ("example.org", False), ("", False)],
)  # fmt: skip
def test_loopback_is_this_machine_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
