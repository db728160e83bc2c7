"""Who may ask: this machine's own page alone. Any page in the same browser can send requests to a loopback port, and a
name that its owner points at 127.0.0.1 can read the answers; that the port is local keeps neither out."""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
TOKEN_HEADER = "x-zf-token"
OPEN_PATHS = ("/", "/pages/")  # the page itself, which then sends the token
KINDS = ("application/json", "application/octet-stream")  # no form and no image of another page can send either
ANSWER_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
}

Headers = Sequence[tuple[bytes, bytes]]


class Refusal(NamedTuple):
    """Why a request is not answered."""

    status: int
    sentence: str


@dataclass(frozen=True)
class Gate:
    """What the server is called. names: as browsers write them. token: "" where the page needs none, on loopback."""

    names: tuple[str, ...]
    port: int
    token: str = ""

    def knows(self, host: str) -> bool:
        """Whether a Host header means this server. With a token any address in numbers will do: no name that a
        stranger owns leads to it."""
        if host in {f"{name}:{self.port}" for name in self.names}:
            return True
        name, _, port = host.rpartition(":")
        return bool(self.token) and port == str(self.port) and _is_number(name)


def refusal(method: str, path: str, headers: Headers, gate: Gate) -> Refusal | None:
    """Why this request gets no answer; None for one that may pass. headers: as ASGI has them, names in lower case."""
    hosts, origins = _all(headers, "host"), _all(headers, "origin")
    if len(hosts) != 1 or not gate.knows(hosts[0]):
        names = ", ".join(f"{name}:{gate.port}" for name in gate.names)
        return Refusal(421, f"this server is known as {names} alone; a tunnel must lead to it from the same port")
    if origins not in ([], [f"http://{hosts[0]}"]):
        return Refusal(403, "another page may not ask here")
    if any(site not in ("same-origin", "none") for site in _all(headers, "sec-fetch-site")):
        return Refusal(403, "another page may not ask here; type the address into the address bar")
    if method not in ("GET", "HEAD", "POST"):
        return Refusal(405, "GET, HEAD and POST are answered here")
    if method == "POST" and [kind.partition(";")[0].strip().lower() for kind in _all(headers, "content-type")] not in (
        [[kind] for kind in KINDS]
    ):
        return Refusal(415, f"the content type of a question is one of {', '.join(KINDS)}")
    if gate.token and not _is_open(path) and not _has_token(headers, gate.token):
        return Refusal(403, "the token is missing or wrong: open the whole address that the program has printed")
    return None


def _all(headers: Iterable[tuple[bytes, bytes]], name: str) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key.lower() == name.encode()]


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _is_open(path: str) -> bool:
    return path == OPEN_PATHS[0] or path.startswith(OPEN_PATHS[1])


def _has_token(headers: Headers, token: str) -> bool:
    given = _all(headers, TOKEN_HEADER)
    return len(given) == 1 and hmac.compare_digest(given[0].encode("latin-1"), token.encode())


class Fence:
    """An ASGI application behind the gate: what may not pass reaches nothing of it, not even its body is read."""

    def __init__(self, app: Any, gate: Gate):
        self._app, self._gate = app, gate

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":  # nothing else is served
            return
        found = refusal(scope["method"], scope["path"], scope["headers"], self._gate)
        fresh = b"no-cache" if scope["path"].startswith(("/pages/", "/gallery/")) else b"no-store"

        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                ours = [(name.encode(), value.encode()) for name, value in ANSWER_HEADERS.items()]
                message["headers"] = [*message["headers"], *ours, (b"cache-control", fresh)]
            await send(message)

        if found is None:
            await self._app(scope, receive, answer)
            return
        body = json.dumps({"error": found.sentence}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await answer({"type": "http.response.start", "status": found.status, "headers": headers})
        await answer({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
