"""What bfloat16 does to switches and to projections of a run: python -m benchmarks.bfloat16 --ckpt=RUN"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.cli.flags import parse_flags
from zfjax.convnet import forward
from zfjax.data import open_for
from zfjax.deconvnet import project, strongest
from zfjax.errors import exit_on_bad_input
from zfjax.runs.run import load_run
from zfjax.terminal import say


@dataclass(frozen=True)
class Config:
    """Compares a network in bfloat16 with itself in float32: the places of the pools' maxima, and pictures."""

    ckpt: str
    """Run folder."""
    images: int = 64
    """The first so many validation images."""
    layer: str = "conv5"
    """Whose strongest place in each image is projected, of the map that responds most."""


def main() -> None:
    config = parse_flags(Config)
    with exit_on_bad_input():
        run = load_run(config.ckpt)
        source = open_for(run).val
        canvases = np.stack([source[number]["image"] for number in range(min(config.images, len(source)))])
        images = run.preprocess.centre(jnp.asarray(canvases))
        whole, half = (_look(run.arch, run.params, images, kind) for kind in (jnp.float32, jnp.bfloat16))
        for pool, switches in whole.switches.items():
            say(f"{pool}: {100 * float(jnp.mean(switches != half.switches[pool])):.2f} % of the switches differ")
        channels = whole.activations[config.layer].max((0, 1, 2)).argmax()[None]
        units = strongest(whole, config.layer, channels)
        pictures = [
            np.asarray(project(run.arch, _cast(run.params, seen.logits.dtype), seen, config.layer, units).pixels, float)
            for seen in (whole, half)
        ]
        peaks = np.abs(pictures[0]).max(axis=(1, 2, 3))
        lit = peaks > 0
        apart = np.abs(pictures[1] - pictures[0]).max(axis=(1, 2, 3))[lit] / peaks[lit]
        say(
            f"{config.layer}: {lit.sum()} pictures differ by up to {100 * apart.max():.0f} % of their peak, "
            f"by {100 * np.median(apart):.0f} % in the median"
        )


def _cast(params: Any, dtype: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.astype(dtype), params)


def _look(arch: Any, params: Any, images: jax.Array, dtype: Any) -> Any:
    return forward(arch, _cast(params, dtype), images.astype(dtype))


if __name__ == "__main__":
    main()
