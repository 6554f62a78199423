"""The page's own files, read once from the package: no other file can be asked for."""

from __future__ import annotations

from importlib.resources import files

from starlette.responses import Response
from starlette.routing import Route

from edge_runtime.formats.report import COLOURS

TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
HOME = "/"
INDEX = "index.html"
EMOTION_COLOURS = "colours.css"
"""A style sheet with the colour of each emotion, the same as in a timeline's page."""


def routes() -> list[Route]:
    """Return a route for each file; that of the page itself is ``/``."""
    found = {path.name: path.read_bytes() for path in files("edge_runtime.serve").joinpath("page").iterdir()}
    colours = (f".label-{i} {{ --emotion: {colour}; }}\n" for i, colour in enumerate(COLOURS))
    found[EMOTION_COLOURS] = "".join(colours).encode()
    return [_route(name, data) for name, data in sorted(found.items())]


def _route(name: str, data: bytes) -> Route:
    kind = TYPES[name.rpartition(".")[2]]

    async def file(_: object) -> Response:
        return Response(data, media_type=kind, headers={"Cache-Control": "no-cache"})

    return Route(HOME if name == INDEX else f"/page/{name}", file)
