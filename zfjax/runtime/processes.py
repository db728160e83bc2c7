"""Several processes that train as one: how they find each other, agree, and end when one of them is lost."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from zfjax.errors import InputError
from zfjax.runtime import devices
from zfjax.runtime.signals import STOPPING, exit_code

# Where one of these is set, or libtpu installed, JAX may find the other processes by itself.
_CLUSTER_VARIABLES = ("SLURM_STEP_NODELIST", "OMPI_MCA_orte_hnp_uri", "TPU_WORKER_HOSTNAMES")
_START_SECS = 300  # machines of one job may start minutes apart
_HEARTBEAT_SECS = 60  # after so long without a sign of life a process counts as lost
_STOPPED = tuple(map(exit_code, STOPPING))  # all stop after the same step


def join(coordinator: str | None = None, count: int | None = None, index: int | None = None) -> None:
    """Connects this process with the others of one training; call it before JAX is used for anything else.

    coordinator: HOST:PORT of process 0; count, index: how many processes there are, and which one this is. All None:
    what JAX finds on a TPU pod, under Slurm or Open MPI; elsewhere the process stays alone.
    Raises InputError for settings that do not fit, and when the others do not come.
    """
    timeouts: dict[str, Any] = {"initialization_timeout": _START_SECS, "heartbeat_timeout_seconds": _HEARTBEAT_SECS}
    if coordinator is None and count is None and index is None:
        if not (any(map(os.environ.get, _CLUSTER_VARIABLES)) or importlib.util.find_spec("libtpu")):
            return
        try:
            jax.distributed.initialize(**timeouts)
        except ValueError:
            return  # none of the kinds of cluster that JAX knows
        except RuntimeError as error:
            raise InputError(f"cannot join the other processes: {_first_line(error)}") from error
        return
    if coordinator is None or count is None or index is None:
        raise InputError("--coordinator, --num_processes and --process_id belong together: give all three or none")
    if not 0 <= index < count:
        raise InputError(f"--process_id must lie in 0..{count - 1} for --num_processes={count}; got {index}")
    if not coordinator.rpartition(":")[2].isdigit() or not coordinator.rpartition(":")[0]:
        raise InputError(f"--coordinator must be HOST:PORT of process 0, not {coordinator!r}")
    try:
        jax.distributed.initialize(coordinator, count, index, **timeouts)
    except RuntimeError as error:
        raise InputError(f"process {index} of {count} cannot join {coordinator}: {_first_line(error)}") from error


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
        print(text, file=sys.stderr, flush=True)
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
