"""Several processes that train as one: how they find each other, agree, and end when one of them is lost."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import ipaddress
import os
import re
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import jax
import numpy as np
from jax.experimental import multihost_utils

from zfjax.errors import InputError
from zfjax.runtime import devices
from zfjax.runtime.clusters import Place, find_place
from zfjax.runtime.signals import STOPPING, exit_code, obey_interrupts
from zfjax.terminal import say

_START_SECS = 300  # machines of one job may start minutes apart
_SAY_SECS = 30
_HEARTBEAT_SECS = 60  # after so long without a sign of life a process counts as lost
_STOPPED = tuple(map(exit_code, STOPPING))  # all stop after the same step
_TIMEOUTS: dict[str, Any] = {"initialization_timeout": 86400, "heartbeat_timeout_seconds": _HEARTBEAT_SECS}
_COORDINATOR = re.compile(r"([^\s:]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})")


def join(coordinator: str | None = None, count: int | None = None, index: int | None = None) -> None:
    """Connects this process with the others of one training; call it before JAX is used for anything else.

    coordinator: HOST:PORT of process 0; count, index: how many processes there are, and which one this is; a count of
    1 is alone. All None: what Slurm, Open MPI or a TPU pod say (`zfjax.runtime.clusters`); elsewhere the process stays
    alone. Says for whom it waits. Raises InputError for settings that do not fit. Ends the process on Ctrl-C, and when
    the others do not come: JAX knows no other way out of its waiting.
    """
    place, said = find_place(os.environ)
    if count == 1 and index in (None, 0):
        return
    if coordinator is None and count is None and index is None:
        if place:
            _meet(place)
        elif said:
            say(said)
        elif os.environ.get("TPU_WORKER_HOSTNAMES") or importlib.util.find_spec("libtpu"):
            with contextlib.suppress(ValueError):  # none of the kinds of cluster that JAX knows
                _wait("the others of this TPU pod", functools.partial(jax.distributed.initialize, **_TIMEOUTS))
        return
    if coordinator is None or count is None or index is None:
        raise InputError("--coordinator, --num_processes and --process_id belong together: give all three or none")
    if not 0 <= index < count:
        raise InputError(f"--process_id must lie in 0..{count - 1} for --num_processes={count}; got {index}")
    matched = _COORDINATOR.fullmatch(coordinator)
    if not matched or not 0 < int(matched[2]) < 1 << 16:
        raise InputError(f"--coordinator must be HOST:PORT of process 0, not {coordinator!r}")
    _meet(Place(coordinator, count, index, place.local if place else None))


def _meet(place: Place) -> None:
    arguments: dict[str, Any] = {**_TIMEOUTS, "cluster_detection_method": "deactivate"}
    if not os.environ.get("JAX_COORDINATOR_BIND_ADDRESS"):
        arguments["coordinator_bind_address"] = _listening(place.coordinator)
    if place.local is not None and not os.environ.get("JAX_LOCAL_DEVICE_IDS"):
        arguments["local_device_ids"] = [place.local]
    missing = "1" if place.count == 2 else f"up to {place.count - 1}"
    connect = functools.partial(jax.distributed.initialize, place.coordinator, place.count, place.index, **arguments)
    _wait(f"{missing} of {place.count} processes at {place.coordinator}", connect)


def _wait(whom: str, connect: Callable[[], None]) -> None:
    """Runs `connect` beside this thread, which says for whom it waits, hears Ctrl-C, and waits no longer than a while.

    JAX does none of the three, and ends its own waiting with a stack of C++. Raises what `connect` does, and InputError
    for its RuntimeError.
    """
    failed: list[BaseException] = []

    def run() -> None:
        try:
            connect()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        thread.join(1)
        for _ in range(0, _START_SECS, _SAY_SECS):
            if thread.is_alive():
                say(f"waiting for {whom}; --num_processes=1 trains alone", error=True)
                thread.join(_SAY_SECS)
    except KeyboardInterrupt:
        _leave("stopped", exit_code(signal.SIGINT))
    if thread.is_alive():
        _leave(f"error: waited {_START_SECS} s for {whom}; see that all are started and can reach it", 2)
    for error in failed:
        if isinstance(error, RuntimeError):
            raise InputError(f"cannot join {whom}: {_first_line(error)}") from error
        raise error


def _leave(text: str, code: int) -> NoReturn:
    say(text, error=True)
    os._exit(code)


def _listening(coordinator: str) -> str:
    """What process 0 listens on: the address that others were given, or that of the name, where this machine has it.

    Else all of its addresses: where they reach it by another, and where it knows itself by a loopback address.
    """
    host, _, port = coordinator.rpartition(":")
    name = host.strip("[]")
    try:
        addresses = [str(entry[4][0]) for entry in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]
    except OSError:
        addresses = []
    here = [ipaddress.ip_address(address) for address in addresses if _is_here(address)]
    if name == "localhost" or (here and name in addresses):
        return coordinator
    for address in here:
        if not address.is_loopback:
            return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
    return f"[::]:{port}"


def _is_here(address: str) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def leads() -> bool:
    """Whether this process is the one that writes and speaks for all."""
    return jax.process_index() == 0


def from_leader(tree: Any) -> Any:
    """The leader's arrays, as NumPy arrays, in every process; the others give arrays of the same shapes and types."""
    return multihost_utils.broadcast_one_to_all(tree) if jax.process_count() > 1 else tree


def summed(total: np.ndarray) -> np.ndarray:
    """uint64 array added up over the processes."""
    if jax.process_count() == 1:
        return total
    halves = multihost_utils.process_allgather(total.view(np.uint32))  # JAX would cut 64 bits down to 32
    return np.ascontiguousarray(halves).view(np.uint64).sum(axis=0)


@contextmanager
def ending_together() -> Iterator[None]:
    """Starts the devices, and ends this process at once, with one line, when it fails or another one is gone.

    Alone, it lets errors pass. An exit of the usual kind would wait minutes for the others, who wait for this one. They
    notice: a collective operation fails as soon as a connection breaks; where it would hang, JAX's heartbeat ends the
    process.
    """
    try:
        devices.start()
        obey_interrupts()
        yield
    except BaseException as error:
        if not _several() or (isinstance(error, SystemExit) and error.code in _STOPPED):
            raise
        match error:
            case InputError():
                text, code = f"error: {error}", 2
            case SystemExit():
                text, code = str(error), 1
            case ValueError() | RuntimeError() if re.match("[A-Z_]+: ", str(error)):  # XLA's status codes
                text, code = _lost(error), 1
            case _:
                text, code = "".join(traceback.format_exception(error)), 1
        say(*text.split("\n"), error=True)
        os._exit(code)


def _several() -> bool:
    try:
        return jax.process_count() > 1
    except (AssertionError, RuntimeError):  # the devices do not start
        return jax.distributed.is_initialized()


def _lost(error: BaseException) -> str:
    return (
        f"error: process {jax.process_index()} of {jax.process_count()} lost another one, or the device failed "
        f"({_first_line(error)}); start all of them again with the same flags: they go on from the last checkpoint"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
