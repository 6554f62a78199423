"""The service as an ASGI application."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp

from edge_runtime.errors import AudioError, BaselineError, BundleError
from edge_runtime.serve import access, classify_api, openai_api, page_files, status_api, stream_socket
from edge_runtime.serve.errors import RequestError
from edge_runtime.serve.gate import GONE, Gate, error_response
from edge_runtime.serve.service import Service

DESCRIPTION = "Emotion in speech and text, on this machine. Times are in seconds, scores are calibrated probabilities."
PATHS = (
    "/v1/audio/transcriptions", "/v1/classify", "/v1/classify-text", "/v1/models", "/v1/stream", "/metrics",
    "/openapi.json",
)  # fmt: skip


def build(service: Service) -> ASGIApp:
    """Return the application for ``service``. Its OpenAPI document is at ``/openapi.json``."""
    # FastAPI's own pages about the interface load scripts from another site.
    app = FastAPI(
        title="edge-iemonet", version=version("edge-iemonet"), description=DESCRIPTION, docs_url=None, redoc_url=None
    )
    for module in (openai_api, classify_api, status_api, stream_socket):
        app.include_router(module.router(service))
    files = page_files.routes()
    app.router.routes.extend(files)
    _answer_errors(app, service)
    public = [*access.OPEN, *(route.path for route in files)]
    guarded: ASGIApp = Gate(app, service, paths=[*PATHS, *public], public=public)
    if service.access.origins:
        guarded = CORSMiddleware(
            guarded,
            allow_origins=sorted(service.access.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    return guarded


def _answer_errors(app: FastAPI, service: Service) -> None:
    """Have ``app`` answer what goes wrong with a request by OpenAI's error object."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestError)
        return error_response(request.scope, error)

    async def unusable(request: Request, error: Exception) -> Response:
        return error_response(request.scope, RequestError(400, str(error), code="unusable_audio", param="file"))

    async def unfit(request: Request, error: Exception) -> Response:
        bundle = service.model.bundle  # whose folder is nobody's business
        message = str(error).replace(str(bundle.folder), f"the bundle {bundle.name}")
        return error_response(request.scope, RequestError(400, message, code="unfit_bundle"))

    async def not_here(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        found = RequestError(error.status_code, error.detail, code="not_found", headers=error.headers)
        return error_response(request.scope, found)

    async def gone(_: Request, __: Exception) -> Response:
        return Response(status_code=GONE)  # for the log alone

    async def broken(request: Request, _: Exception) -> Response:
        return error_response(request.scope, RequestError(500, "the service failed; see its log", code="failed"))

    for kind, handler in {
        RequestError: refused,
        AudioError: unusable,
        BaselineError: unusable,
        BundleError: unfit,
        HTTPException: not_here,
        ClientDisconnect: gone,
        Exception: broken,
    }.items():
        app.add_exception_handler(kind, handler)
