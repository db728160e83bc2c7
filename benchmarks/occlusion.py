"""An occlusion map of one image, ours against Captum's: python -m benchmarks.occlusion"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.timing import COLUMNS, agree, best, interleave, show, start, table
from zfjax.arch import Arch
from zfjax.errors import InputError

LABEL = 7  # the class whose logit is followed


@dataclass(frozen=True)
class Config:
    """Squares a second of Fig. 7's map: one class of one image under a square that moves over it."""

    image_size: int = 224
    """Side of the network's input in pixels."""
    size: int = 50
    """Side of the square in pixels."""
    stride: int = 8
    """Pixels between places of the square."""
    batches: tuple[int, ...] = (16, 32, 64, 128)
    """Squares at a time, of which each side takes what suits it best."""
    runs: int = 7
    """Timed maps of each side."""


def our_side(arch: Arch, params: dict, image: np.ndarray, config: Config, batch: int) -> Callable:
    """The logit for every place, [rows, cols], when it is there."""
    import jax

    from zfjax.attribution.occlusion import network_occlusion_map

    def scores(params, image):
        options = {"size": config.size, "stride": config.stride, "batch_size": batch}
        return network_occlusion_map(arch, params, image, lambda seen: seen.logits[:, LABEL], **options)

    compiled = jax.jit(scores)
    return lambda: jax.block_until_ready(compiled(params, image))


def captum_side(net: Callable, image, config: Config, batch: int) -> Callable:
    """Captum's map: at each pixel, the mean fall of the logit over the squares that cover it, [1, 3, H, W]."""
    import torch
    from captum.attr import Occlusion

    def logit(images):
        return net(images.contiguous(memory_format=torch.channels_last))[:, LABEL]

    method = Occlusion(logit)
    options = {"sliding_window_shapes": (3, config.size, config.size), "strides": (3, config.stride, config.stride)}

    def run():
        with torch.no_grad():
            return method.attribute(image, perturbations_per_eval=batch, **options)

    return run


def captum_corners(length: int, config: Config) -> np.ndarray:
    """Where Captum puts the square: from the border on, the last one cut off."""
    return np.arange(-(-(length - config.size) // config.stride) + 1) * config.stride


def scores(net: Callable, image: np.ndarray, corners: np.ndarray, size: int) -> np.ndarray:
    """By hand: PyTorch's logit with the square's top left corner at every pair of corners, [R, C]; cut off outside."""
    import torch

    from benchmarks.torch_zf import torch_images

    def cover(top: int, left: int) -> np.ndarray:
        covered = image.copy()
        covered[max(0, top) : top + size, max(0, left) : left + size] = 0
        return covered

    with torch.no_grad():
        rows = [net(torch_images(np.stack([cover(top, left) for left in corners])))[:, LABEL] for top in corners]
    return torch.stack(rows).numpy()


def mean_fall(whole: float, scores: np.ndarray, corners: np.ndarray, size: int, length: int) -> np.ndarray:
    """Captum's map from scores: the mean fall over all squares that cover a pixel, [length, length]."""
    covers = (corners[:, None] <= np.arange(length)) & (np.arange(length) < corners[:, None] + size)  # [R, length]
    total = covers.T @ (whole - scores) @ covers
    return total / np.maximum(np.outer(covers.sum(0), covers.sum(0)), 1)


def compare(sides: dict[str, Callable], net, image: np.ndarray, config: Config) -> str:
    """Every side against covering by hand; how far they differ, as a sentence."""
    import torch

    from benchmarks.torch_zf import torch_images
    from zfjax.attribution.occlusion import centres

    ours, *theirs = sides
    middles, corners = np.asarray(centres(len(image), config.stride)), captum_corners(len(image), config)
    by_hand = scores(net, image, middles - config.size // 2, config.size)
    errors = [agree(ours, sides[ours](), by_hand, tolerance=1e-4)]
    with torch.no_grad():
        whole = net(torch_images(image[None]))[0, LABEL].item()
    fall = mean_fall(whole, scores(net, image, corners, config.size), corners, config.size, len(image))
    errors += [agree(name, sides[name]()[0, 0], fall, tolerance=1e-3) for name in theirs]
    return f"Compared first, with squares painted by hand: differences of at most {max(errors):.0e}."


def run(config: Config) -> None:
    import jax
    import torch
    from torch._inductor import config as inductor

    from benchmarks.inputs import crops, network
    from benchmarks.torch_zf import torch_images, torch_net

    if not (1 <= config.size < config.image_size and 1 <= config.stride <= config.size):
        raise InputError(f"--size and --stride must fit {config.image_size}; got {config.size} and {config.stride}")
    inductor.freezing = True
    arch, params = network(config.image_size)
    image = crops(1, arch.image_size)[0]
    net, torch_image = torch_net(arch, params), torch_images(image[None])
    variables = jax.device_put((params, image))
    ours = {batch: our_side(arch, *variables, config, batch) for batch in config.batches}
    theirs = {batch: captum_side(net, torch_image, config, batch) for batch in config.batches}
    trials = (("our", ours), ("Captum's", theirs))
    batches = [best(of, work=lambda _: 1, runs=1, label=f"{who} batch") for who, of in trials]
    compiled = torch.compile(net, dynamic=False)  # three sizes: the whole image, a batch, and the last one
    sides = {
        "zfjax": ours[batches[0]],
        "Captum": theirs[batches[1]],
        "Captum on torch.compile": captum_side(compiled, torch_image, config, batches[1]),
    }
    agreement = compare(sides, net, image, config)
    seconds = interleave(sides, config.runs, label="occlusion maps")
    places = [sides["zfjax"]().size, *[len(captum_corners(len(image), config)) ** 2] * 2]
    per_square = {name: times / count for (name, times), count in zip(seconds.items(), places, strict=True)}
    rows = table(per_square, work=1, unit="squares")
    whole = [f"{np.median(times):.3g} s" for times in seconds.values()]
    show(
        f"Occlusion map of {arch.name} at {arch.image_size}, square {config.size}, stride {config.stride}, float32",
        ("side", "squares", "whole map", *COLUMNS),
        [(row[0], str(count), time, *row[1:]) for row, count, time in zip(rows, places, whole, strict=True)],
        f"Medians, quartiles, rates and ratios are of one square, since the maps differ: zfjax centres the square on "
        f"every {config.stride}th pixel, Captum keeps it inside the image. Squares at a time, the best of "
        f"{', '.join(map(str, config.batches))}: zfjax {batches[0]}, Captum {batches[1]}.",
        agreement,
    )


if __name__ == "__main__":
    start(Config, run, needs=("torch", "captum"))
