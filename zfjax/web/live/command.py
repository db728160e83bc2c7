"""The live microscope as a command: what it is told, and in which order it gets ready."""

from __future__ import annotations

import importlib.util
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zfjax.errors import InputError
from zfjax.runtime.files import own_folder
from zfjax.runtime.signals import exit_code
from zfjax.terminal import meter, say
from zfjax.web.live.fence import LOOPBACK, Fence, Gate
from zfjax.web.live.worker import Worker

if TYPE_CHECKING:
    from zfjax.data import Source
    from zfjax.paper.view import View
    from zfjax.web.live.desk import Desk

NEEDED = ("starlette", "uvicorn")
ANY_ADDRESS = ("0.0.0.0", "[::]")
LEAVE_SECS = 0.3  # for what is being computed when Ctrl-C ends the program


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is looked at, and where it is served."""

    ckpt: str
    """Run folder."""
    dataset: str | None = None
    """Data set whose images can be shown; None: the one that the network was trained on, if it is there."""
    data_dir: str | None = None
    """Where TFDS keeps its data sets; None: ~/tensorflow_datasets."""
    class_map: str | None = None
    """File that says which of the network's classes each of the data set's is: a line each, its name, a tab, the
    network's; None: by name, or as ImageNet's by WordNet number."""
    step: int | None = None
    """Checkpoint to take; None: the newest."""
    port: int = 0
    """Port to serve at; 0: any free one."""
    browser: bool = True
    """Open the page in the browser."""
    host: str = "127.0.0.1"
    """Address of this machine to serve at. Any but loopback needs --yes_expose."""
    yes_expose: bool = False
    """Let other machines in: whoever has the address that is printed, with the token in it, and whoever reads along on
    the network, for nothing is encrypted. ssh -L PORT:127.0.0.1:PORT is better."""


def explore(options: Options, start: Callable[[], None]) -> None:
    """Gets everything ready, then serves until Ctrl-C. start: what every command does before it computes.

    Raises InputError for missing packages, a wrong run, data set or address, and KeyboardInterrupt on Ctrl-C.
    """
    _check(options)
    from zfjax.web.live.app import make_app
    from zfjax.web.live.microscope import METHODS
    from zfjax.web.live.serving import bind, serve

    with bind(options.host, options.port) as bound:
        start()
        gate, address = _gate(options, bound.getsockname()[1])
        folder = own_folder(own_folder(Path(options.ckpt) / "figures") / "gallery")
        has_gallery = not gate.token and (folder / "index.html").is_file()  # its pictures send no token
        desk = _desk(options, folder if has_gallery else None)
        others = Worker(most=1)
        try:
            _prepare(desk)
            # beside what is asked: a first click by another method would wait seconds for its program
            others.submit(lambda: [*desk.microscope.prepare([*METHODS][1:])])
            app = Fence(make_app(desk, folder if desk.gallery else None), gate)
            serve(app, bound, address, browser=options.browser and not gate.token)
        except KeyboardInterrupt:
            _leave_if_busy(desk.worker, others)
            raise


def _check(options: Options) -> None:
    """What can be known before anything is loaded."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise InputError(f"{missing[0]} is missing, which serves the page: pip install '.[explore]'")
    if options.host not in (*LOOPBACK, "::1") and not options.yes_expose:
        raise InputError(
            f"--host={options.host} would let other machines in; leave it out, and reach this one by "
            "ssh -L PORT:127.0.0.1:PORT, or add --yes_expose"
        )


def _desk(options: Options, folder: Path | None) -> Desk:
    """The run, its images and what is told of them. folder: a gallery's, which may be of other weights."""
    from zfjax.paper.view import View
    from zfjax.runs.run import load_run
    from zfjax.web.live.desk import Desk
    from zfjax.web.live.facts import facts_of
    from zfjax.web.live.gallery import slug_in
    from zfjax.web.live.microscope import Microscope

    view = View(
        ckpt=options.ckpt,
        run=load_run(options.ckpt, options.step),
        out=Path(),
        dataset_name=options.dataset,
        data_dir=options.data_dir,
        class_map=options.class_map,
    )
    source = _source(view)
    title = "val" if source is not None and view.split_name(source) else "image"
    labelled = source is not None and view.dataset.class_names == view.run.class_names
    gallery = slug_in(folder, view.run) if folder else ""
    if folder and not gallery:
        say(f"{folder} is of other weights or of another version, and not shown; make it again", error=True)
    return Desk(Microscope(view.run), facts_of(view, source, gallery=gallery), source, title, labelled)


def _source(view: View) -> Source | None:
    """The images to show, if there are any: those that the run was trained on may be elsewhere."""
    if not view.has_dataset:
        return None
    try:
        return view.source
    except InputError as error:
        if view.dataset_name:
            raise
        say(f"without images of the data set: {error}", error=True)
        return None


def _prepare(desk: Desk) -> None:
    """Compiles everything that a click needs, in the thread that will run it, and shows how far it is."""
    steps = desk.microscope.prepare()
    with meter(total=len(desk.microscope.layers), desc="compiling", unit=" layers", leave=False) as bar:
        while desk.worker.submit(lambda: next(steps, None)).result():
            bar.update()


def _gate(options: Options, port: int) -> tuple[Gate, str]:
    """Who may ask, and the address that is printed."""
    name = f"[{options.host}]" if ":" in options.host else options.host
    if name in LOOPBACK:
        return Gate(LOOPBACK, port), f"http://{name}:{port}/"
    token, name = secrets.token_urlsafe(16), socket.gethostname() if name in ANY_ADDRESS else name
    return Gate((name, *LOOPBACK), port, token), f"http://{name}:{port}/#token={token}"


def _leave_if_busy(*workers: Worker) -> None:
    """Ends the program where a thread computes and would keep it: a compilation can take many seconds."""
    end = time.monotonic() + LEAVE_SECS
    while not all(worker.idle for worker in workers):
        if time.monotonic() > end:
            say("stopped", error=True)
            os._exit(exit_code(signal.SIGINT))
        time.sleep(0.01)
