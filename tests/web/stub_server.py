"""The live server's answers without a network: every map, projection and answer tells which unit it is of.

Unit c of a layer with C units has its maximum 1 + (7 * c % C) at the place `peak(c)`, elsewhere in its map the level
c % 200; its projection is painted (c, 10 * row, 10 * column). Pictures are painted (7 * row, 7 * column, what it is).
"""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

PAGES = Path(__file__).resolve().parents[2] / "zfjax" / "web" / "pages"
SIZE = 32
CLASSES = ["cat", "<b>dog</b>", "owl", "fox", "ant", "bee"]
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _layer(name: str, kind: str, shape: tuple[int, int, int], field: list[list[int]] | None, slug: str) -> dict:
    looked_at = {"slug": slug, "shape": list(shape), "field": field, "units": shape[2] if slug else 0}
    return {
        "name": name,
        "kind": kind,
        "inputs": [],
        "parameters": 0,
        "relu": True,
        "dead": 0,
        "cover": [],
        **looked_at,
    }


LAYERS = [
    _layer("conv1", "Conv", (16, 16, 12), [[7, 2, -3], [7, 2, -3]], "conv1"),
    _layer("pool1", "MaxPool", (8, 8, 12), [[11, 4, -3], [11, 4, -3]], "pool1"),
    _layer("conv 2/b", "Conv", (4, 6, 600), [[19, 8, -7], [15, 5, -5]], "conv-2-b"),
    _layer("drop", "Dropout", (4, 6, 600), [[19, 8, -7], [15, 5, -5]], ""),
    _layer("fc", "Dense", (1, 1, 6), None, "fc"),
]
BY_SLUG = {layer["slug"]: layer for layer in LAYERS if layer["slug"]}
ARCH = {
    "run": "stub",
    "arch": "stub",
    "step": 7,
    "text": "stub, a network that only paints numbers, after 7 steps.",
    "image_size": SIZE,
    "channels": 3,
    "classes": CLASSES,
    "layers": LAYERS,
    "methods": [
        {"name": "deconvnet", "text": "The deconvnet of the paper."},
        {"name": "gradient", "text": "The plain gradient."},
        {"name": "guided", "text": "Guided backpropagation."},
    ],
    "overlaps": ["sum", "max", "last"],
    "samples": 5,
    "rule": "Grey is zero.",
    "gallery": "",
}


def peak(unit: int, layer: dict) -> tuple[int, int]:
    """The place of a unit's maximum."""
    return unit % layer["shape"][0], unit % layer["shape"][1]


def painted(blue: int) -> np.ndarray:
    """A picture uint8 [SIZE, SIZE, 3] in which every pixel tells its row and column."""
    rows, cols = np.mgrid[:SIZE, :SIZE]
    return np.stack([7 * rows, 7 * cols, np.full_like(rows, blue)], axis=-1).astype(np.uint8)


def window(layer: dict, row: int, col: int) -> dict:
    """What a cell sees of the picture."""
    if layer["field"] is None:
        return {"top": 0, "left": 0, "height": SIZE, "width": SIZE}
    (height, down, top), (width, right, left) = layer["field"]
    return {"top": row * down + top, "left": col * right + left, "height": height, "width": width}


