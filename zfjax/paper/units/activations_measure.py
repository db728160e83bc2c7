"""All maps of a layer for a few images: what the network makes of them on the way up."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np

from zfjax.paper.top_activations import see
from zfjax.runs.run import Run


def layer_maps(run: Run, canvases: np.ndarray, layers: Sequence[str]) -> dict[str, np.ndarray]:
    """{layer: activations [N, h, w, C]} of uint8 canvases [N, S, S, channels]; h = w = 1 for dense layers."""

    @jax.jit
    def look(variables, images):
        activations = see(run.arch, variables, images).activations
        return {layer: activations[layer] for layer in layers}

    # one image at a time: of 96 maps of 110x110 a batch of many would fill the memory that one picture needs
    seen = [look(run.variables, canvas[None]) for canvas in canvases]
    return {layer: np.concatenate([np.asarray(each[layer]) for each in seen]) for layer in layers}
