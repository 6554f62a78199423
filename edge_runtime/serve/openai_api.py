"""``/v1/audio/transcriptions`` and ``/v1/models``, as clients of OpenAI's interface ask for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from edge_runtime.formats import srt, webvtt
from edge_runtime.serve import openapi
from edge_runtime.serve.answers import Transcription, language, transcribe
from edge_runtime.serve.errors import field_error
from edge_runtime.serve.service import Service
from edge_runtime.serve.upload import Upload, read_upload

FORMATS: dict[str, Callable[[Transcription], Response]] = {
    "json": lambda found: JSONResponse(found.to_dict()),
    "verbose_json": lambda found: JSONResponse(found.to_verbose_dict()),
    "text": lambda found: PlainTextResponse(found.text + "\n"),
    "srt": lambda found: PlainTextResponse(srt.render(found.segments)),
    "vtt": lambda found: PlainTextResponse(webvtt.render(found.segments), media_type="text/vtt"),
}
FORM = {
    "file": openapi.FILE,
    "model": {"type": "string", "description": "Any; there is one model."},
    "response_format": {"type": "string", "enum": [*FORMATS], "default": "json"},
    "language": {"type": "string", "description": "That of the bundle, in two letters, or nothing."},
}


def router(service: Service) -> APIRouter:
    """Return the routes."""
    found = APIRouter(tags=["OpenAI"])

    @found.post("/v1/audio/transcriptions", openapi_extra=openapi.form(FORM, required=["file"]))
    async def transcriptions(request: Request) -> Response:
        """Say what is said in a recording, and how: text and emotion, of the whole and of each utterance."""
        async with service.work.place() as place:
            upload = await read_upload(request, service.limits)
            answer = _wanted(upload, service)
            audio = upload.audio
            found = await place.run(
                request,
                lambda deadline: transcribe(service.model, audio, deadline, most_s=service.limits.audio_s),
            )
        service.metrics.audio_s.inc(found.duration_s)
        return answer(found)

    @found.get("/v1/models")
    async def models() -> dict[str, Any]:
        """Name the model, and the emotions that it tells apart."""
        bundle = service.model.bundle
        model = {"id": bundle.name, "object": "model", "created": 0, "owned_by": "edge-iemonet"}
        known = {"version": bundle.version, "language": language(bundle), "labels": [*bundle.labels]}
        return {"object": "list", "data": [{**model, **known}]}

    return found


def _wanted(upload: Upload, service: Service) -> Callable[[Transcription], Response]:
    """Return what makes the answer, and refuse what would have another meaning than the client thinks."""
    name = upload.fields.get("response_format") or "json"
    if name not in FORMATS:
        raise field_error("response_format", f"give one of {', '.join(FORMATS)}")
    if upload.flag("stream", default=False):
        raise field_error("stream", "answers come whole; for live sound use the WebSocket /v1/stream")
    if "word" in {upload.fields.get(key) for key in ("timestamp_granularities[]", "timestamp_granularities")}:
        raise field_error("timestamp_granularities", "there are times of segments alone")
    own = language(service.model.bundle)
    if own is not None and (upload.fields.get("language") or own).lower() != own:
        raise field_error("language", f"the recogniser of this bundle knows {own!r} alone")
    return FORMATS[name]
