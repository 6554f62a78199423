"""The body of a request → fields and files, in memory alone, however large or slow it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from edge_runtime.serve.errors import RequestError, field_error, too_large
from edge_runtime.serve.settings import Limits

Read = TypeVar("Read")
MOST_FILES, MOST_FIELDS = 16, 64
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


class _InMemory(MultiPartParser):
    """A parser that keeps files in memory: the body has a limit already, and sound is never written to a disk."""

    spool_max_size = 1 << 62


@dataclass(frozen=True)
class Upload:
    """What was sent.

    Attributes:
        fields: texts by name; of several with one name, the last.
        files: the content of the files of each name.
    """

    fields: Mapping[str, str]
    files: Mapping[str, Sequence[bytes]] = field(default_factory=dict)

    @property
    def audio(self) -> bytes:
        """The recording.

        Raises:
            RequestError: there is none, or several.
        """
        files = self.files.get("file", ())
        if len(files) != 1:
            raise field_error("file", "send one recording as a file" if not files else "send one recording, not more")
        return files[0]

    def number(self, name: str, *, least: float, most: float) -> float | None:
        """Return a field as a number; None where it was not sent.

        Raises:
            RequestError: it is no number, or out of range.
        """
        text = self.fields.get(name)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise field_error(name, f"give a number from {least:g} to {most:g}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a field that is true or false.

        Raises:
            RequestError: it is neither.
        """
        text = self.fields.get(name, "").lower()
        if text in TRUE or text in FALSE or not text:
            return text in TRUE if text else default
        raise field_error(name, "give true or false")


async def read_upload(request: Request, limits: Limits) -> Upload:
    """Read a multipart form; or a body that is the recording itself, with its fields in the query.

    Raises:
        RequestError: too large, too slow, or no form.
        ClientDisconnect: the client went away before the end.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        data = await read_body(request, limits.body_bytes, limits.time_s)
        return Upload(dict(request.query_params), {"file": [data]} if data else {})
    stream = _bounded(request, limits.body_bytes)
    parser = _InMemory(request.headers, stream, max_files=MOST_FILES, max_fields=MOST_FIELDS)
    try:
        form = await _in_time(parser.parse(), limits.time_s)
    except MultiPartException as error:
        raise RequestError(400, f"not a multipart form: {error.message}", code="invalid_form") from error
    fields, files = dict(request.query_params), dict[str, list[bytes]]()
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            files.setdefault(name, []).append(await value.read())
        else:
            fields[name] = value
    await form.close()
    return Upload(fields, files)


async def read_body(request: Request, most: int, time_s: float) -> bytes:
    """Return the body of at most ``most`` bytes.

    Raises:
        RequestError: it is larger, or did not arrive within ``time_s`` seconds.
        ClientDisconnect: the client went away before the end.
    """

    async def joined() -> bytes:
        return b"".join([part async for part in _bounded(request, most)])

    return await _in_time(joined(), time_s)


async def _bounded(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > most:
        raise too_large(most)
    count = 0
    async for part in request.stream():
        count += len(part)
        if count > most:  # whatever was stated
            raise too_large(most)
        yield part


async def _in_time(reading: Coroutine[Any, Any, Read], seconds: float) -> Read:
    try:
        return await asyncio.wait_for(reading, seconds)
    except asyncio.TimeoutError as error:
        raise RequestError(408, f"the request did not arrive within {seconds:g} s", code="upload_time_limit") from error
