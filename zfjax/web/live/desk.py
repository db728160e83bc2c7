"""What the live server answers: requests are looked at here, and computed in the one thread that computes."""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from zfjax.errors import InputError
from zfjax.web.live import bodies
from zfjax.web.live.microscope import METHODS, OVERLAPS, Asked, Held, Microscope
from zfjax.web.live.pictures import MAX_BYTES, covered, pixels_of
from zfjax.web.live.worker import Busy, Worker
from zfjax.web.table import layer_slugs

if TYPE_CHECKING:
    from zfjax.data import Source

PAGES = Path(__file__).parents[1] / "pages"
MOST_UPLOADS = 4  # at once: what is read and decoded takes memory
PAGE_LETTERS = 64

Answer = TypeVar("Answer")


class NoPicture(InputError):
    """Bytes that hold no picture that is read."""


class Desk:
    """Takes the requests, and asks the one thread that computes.

    facts: what GET /arch answers. source: images of the data set, or None. title: what their split is called.
    labelled: whether the images' labels are numbers of the run's classes.
    """

    def __init__(
        self,
        microscope: Microscope,
        facts: dict[str, Any],
        source: Source | None,
        title: str,
        labelled: bool = True,
    ):
        self.worker = Worker()
        self.microscope = microscope
        self._facts, self.source, self._title, self._labelled = facts, source, title, labelled
        self._layers = {slug: layer for layer, slug in layer_slugs(microscope.run.arch, microscope.layers).items()}
        self._uploads = 0

    @property
    def gallery(self) -> str:
        """What the run is called in the gallery beside the page, or ""."""
        return self._facts["gallery"]

    async def page(self, request: Request) -> Response:
        return FileResponse(PAGES / "live.html")

    async def ready(self, request: Request) -> Response:
        return JSONResponse({"ready": True, "projections": self.microscope.done, "images": self.microscope.held})

    async def arch(self, request: Request) -> Response:
        return JSONResponse(self._facts)

    async def image(self, request: Request) -> Response:
        data = await self._upload(request)
        try:
            pixels = await run_in_threadpool(pixels_of, self.microscope.run.preprocess, data)
        except InputError as error:
            raise NoPicture(str(error)) from error
        return self._told(await self._ask(lambda: self.microscope.take(pixels)))

    async def sample(self, request: Request) -> Response:
        question = await bodies.question_of(request)
        number, count = bodies.whole_number(question, "number"), self._facts["samples"]
        if self.source is None or not 0 <= number < count:
            there = f"images 0 to {count - 1}" if count else "no images; give --dataset"
            raise InputError(f"the data set has {there}; asked for {number}")
        record = await run_in_threadpool(self.source.__getitem__, number)
        pixels = pixels_of(self.microscope.run.preprocess, record["image"])
        name, label = f"{self._title} {number}", int(record["label"]) if self._labelled else -1
        return self._told(await self._ask(lambda: self.microscope.take(pixels, name, label)))

    async def cover(self, request: Request) -> Response:
        parent = request.query_params.get("image", "")
        brush = await self._upload(request)

        def work() -> Held:
            below = self.microscope.find(parent)
            pixels = covered(self.microscope.run.preprocess, below.pixels, brush)
            return self.microscope.take(pixels, below.name, below.label)

        return self._told(await self._ask(work), parent=parent)

    async def picture(self, request: Request) -> Response:
        held = await self._ask(functools.partial(self.microscope.find, request.path_params["image"]))
        return _raw(held.picture)

    async def maps(self, request: Request) -> Response:
        layer = self._layer(request.path_params["layer"])
        maps = await self._ask(functools.partial(self.microscope.maps, request.path_params["image"], layer))
        channels, height, width = maps.levels.shape
        return _raw(*maps, about={"channels": channels, "height": height, "width": width})

    async def project(self, request: Request) -> Response:
        question = await bodies.question_of(request)
        image, page = bodies.text(question, "image"), bodies.text(question, "page", "")
        asked = Asked(
            layer=self._layer(bodies.text(question, "layer")),
            unit=bodies.whole_number(question, "unit"),
            row=bodies.whole_number(question, "row"),
            col=bodies.whole_number(question, "col"),
            method=bodies.one_of([*METHODS], question, "method"),
            overlap=bodies.one_of(OVERLAPS, question, "overlap"),
        )

        def work() -> tuple[Any, float]:
            start = time.perf_counter()
            return self.microscope.project(image, asked), 1000 * (time.perf_counter() - start)

        shown, ms = await self._ask(work, page=page[:PAGE_LETTERS])
        height, width, _ = shown.pixels.shape
        about = {"top": shown.top, "left": shown.left, "height": height, "width": width}
        return _raw(shown.pixels, about={**about, "value": shown.value, "gain": shown.gain, "ms": round(ms, 2)})

    async def _ask(self, work: Callable[[], Answer], *, page: str = "") -> Answer:
        try:
            return await asyncio.wrap_future(self.worker.submit(work, page=page))
        except asyncio.CancelledError:  # by Ctrl-C, after a while
            raise Busy("the server has been ended") from None

    async def _upload(self, request: Request) -> bytes:
        if self._uploads >= MOST_UPLOADS:
            raise Busy(f"{MOST_UPLOADS} pictures are on their way already; try again in a moment")
        self._uploads += 1
        try:
            return await bodies.body_of(request, MAX_BYTES)
        finally:
            self._uploads -= 1

    def _layer(self, slug: str) -> str:
        if slug not in self._layers:
            raise HTTPException(404, f"no layer is called {slug[:80]!r} here")
        return self._layers[slug]

    def _told(self, held: Held, **more: str) -> Response:
        best = np.argsort(-held.probabilities, kind="stable")[:5]
        top = [[int(number), float(held.probabilities[number])] for number in best]
        about = {"id": held.id, "size": list(held.pixels.shape), "top": top, "name": held.name, "class": held.label}
        return JSONResponse({**about, **more})


def _raw(*arrays: np.ndarray, about: dict | None = None) -> Response:
    headers = {"X-Zf": json.dumps(about, allow_nan=False)} if about else None
    return Response(b"".join(array.tobytes() for array in arrays), 200, headers, "application/octet-stream")
