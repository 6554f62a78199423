"""What goes wrong with a request, in the form that clients of OpenAI's interface read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_runtime.errors import IEmoNetError


class RequestError(IEmoNetError, ValueError):
    """A request is refused, or comes to no answer.

    Attributes:
        status: of the HTTP answer.
        param: the field at fault, if it is one.
        code: a word for programs.
        headers: more of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """``message`` is for people: what is wrong, and what to do."""
        super().__init__(message)
        self.status, self.code, self.param = status, code, param
        self.headers = dict(headers or {})

    def to_dict(self) -> dict[str, Any]:
        """Return OpenAI's error object."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


def field_error(name: str, problem: str) -> RequestError:
    """Return the error for a field that cannot be used."""
    return RequestError(400, f"{name}: {problem}", code="invalid_value", param=name)


def too_large(most: int) -> RequestError:
    """Return the error for a body of more than ``most`` bytes."""
    limit = f"{most / (1 << 20):g} MB" if most >= 1 << 20 else f"{most} bytes"
    return RequestError(413, f"the request is larger than {limit}; send less, or compressed audio", code="too_large")


def too_long(most_s: float) -> RequestError:
    """Return the error for a recording of more than ``most_s`` seconds."""
    message = f"the recording is longer than {most_s:g} s; cut it, or use the command `edge-iemonet timeline`"
    return RequestError(413, message, code="audio_too_long", param="file")


def out_of_time(seconds: float) -> RequestError:
    """Return the error for work that was ended; the header tells OpenAI's client not to try again."""
    message = f"no answer within {seconds:g} s, so the work was ended; send less audio"
    return RequestError(504, message, code="time_limit", headers={"x-should-retry": "false"})
