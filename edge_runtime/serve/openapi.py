"""What OpenAPI's document says about bodies, which are read here and not by the framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FILE = {"type": "string", "format": "binary", "description": "wav, flac, ogg or mp3; any rate, any channels."}


def form(properties: Mapping[str, Any], *, required: Sequence[str], bare: bool = False) -> dict[str, Any]:
    """Return the description of a multipart form; with ``bare`` the body may also be the recording itself."""
    schema = {"type": "object", "properties": dict(properties), "required": [*required]}
    content: dict[str, Any] = {"multipart/form-data": {"schema": schema}}
    if bare:
        content["application/octet-stream"] = {"schema": FILE}
    return {"requestBody": {"required": True, "content": content}}


def json_body(properties: Mapping[str, Any], *, required: Sequence[str]) -> dict[str, Any]:
    """Return the description of a JSON object."""
    schema = {"type": "object", "properties": dict(properties), "required": [*required]}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
