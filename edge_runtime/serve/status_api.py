"""``/health``, ``/ready`` and ``/metrics``, for those who keep the service running."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response

from edge_runtime.serve.service import Service


def router(service: Service) -> APIRouter:
    """Return the routes."""
    found = APIRouter(tags=["Operation"])

    @found.get("/health")
    async def health() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}

    @found.get("/ready", responses={503: {"description": "The service is ending, or all places are taken."}})
    async def ready() -> Response:
        """Say whether more requests are welcome."""
        full = service.work.full
        state = "ending" if service.work.draining.is_set() else "busy" if full else "ready"
        return JSONResponse({"status": state}, 200 if state == "ready" else 503)

    @found.get("/metrics")
    async def metrics() -> Response:
        """Give the numbers of this service to Prometheus."""
        return Response(service.metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return found
