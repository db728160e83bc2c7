"""How many multiply-adds a network needs, and how many this machine can do: what a rate is a fraction of."""

from __future__ import annotations

import functools
import time

import numpy as np

from zfjax.arch import Arch
from zfjax.layers import AvgPool, Conv, Dense, MaxPool


def projection_mult_adds(arch: Arch, layer: str) -> int:
    """Of one unit in a window of its receptive field: the unit's own filter once, then every layer below it at the
    places of the window (of the map, where the window has outgrown it)."""
    names, total, size = arch.layer_names, 0, 1
    for depth in range(names.index(layer), -1, -1):
        row = arch.rows[depth]
        kind, places = row.layer, min(size, row.shape[0]) ** 2
        match kind:
            case Conv():
                per_place = kind.kernel**2 * row.input_shape[2] // kind.groups
                total += per_place * (1 if kind.name == layer else places * row.shape[2])
                size = (size - 1) * kind.strides + kind.kernel
            case Dense():
                per_unit = int(np.prod(row.input_shape))
                total += per_unit * (1 if kind.name == layer else row.shape[2])
                size = row.input_shape[0]
            case MaxPool() | AvgPool():
                size = (size - 1) * kind.strides + kind.window
    return total


def matmul_rate(size: int = 2048, runs: int = 7) -> dict[str, float]:
    """Multiply-adds a second of float32 matrix products of `size`, {"jax", "torch"}: the best of the runs, in turns."""
    import jax
    import jax.numpy as jnp
    import torch

    left, right = np.random.default_rng(0).standard_normal((2, size, size), dtype=np.float32)
    product = functools.partial(jax.jit(jnp.matmul), jnp.asarray(left), jnp.asarray(right))
    torch_left, torch_right = torch.from_numpy(left), torch.from_numpy(right)
    sides = {"jax": lambda: product().block_until_ready(), "torch": lambda: torch_left @ torch_right}
    seconds = {name: [] for name in sides}
    for _ in range(runs + 1):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            seconds[name].append(time.perf_counter() - start)
    return {name: size**3 / min(times[1:]) for name, times in seconds.items()}


def peak_sentence(rates: dict[str, float]) -> str:
    """Where the rate that "of matmul" is a part of comes from."""
    measured = ", ".join(f"{name} {rate / 1e9:.0f}" for name, rate in rates.items())
    return f"The faster float32 product of 2048 x 2048 is 100 % (measured here, billion multiply-adds/s: {measured})."