class StubServer:
    """A server of its own thread; `asked` holds what it was asked, `delay` slows projections down."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict]] = []
        self.images: dict[str, dict] = {}
        self.delay = 0.0
        self.flying = 0
        self.most_flying = 0
        self.samples = 5
        self.gallery: Path | None = None
        self._serving: tuple[uvicorn.Server, threading.Thread] | None = None
        self.port = 0

    def start(self) -> None:
        config = uvicorn.Config(self._app(), port=self.port, log_level="error", ws="none", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.01)
        self.port = server.servers[0].sockets[0].getsockname()[1]
        self._serving = server, thread

    def stop(self) -> None:
        """Ends as a killed server does: open connections are cut, and all pictures are forgotten."""
        assert self._serving
        server, thread = self._serving
        server.should_exit = server.force_exit = True
        thread.join()
        self.images.clear()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def projected(self) -> list[dict]:
        return [what for name, what in self.asked if name == "project"]

    def _app(self) -> Starlette:
        def route(path: str, work: Callable[[Request], Awaitable[Response]], method: str = "GET") -> Route:
            async def fenced(request: Request) -> Response:
                reply = await work(request)
                reply.headers["Content-Security-Policy"] = CSP
                return reply

            return Route(path, fenced, methods=[method])

        return Starlette(
            routes=[
                route("/", self._page),
                route("/pages/{name}", self._page),
                route("/ready", self._ready),
                route("/arch", self._arch),
                route("/image", self._image, "POST"),
                route("/sample", self._sample, "POST"),
                route("/cover", self._cover, "POST"),
                route("/image/{id}/picture", self._picture),
                route("/image/{id}/maps/{layer}", self._maps),
                route("/project", self._project, "POST"),
                route("/gallery/{name:path}", self._gallery),
            ]
        )

    async def _page(self, request: Request) -> Response:
        return FileResponse(PAGES / request.path_params.get("name", "live.html"))

    async def _ready(self, request: Request) -> Response:
        return JSONResponse({"ready": True, "projections": len(self.projected()), "images": len(self.images)})

    async def _arch(self, request: Request) -> Response:
        return JSONResponse({**ARCH, "samples": self.samples, "gallery": "zf" if self.gallery else ""})

    async def _gallery(self, request: Request) -> Response:
        assert self.gallery
        file = self.gallery / (request.path_params["name"] or "index.html")
        return FileResponse(file) if file.is_file() else JSONResponse({"error": "no such file"}, 404)

    def _hold(self, pixels: np.ndarray, first: int, **more: object) -> Response:
        top = [[(first + i) % len(CLASSES), (0.6, 0.2, 0.1, 0.06, 0.0004)[i]] for i in range(5)]
        image = {"id": f"{len(self.images):032x}", "size": [SIZE, SIZE, 3], "top": top, "name": "", "class": -1, **more}
        self.images[image["id"]] = {"pixels": pixels, "facts": image}
        return JSONResponse(image)

    async def _image(self, request: Request) -> Response:
        body = await request.body()
        self.asked.append(("image", {"bytes": len(body), "type": request.headers["content-type"]}))
        if len(body) < 50:
            return JSONResponse({"error": f"These {len(body)} bytes are no <picture>."}, 415)
        return self._hold(painted(255), 1)

    async def _sample(self, request: Request) -> Response:
        number = (await request.json())["number"]
        self.asked.append(("sample", {"number": number}))
        return self._hold(painted(number), 0, name=f"val {number}", **{"class": 1})

    async def _cover(self, request: Request) -> Response:
        mask = np.frombuffer(await request.body(), np.uint8).reshape(SIZE, SIZE)
        parent = self.images.get(request.query_params["image"])
        if parent is None:
            return JSONResponse({"error": "This picture is no longer held: open it again."}, 410)
        self.asked.append(("cover", {"pixels": int((mask >= 128).sum()), "parent": parent["facts"]["id"]}))
        pixels = np.where(mask[..., None] >= 128, np.uint8(128), parent["pixels"])
        return self._hold(pixels, 3, parent=parent["facts"]["id"])

    async def _picture(self, request: Request) -> Response:
        return Response(self.images[request.path_params["id"]]["pixels"].tobytes())

    async def _maps(self, request: Request) -> Response:
        layer = BY_SLUG[request.path_params["layer"]]
        height, width, channels = layer["shape"]
        units = np.arange(channels)
        levels = np.broadcast_to((units % 200).astype(np.uint8)[:, None, None], (channels, height, width)).copy()
        for unit in range(channels):
            levels[unit][peak(unit, layer)] = 255
        high = (1 + 7 * units % channels).astype("<f4")
        low, places = np.zeros(channels, "<f4"), levels.reshape(channels, -1).argmax(axis=1).astype("<i4")
        body = b"".join(array.tobytes() for array in (high, low, places, levels))
        return Response(body, headers={"X-Zf": json.dumps({"channels": channels, "height": height, "width": width})})

    async def _project(self, request: Request) -> Response:
        asked = await request.json()
        self.asked.append(("project", asked))
        self.flying += 1
        self.most_flying = max(self.most_flying, self.flying)
        await asyncio.sleep(self.delay)
        self.flying -= 1
        if asked["image"] not in self.images:
            return JSONResponse({"error": "This picture is no longer held: open it again."}, 410)
        layer = BY_SLUG[asked["layer"]]
        facts = window(layer, asked["row"], asked["col"])
        colour = asked["unit"] % 256, asked["row"] * 10, asked["col"] * 10
        pixels = np.full((facts["height"], facts["width"], 3), colour, np.uint8)
        number = ",".join(
            f'"{name}": {value}' for name, value in {**facts, "value": 31.2, "gain": 0.5, "ms": 1}.items()
        )
        return Response(pixels.tobytes(), headers={"X-Zf": f"{{{number}}}"})
