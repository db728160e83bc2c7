"""The addresses of the live server, and how it says that something is wrong."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from zfjax.errors import InputError
from zfjax.web.live.bodies import TooLarge, TooSlow
from zfjax.web.live.desk import PAGES, Desk, NoPicture
from zfjax.web.live.gallery import gallery_route
from zfjax.web.live.microscope import Gone
from zfjax.web.live.worker import Busy, Superseded

STATUS = {
    Superseded: 409,
    TooSlow: 408,
    Gone: 410,
    TooLarge: 413,
    NoPicture: 415,
    Busy: 503,
    InputError: 400,
    ClientDisconnect: 400,
}


def make_app(desk: Desk, gallery: Path | None) -> Starlette:
    """gallery: the folder of one; None: none is served."""
    routes = [
        Route("/", desk.page),
        Route("/ready", desk.ready),
        Route("/arch", desk.arch),
        Route("/image", desk.image, methods=["POST"]),
        Route("/sample", desk.sample, methods=["POST"]),
        Route("/cover", desk.cover, methods=["POST"]),
        Route("/project", desk.project, methods=["POST"]),
        Route("/image/{image}/picture", desk.picture),
        Route("/image/{image}/maps/{layer}", desk.maps),
        Mount("/pages", StaticFiles(directory=PAGES)),
    ]
    if gallery:
        routes.append(Route("/gallery/{name:path}", gallery_route(gallery)))
    handlers = {HTTPException: _refuse, Exception: _break, **dict.fromkeys(STATUS, _fail)}
    return Starlette(routes=routes, exception_handlers=handlers)


async def _fail(request: Request, error: Exception) -> Response:
    status = next(number for kind, number in STATUS.items() if isinstance(error, kind))
    return JSONResponse({"error": str(error)}, status)


async def _refuse(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code)


async def _break(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "this went wrong; the terminal says how"}, 500)
