"""Data parallelism: every device holds all parameters and an equal share of each batch."""

from __future__ import annotations

import collections
import functools
import itertools
import os
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from zfjax.errors import InputError


def start() -> None:
    """Starts JAX's devices; raises InputError when there are none of the kind that it was told to use."""
    try:
        jax.devices()
    except (AssertionError, RuntimeError) as error:
        told, why = os.environ.get("JAX_PLATFORMS"), str(error).partition("\n")[0]
        if not told or (why and not why.startswith("Unable to initialize backend")):
            raise
        raise InputError(
            f"JAX_PLATFORMS={told} names devices that do not start here{f' ({why})' if why else ''}; "
            "name a kind that this machine has, such as cpu, or unset it"
        ) from error


def data_mesh(batch_size: int) -> Mesh:
    """All devices in one row, those of a process side by side.

    Raises InputError when a batch cannot be divided among them, and as `start` does.
    """
    start()
    if batch_size % jax.device_count():
        raise InputError(f"batch_size {batch_size} cannot be divided among {jax.device_count()} devices")
    # not make_mesh, which may order devices by how they are wired: each process reads consecutive rows of a batch
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    return Mesh(np.array(devices), ("data",), axis_types=(AxisType.Auto,))


def everywhere(mesh: Mesh) -> NamedSharding:
    """The whole array on every device."""
    return NamedSharding(mesh, PartitionSpec())


def copied(mesh: Mesh, tree: Any) -> Any:
    """Arrays that every process has alike, whole on every device."""
    place = functools.partial(jax.make_array_from_process_local_data, everywhere(mesh))
    return jax.tree.map(lambda leaf: place(np.asarray(leaf)), tree)


def on_device(
    mesh: Mesh, batches: Iterable[dict[str, np.ndarray]], names: Iterable[str], *, ahead: int = 2
) -> Iterator[dict[str, jax.Array]]:
    """The named parts of host batches, divided among the devices along their first axis.

    The next `ahead` batches are on their way while the caller computes with one.
    """
    names, coming = tuple(names), iter(batches)
    queue = collections.deque(share(mesh, batch, names) for batch in itertools.islice(coming, ahead))
    while queue:
        yield queue.popleft()
        queue.extend(share(mesh, batch, names) for batch in itertools.islice(coming, 1))


def share(mesh: Mesh, batch: dict[str, np.ndarray], names: Iterable[str]) -> dict[str, jax.Array]:
    """The named parts of a host batch, divided along their first axis."""
    split = NamedSharding(mesh, PartitionSpec("data"))
    return {name: jax.make_array_from_process_local_data(split, batch[name]) for name in names}
