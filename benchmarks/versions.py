"""What this Python, JAX and NumPy make of ZFNet on the CPU, in one line: python -m benchmarks.versions"""

from __future__ import annotations

import dataclasses
import platform
from dataclasses import dataclass
from importlib import metadata

import numpy as np

from benchmarks.timing import interleave, spread, start


@dataclass(frozen=True)
class Config:
    """Milliseconds of a forward pass with all that projections need, a training step, and projections of conv5."""

    batch_size: int = 16
    """Images of each, and units that are projected, one of each image."""
    runs: int = 5
    """Timed turns."""


def run(config: Config) -> None:
    import functools

    import jax

    from benchmarks import forward, projection, train_step
    from benchmarks.inputs import canvases, crops, network
    from zfjax.convnet import forward as see
    from zfjax.preprocess import Preprocess

    arch, params = network()
    arch = dataclasses.replace(arch, recipe=dataclasses.replace(arch.recipe, learning_rate=1e-4))
    images, count = crops(config.batch_size, arch.image_size), config.batch_size
    seen = jax.jit(functools.partial(see, arch))(params, images)
    units = projection.spread_units(arch, "conv5", np.asarray(seen.activations["conv5"]))
    batch = {
        "image": canvases(count, Preprocess.of(arch).smallest_side),
        "label": np.arange(count, dtype=np.int32),
        "crop": np.zeros((count, 3), np.int32),
    }
    sides = {
        "forward": forward.our_sides(arch, params, images)["zfjax, activations and switches"],
        "training step": train_step.our_step(arch, params, batch),
        "conv5 projections": projection.our_sides(arch, params, images, seen, "conv5", units)["given"],
    }
    seconds = interleave(sides, config.runs)
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("jax", "flax", "numpy"))
    times = "; ".join(f"{name} {spread(each)} ms" for name, each in seconds.items())
    print(f"Python {platform.python_version()}, {versions}, batch {count}: {times}")


if __name__ == "__main__":
    start(Config, run)
