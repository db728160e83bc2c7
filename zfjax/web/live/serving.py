"""The server's socket and its life: bound, printed, opened in the browser, ended by Ctrl-C."""

from __future__ import annotations

import errno
import logging
import socket
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from zfjax.errors import InputError, why
from zfjax.terminal import say

BACKLOG = 512
GRACE_SECS = 1  # for answers that are on their way when the server is ended


def bind(host: str, port: int) -> socket.socket:
    """A socket that has its port, and does not listen yet; port 0: any free one.

    Raises InputError for a port that is taken and an address that this machine does not have.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio lets small answers go at once (TCP_NODELAY) where the protocol is named alone; else each waits 40 ms
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with _named(host, port):
            found.bind((host, port))
    except BaseException:
        found.close()
        raise
    return found


def serve(app: Any, bound: socket.socket, address: str, *, browser: bool) -> None:
    """Prints the address, opens it in a browser if asked for, and answers until Ctrl-C, which raises KeyboardInterrupt.

    Raises InputError where another program began to listen at the port in the meantime.
    """
    listen(bound)
    say(f"open {address}", "Ctrl-C ends it")
    if browser:
        threading.Thread(target=_open, args=(address,), daemon=True).start()
    server(app).run(sockets=[bound])


def listen(bound: socket.socket) -> None:
    """From now on connections are taken; raises InputError where another program took the port in the meantime."""
    with _named(*bound.getsockname()[:2]):
        bound.listen(BACKLOG)


def server(app: Any) -> uvicorn.Server:
    """Its `run` answers at the sockets that it is given, until a signal, or until its `should_exit` is set."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        loop="asyncio",
        http="h11",  # refuses two Host headers, and HTTP/1.1 without one
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECS,
    )
    made = uvicorn.Server(config)  # which sets up its log
    logging.getLogger("uvicorn.error").addFilter(lambda record: not record.getMessage().startswith("Cancel "))
    return made


@contextmanager
def _named(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"--port={port} is taken by another program; give another number, or 0 for any") from error
        raise InputError(f"cannot serve at {host}, port {port} ({why(error)}); leave --host and --port out") from error


def _open(address: str) -> None:
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    if type(browser) is not webbrowser.GenericBrowser:  # one in the terminal, which would take it away from us
        browser.open(address)
