"""A run's gallery beside the live page. It may come from somebody else: of it only pictures and numbers are served, and
the page's own scripts are this program's."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from zfjax.errors import InputError
from zfjax.runs.fingerprint import run_fingerprint
from zfjax.runtime.files import parse_json, read_bytes, read_json
from zfjax.web.gallery.folder import MANIFEST, SETTINGS
from zfjax.web.gallery.gallery_file import VERSION
from zfjax.web.gallery.scripts import script
from zfjax.web.live.desk import PAGES
from zfjax.web.table import slugs

if TYPE_CHECKING:
    from zfjax.runs.run import Run

_CALL = re.compile(rb'zf\.load\(("[^\n]*?"), JSON\.parse\(("[^\n]*")\)\);\n')
_NAME = re.compile(r"(data|img)(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
_PICTURES = {"avif": "image/avif", "webp": "image/webp", "jpeg": "image/jpeg", "png": "image/png"}


def gallery_route(folder: Path) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of /gallery/{name}: of a gallery's folder."""

    async def endpoint(request: Request) -> Response:
        name = request.path_params["name"] or "index.html"
        page = re.fullmatch(r"(?:pages/)?([a-z][a-z0-9-]*\.(?:js|css|html))", name)
        if page and (PAGES / page[1]).is_file():
            return FileResponse(PAGES / page[1])
        path, kind = folder / name, name.rsplit(".", 1)[-1]
        if not _NAME.fullmatch(name) or _leaves(folder, path) or not path.is_file():
            raise HTTPException(404, "Not Found")
        if name.startswith("img/") and kind in _PICTURES:
            return FileResponse(path, media_type=_PICTURES[kind])
        if name.startswith("data/") and kind == "js":
            return Response(await run_in_threadpool(inert, path), media_type="text/javascript")
        raise HTTPException(404, "Not Found")

    return endpoint


def slug_in(folder: Path, run: Run) -> str:
    """What a gallery calls a run; "" where it has none with these weights, or its data are not for these pages."""
    try:
        settings = read_json(folder / SETTINGS) if (folder / MANIFEST).is_file() else None
        if settings is None or settings.get("version") != VERSION:
            return ""
        names = {name: fingerprint for name, fingerprint, *_ in settings["runs"]}
        fingerprint = run_fingerprint(run)
        return next((slug for name, slug in slugs(names).items() if names[name] == fingerprint), "")
    except (InputError, KeyError, TypeError, ValueError):  # somebody else wrote it
        return ""


def inert(path: Path) -> bytes:
    """A script of data with nothing in it but that data: read as JSON, and written again."""
    found = _CALL.fullmatch(read_bytes(path))
    try:
        name, data = (parse_json(part) for part in found.groups()) if found else (None, None)
        if isinstance(name, str) and isinstance(data, str):
            return script(name, json.loads(json.dumps(parse_json(data), allow_nan=False)))
    except ValueError:
        pass
    raise HTTPException(404, f"{path.name} is no data of a gallery")


def _leaves(folder: Path, path: Path) -> bool:
    """Whether there is a link on the way."""
    return any(part.is_symlink() for part in (path, *path.parents) if folder in (part, *part.parents))
