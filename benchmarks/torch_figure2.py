"""Fig. 2 as a PyTorch script with Captum would make it: what figure2.py compares with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn

from benchmarks.projection import captum_side
from benchmarks.torch_zf import torch_images
from zfjax.paper.top_activations import Winners
from zfjax.runs.run import Run


def crop(run: Run, images: np.ndarray) -> torch.Tensor:
    """The centres of uint8 canvases [N, S, S, 3], mean removed: [N, 3, size, size] in channels_last."""
    visible = run.preprocess.visible
    return torch_images(visible(images).astype(np.float32) - visible(run.mean))


def search(
    net: nn.Sequential, run: Run, batches: Iterable[dict], layers: Sequence[str], top: int
) -> dict[str, Winners]:
    """The `top` strongest activations of every map, at most one an image: what zfjax.paper.top_activations finds."""
    best: dict[str, list[torch.Tensor]] = {}
    with torch.no_grad():
        for batch in batches:
            x, index = crop(run, batch["image"]), torch.from_numpy(batch["index"]).int()
            mask = torch.from_numpy(batch["mask"])
            for name, module in net.named_children():
                x = module(x)
                layer = name.removesuffix("_relu")
                if name.endswith("_relu") and layer in layers:
                    best[layer] = _compete(best.get(layer), x[mask], index[mask], top)
                    if layer == layers[-1]:
                        break  # nothing above is wanted
    return {layer: _winners(columns, run.arch.shapes()[layer][1]) for layer, columns in best.items()}


def _compete(old: list[torch.Tensor] | None, x: torch.Tensor, index: torch.Tensor, top: int) -> list[torch.Tensor]:
    """Value, image and place of the best so far, each [top, maps]."""
    value, place = x.permute(0, 2, 3, 1).flatten(1, 2).max(dim=1)  # [N, maps]
    new = [value, index[:, None].expand_as(value), place]
    both = [torch.cat(pair) for pair in zip(old, new, strict=True)] if old else new
    first = both[0].topk(min(top, len(both[0])), dim=0).indices
    return [column.gather(0, first) for column in both]


def _winners(columns: list[torch.Tensor], width: int) -> Winners:
    value, image, place = (column.T.numpy() for column in columns)
    return Winners(value, image, place // width, place % width)


def project(
    net: nn.Sequential, run: Run, canvases: np.ndarray, layer: str, winners: Winners, number: int
) -> np.ndarray:
    """One map's winners, each down to its whole image, all in one call to Captum: [top, S, S, 3].

    canvases: uint8, the winners' images. The seed is the activation, as in zfjax's.
    """
    count = len(canvases)
    units = {"channel": np.full(count, number), "row": winners.row[number], "col": winners.col[number]}
    gradients = captum_side(net, crop(run, canvases), layer, units, count, cut=True)()
    return gradients.permute(0, 2, 3, 1).numpy() * winners.value[number][:, None, None, None]
