"""The live server in a thread, of a small network that nobody has trained, and plain requests to it."""

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from runs import random_run

import zfjax
from zfjax.arch import Arch
from zfjax.paper.view import View
from zfjax.web.live.app import make_app
from zfjax.web.live.desk import Desk
from zfjax.web.live.facts import facts_of
from zfjax.web.live.fence import LOOPBACK, Fence, Gate
from zfjax.web.live.microscope import Microscope
from zfjax.web.live.serving import bind, listen, server

BYTES = "application/octet-stream"


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def about(self) -> Any:
        """The header X-Zf."""
        return json.loads(self.headers["x-zf"])


class Live(NamedTuple):
    """A server that runs."""

    port: int
    desk: Any  # zfjax.web.live.desk.Desk, of a server in this process
    seen: list[tuple[str, str, int]]  # of every request method, path and status, as soon as it is answered

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(self, path: str, body: bytes | dict | None = None, **headers: str) -> Answer:
        """GET, or POST where there is a body: bytes, or a question in JSON. headers: with _ in place of -."""
        kind = {} if body is None else {"Content-Type": BYTES if isinstance(body, bytes) else "application/json"}
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        named = {**kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET" if body is None else "POST", path, data, named)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()


def noted(app: Any, seen: list) -> Any:
    """The same application, that notes what it has answered."""

    async def note(scope: Any, receive: Any, send: Any) -> None:
        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen.append((scope["method"], scope["path"], message["status"]))
            await send(message)

        await app(scope, receive, answer)

    return note


@contextmanager
def serving(folder: Path, arch: Arch | None = None, *, gallery: Path | None = None, token: str = "") -> Iterator[Live]:
    """A server on a free port within the block, with everything compiled. folder: for its run."""
    workdir = random_run(folder / "run", *([arch] if arch else []))
    view = View(ckpt=str(workdir), run=zfjax.load_run(workdir), out=workdir)
    desk = Desk(Microscope(view.run), facts_of(view, view.source, gallery="run" if gallery else ""), view.source, "val")
    assert [*desk.microscope.prepare()] == desk.microscope.layers
    with bind("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        listen(bound)
        seen: list[tuple[str, str, int]] = []
        answering = server(noted(Fence(make_app(desk, gallery), Gate(LOOPBACK, port, token)), seen))
        thread = threading.Thread(target=answering.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield Live(port, desk, seen)
        finally:
            answering.should_exit = True
            thread.join()
