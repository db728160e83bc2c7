"""Data parallelism: every device holds all parameters and an equal share of each batch."""

from __future__ import annotations

from collections.abc import Iterable

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from zfjax.errors import InputError


def data_mesh(batch_size: int) -> Mesh:
    """All devices in one row; raises InputError when a batch cannot be divided among them."""
    if batch_size % jax.device_count():
        raise InputError(f"batch_size {batch_size} cannot be divided among {jax.device_count()} devices")
    return jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))


def everywhere(mesh: Mesh) -> NamedSharding:
    """The whole array on every device."""
    return NamedSharding(mesh, PartitionSpec())


def share(mesh: Mesh, batch: dict[str, np.ndarray], names: Iterable[str]) -> dict[str, jax.Array]:
    """The named parts of a host batch, divided along their first axis."""
    split = NamedSharding(mesh, PartitionSpec("data"))
    return {name: jax.make_array_from_process_local_data(split, batch[name]) for name in names}
