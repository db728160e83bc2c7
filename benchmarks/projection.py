"""Single units down to pixels, ours against Captum: python -m benchmarks.projection --units=64"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.operations import projection_mult_adds
from benchmarks.timing import agree, best, interleave, show, spread, start
from zfjax.arch import Arch

TOLERANCE = 1e-4
CONVOLUTIONS = ("conv1", "conv2", "conv3", "conv4", "conv5")
COLUMNS = (
    "layer",
    "Captum",
    "zfjax with forward",
    "zfjax alone",
    "ratio with",
    "ratio alone",
    "million mult-adds",
    "Captum's batch",
    "difference",
)


@dataclass(frozen=True)
class Config:
    """Milliseconds a unit of the deconvnet: each unit in an image of its own, spread over maps and places."""

    units: int = 64
    """Units of a layer, each of another image."""
    layers: str = ",".join(CONVOLUTIONS)
    """Layers, with commas between."""
    image_size: int = 224
    """Side of the network's input in pixels."""
    cut: bool = False
    """Give Captum the network cut off above the layer; else it passes through all of it, as it does for its users."""
    runs: int = 7
    """Timed rounds of each side."""


def spread_units(arch: Arch, layer: str, activations: np.ndarray) -> dict[str, np.ndarray]:
    """One responding unit of every image, maps and places at random: int arrays [N]."""
    rng = np.random.default_rng(3)
    height, width, channels = arch.shapes()[layer]
    places = np.array([rng.choice(np.flatnonzero(image > 0)) for image in activations])
    row, rest = np.divmod(places, width * channels)
    return {"image": np.arange(len(places)), "channel": rest % channels, "row": row, "col": rest // channels}


def our_sides(arch: Arch, params: dict, images, seen, layer: str, units: dict) -> dict[str, Callable]:
    """Given the forward pass, and with it: functions that return a Projection when it is there."""
    import jax

    from zfjax.convnet import forward
    from zfjax.deconvnet import Units, project

    down = jax.jit(functools.partial(project, arch, layer=layer, seed="one"))
    both = jax.jit(
        lambda params, images, units: project(arch, params, forward(arch, params, images), layer, units, seed="one")
    )
    units = Units(**units)
    return {
        "given": lambda: jax.block_until_ready(down(params, seen, units=units)),
        "whole": lambda: jax.block_until_ready(both(params, images, units)),
    }


def captum_side(net, images, layer: str, units: dict, batch: int, *, cut: bool) -> Callable:
    """Captum's gradients of all units to whole images, [N, 3, S, S], `batch` images at a time."""
    import torch
    from captum.attr import NeuronDeconvolution

    names = [name for name, _ in net.named_children()]
    last = names.index(f"{layer}_relu")
    method = NeuronDeconvolution(net[: last + 1] if cut else net, net[last])
    where = {name: torch.from_numpy(np.array(index)) for name, index in units.items()}

    def run() -> torch.Tensor:
        parts = []
        for first in range(0, len(images), batch):
            some = slice(first, first + batch)
            channel, row, col = (where[name][some] for name in ("channel", "row", "col"))

            def pick(out, channel=channel, row=row, col=col):
                return out[torch.arange(len(out)), channel, row, col]

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "Setting backward hooks on ReLU activations."
                parts.append(
                    method.attribute(images[some].contiguous(memory_format=torch.channels_last), pick).detach()
                )
        return torch.cat(parts)

    return run


def compare(arch: Arch, projection, theirs, layer: str) -> str:
    """How far the pictures of the units lie apart; SystemExit when more than rounding is between them.

    Where two values of a pooling window, or a value and zero, lie closer than float32's rounding, the sides may decide
    differently, and one path of many changes: that may be seen in one unit of sixteen, and nowhere strongly.
    """
    from zfjax.deconvnet import paste

    ours = np.asarray(paste(projection, arch.image_size))
    pairs = zip(ours, theirs.permute(0, 2, 3, 1).numpy(), strict=True)
    errors = np.array([agree(f"{layer}, unit {unit}", *pair, tolerance=2e-2) for unit, pair in enumerate(pairs)])
    turned = int((errors > TOLERANCE).sum())
    if turned > len(errors) / 16:
        raise SystemExit(f"error: {layer}: {turned} of {len(errors)} units differ by more than {TOLERANCE:.0e}")
    return f"{errors[errors <= TOLERANCE].max():.0e}" + (f"; {turned}: {errors.max():.0e}" if turned else "")


def measure(
    arch: Arch, params: dict, images: np.ndarray, seen, net, layer: str, *, runs: int, cut: bool
) -> tuple[str, ...]:
    """One layer's row of the table, after the pictures were compared."""
    from benchmarks.torch_zf import torch_images

    units, theirs = spread_units(arch, layer, np.asarray(seen.activations[layer])), torch_images(images)
    captum = functools.partial(captum_side, net, cut=cut)
    trials = {
        size: captum(theirs[:size], layer, {name: index[:size] for name, index in units.items()}, size)
        for size in (1, 4, 16, 64)
        if size <= len(images)
    }
    batch = best(trials, work=float, label=f"{layer}: Captum's batch")
    sides = {"Captum": captum(theirs, layer, units, batch)}
    sides |= our_sides(arch, params, images, seen, layer, units)
    difference = compare(arch, sides["given"](), sides["Captum"](), layer)
    seconds = {name: times / len(images) for name, times in interleave(sides, runs, label=layer).items()}
    ratios = [f"{np.median(seconds['Captum'] / seconds[name]):.1f}" for name in ("whole", "given")]
    times = [spread(seconds[name]) for name in ("Captum", "whole", "given")]
    return layer, *times, *ratios, f"{projection_mult_adds(arch, layer) / 1e6:.3g}", str(batch), difference


def run(config: Config) -> None:
    import jax

    from benchmarks.inputs import crops, network
    from benchmarks.torch_zf import PassedByNorm, torch_net
    from zfjax.convnet import forward

    arch, params = network(config.image_size)
    layers = arch.select(config.layers)  # raises InputError for an unknown one, before any is timed
    images = crops(config.units, arch.image_size)
    net = torch_net(arch, params, norm=PassedByNorm)
    params, images_there = jax.device_put((params, images))
    seen = jax.jit(functools.partial(forward, arch))(params, images_there)
    options = {"runs": config.runs, "cut": config.cut}
    rows = [measure(arch, params, images, seen, net, layer, **options) for layer in layers]
    passed = "on the network cut off above the layer" if config.cut else "on the whole network"
    show(
        f"Projection of {config.units} units of {arch.name} at {arch.image_size}, each of an image of its own, float32",
        COLUMNS,
        rows,
        f"Times: milliseconds a unit, median (quartiles). Captum: NeuronDeconvolution in channels_last, {passed}, with "
        "the batch (of 1, 4, 16, 64) that suits it best; it takes a forward pass for every call. zfjax alone: the "
        "forward pass is given, as when many units of the same images are projected; Captum cannot use one.",
        "Contrast normalisation on the way up, passed by on the way down, on both sides. difference: of the worst "
        "unit's whole picture, compared first; then how many units have a switch or a rectifier that rounding turned, "
        "and the worst of these.",
        "million multiply-adds: what a unit needs in the window of its receptive field, forward pass not counted.",
    )


if __name__ == "__main__":
    start(Config, run, needs=("torch", "captum"))
