"""``/v1/classify`` and ``/v1/classify-text``: the answers of the runtime as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from edge_runtime.baseline import BEGINNING, Baseline, join
from edge_runtime.pipeline import IEmoNet
from edge_runtime.prediction import Prediction
from edge_runtime.serve import openapi
from edge_runtime.serve.errors import RequestError, field_error
from edge_runtime.serve.recording import BoundedRecording, Deadline
from edge_runtime.serve.service import Service
from edge_runtime.serve.upload import read_body, read_upload

LONGEST_TEXT = 64 << 10
"""Bytes of a request about words; the model reads far less."""
THRESHOLD = {"type": "number", "minimum": 0, "maximum": 1, "description": "Below it the label is uncertain."}
FORM = {
    "file": openapi.FILE,
    "transcript": {"type": "string", "description": "The words, if they are known: none are recognised."},
    "asr": {"type": "boolean", "default": True, "description": "false recognises no words: the voice alone answers."},
    "threshold": THRESHOLD,
    "baseline": {
        "type": "array",
        "items": {"type": "string", "format": "binary"},
        "description": "Other recordings of the same speaker, or a saved baseline.",
    },
}
TEXT = {"text": {"type": "string"}, "threshold": THRESHOLD}


def router(service: Service) -> APIRouter:
    """Return the routes."""
    found = APIRouter(tags=["Emotion"])
    model = service.model

    @found.post("/v1/classify", openapi_extra=openapi.form(FORM, required=["file"], bare=True))
    async def classify(request: Request) -> dict[str, Any]:
        """Say what emotion is in a recording: a form, or the recording as the body and the fields in the query."""
        async with service.work.place() as place:
            upload = await read_upload(request, service.limits)
            audio, others, transcript = upload.audio, upload.files.get("baseline", ()), upload.fields.get("transcript")
            asr, threshold = upload.flag("asr", default=True), upload.number("threshold", least=0, most=1)

            def answer(deadline: Deadline) -> Prediction:
                most_s = service.limits.audio_s
                baseline = _baseline(model, others, deadline, most_s) if others else None
                recording = BoundedRecording(audio, deadline, most_s=most_s)
                return model(recording, transcript=transcript, asr=asr, threshold=threshold, baseline=baseline)

            prediction = await place.run(request, answer)
        service.metrics.audio_s.inc(prediction.duration_s)
        return prediction.to_dict()

    @found.post("/v1/classify-text", openapi_extra=openapi.json_body(TEXT, required=["text"]))
    async def classify_text(request: Request) -> dict[str, Any]:
        """Say what emotion is in words alone."""
        async with service.work.place() as place:
            text, threshold = _text(await read_body(request, LONGEST_TEXT, service.limits.time_s))
            scores = await place.run(request, lambda _: model.classify_text(text, threshold=threshold))
        least = model.bundle.operating_point if threshold is None else threshold
        answer = {"label": scores.label, "confidence": scores.confidence, "scores": scores.scores}
        return {"text": text, **answer, "used": ["words"], "uncertain": scores.confidence < least}

    return found


def _baseline(model: IEmoNet, files: Sequence[bytes], deadline: Deadline, most_s: float) -> Baseline:
    """Return what was sent to compare with: saved baselines, and recordings, in the order that they came in."""
    parts: list[tuple[str, Baseline | None]] = []
    for number, data in enumerate(files, 1):
        name = f"baseline {number}"
        if data.startswith(BEGINNING):
            parts.append((name, Baseline.from_bytes(data, name=name)))
        else:
            parts.append((name, model.pool(BoundedRecording(data, deadline, most_s=most_s))))
    return join(parts)


def _text(body: bytes) -> tuple[str, float | None]:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, "the body is no JSON", code="invalid_json") from error
    if not isinstance(given, dict) or not isinstance(given.get("text"), str) or not given["text"].strip():
        raise field_error("text", "give a text that is not empty")
    threshold = given.get("threshold")
    number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    if threshold is not None and not (number and 0 <= threshold <= 1):
        raise field_error("threshold", "give a number from 0 to 1")
    # Half a character, which JSON can hold, is no text that an answer could carry.
    return given["text"].encode("utf-8", "replace").decode(), threshold
