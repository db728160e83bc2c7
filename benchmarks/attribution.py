"""Attribution methods, ours against Captum's of the same name: python -m benchmarks.attribution"""

from __future__ import annotations

import ctypes
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.timing import agree, best, interleave, show, spread, start
from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.layers import Conv

# A method's random numbers are each side's own: its maps are not compared, and both take as many gradients.
RANDOM = ("smoothgrad", "vargrad", "expected_gradients")
AVERAGES = (*RANDOM, "integrated_gradients")
METHODS = ("gradient", "gradient_x_input", "deconvolve", "guided_backprop", *AVERAGES, "grad_cam", "guided_grad_cam")
TOLERANCE = 2e-2  # where rounding turns a switch or a rectifier, one path of many changes
NOISE, REFERENCES = 0.15, 4
COLUMNS = ("method", "Captum", "zfjax", "ratio", "batches", "Captum's memory", "zfjax's", "difference")
MIB = 2**20


@dataclass(frozen=True)
class Config:
    """Milliseconds an image of attribution methods, each image for a class of its own, and the memory they take."""

    arch: str = "zf"
    """Architecture, a chain that PyTorch can copy: zf, zf-mini, alexnet."""
    image_size: int = 224
    """Side of the network's input in pixels."""
    images: int = 8
    """Images, each explained once."""
    samples: int = 16
    """Copies of an image in methods that average over noise, or along a path."""
    layer: str = "conv5"
    """Layer of Grad-CAM."""
    methods: str = ",".join(METHODS)
    """Methods, with commas between."""
    batches: tuple[int, ...] = (2, 8, 16)
    """Images or copies at a time, of which each side takes what suits it best."""
    runs: int = 5
    """Timed rounds of each side."""


def our_side(method: str, arch: Arch, variables: tuple, config: Config, batch: int) -> Callable:
    """A function that returns a method's maps, [N, H, W, C] or [N, H, W], when they are there."""
    import jax

    compiled = jax.jit(functools.partial(explain, method, arch, config=config, batch=batch))
    return lambda: jax.block_until_ready(compiled(*variables))


def explain(method: str, arch: Arch, params: dict, images, targets, references, *, config: Config, batch: int):
    """One method as a function of arrays."""
    import jax

    from zfjax.attribution import deconvolve, gradients
    from zfjax.attribution.grad_cam import grad_cam, guided_grad_cam, halves
    from zfjax.attribution.targets import in_batches, scores
    from zfjax.convnet import forward

    def logits(images):
        return forward(arch, params, images).logits

    def signals(images, targets, rule):
        return rule(lambda images: scores(logits, targets)(images).sum(), others="gradient")(images)

    def by_rule(name):
        return in_batches(functools.partial(signals, rule=getattr(deconvolve, name)), (images, targets), batch)

    cut = (*halves(arch, params, config.layer), images, targets)
    given, noise = (logits, images, targets), {"key": jax.random.key(0), "samples": config.samples}
    match method:
        case "gradient" | "gradient_x_input":
            return getattr(gradients, method)(*given, batch_size=batch)
        case "smoothgrad" | "vargrad":
            return getattr(gradients, method)(*given, **noise, noise=NOISE, batch_size=batch)
        case "expected_gradients":
            return gradients.expected_gradients(*given, **noise, references=references, batch_size=batch)
        case "integrated_gradients":
            return gradients.integrated_gradients(*given, steps=config.samples, batch_size=batch).attributions
        case "grad_cam":
            return grad_cam(*cut, batch_size=batch)
        case "guided_grad_cam":
            return guided_grad_cam(*cut, by_rule("guided_backprop"), batch_size=batch)
        case "deconvolve" | "guided_backprop":
            return by_rule(method)
    raise AssertionError(method)


def memory(side: Callable) -> float:
    """MiB by which a run enlarges resident memory at its highest, what was free given back before; Linux alone."""
    side()
    ctypes.CDLL(None).malloc_trim(0)
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the highest so far becomes what there is now
    side()
    return (_resident("VmHWM") - before) / MIB


def _resident(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert found
    return 1024 * int(found[1])


def measure(method: str, ours: dict[int, Callable], theirs: dict[int, Callable], config: Config) -> tuple[str, ...]:
    """A method's row of the table, after the maps of both sides were compared. ours, theirs: by batch."""
    batches = {
        who: best(sides, work=lambda _: 1, runs=1, label=f"{method}: {who}'s batch")
        for who, sides in (("Captum", theirs), ("zfjax", ours))
    }
    sides = {"Captum": theirs[batches["Captum"]], "zfjax": ours[batches["zfjax"]]}
    difference = "-"
    if method not in RANDOM:
        found, expected = (np.asarray(side()) for side in (sides["zfjax"], sides["Captum"]))
        expected = expected.transpose(0, 2, 3, 1).reshape(found.shape)
        difference = f"{agree(method, found, expected, tolerance=TOLERANCE):.0e}"
    seconds = {name: times / config.images for name, times in interleave(sides, config.runs, label=method).items()}
    ratio = f"{np.median(seconds['Captum'] / seconds['zfjax']):.2f}"
    peaks = [f"{memory(side):,.0f} MiB" for side in sides.values()]
    taken = f"{batches['Captum']}, {batches['zfjax']}"
    return method, spread(seconds["Captum"]), spread(seconds["zfjax"]), ratio, taken, *peaks, difference


def run(config: Config) -> None:
    import jax

    from benchmarks import captum_methods
    from benchmarks.inputs import crops, network
    from benchmarks.torch_zf import torch_net

    methods = config.methods.split(",")
    if unknown := [name for name in methods if name not in METHODS]:
        raise InputError(f"unknown method {unknown[0]!r}; there are {', '.join(METHODS)}")
    if min(config.images, config.samples, *config.batches) < 1:
        raise InputError(f"--images, --samples and --batches must be at least 1, not {config}")
    arch, params = network(config.image_size, config.arch)
    layer = arch.row(config.layer).layer
    if not (isinstance(layer, Conv) and layer.relu):
        raise InputError(f"--layer must be a convolution with a ReLU, not {config.layer}")
    pictures = crops(config.images + REFERENCES, arch.image_size)
    images, references = pictures[: config.images], pictures[config.images :]
    targets = np.arange(config.images) % arch.num_classes
    try:
        net = torch_net(arch, params)
    except ValueError as error:
        raise InputError(f"--arch={config.arch} cannot be compared: {error}") from None
    theirs = captum_methods.task(net, images, targets, references, config.layer, samples=config.samples, noise=NOISE)
    variables = jax.device_put((params, images, targets, references))
    rows = []
    for method in methods:
        captum = {batch: captum_methods.side(captum_methods.METHODS[method], theirs, batch) for batch in config.batches}
        ours = {batch: our_side(method, arch, variables, config, batch) for batch in config.batches}
        rows.append(measure(method, ours, captum, config))
    show(
        f"Attribution of {config.images} images by {arch.name} at {arch.image_size}, float32, {config.samples} copies "
        "of each where a method takes several",
        COLUMNS,
        rows,
        "Times: milliseconds an image, median (quartiles). ratio: how many times as fast as Captum. batches: images or "
        f"copies at a time, Captum's and ours, the best of {', '.join(map(str, config.batches))} for each. Memory: by "
        "how much a run enlarges resident memory at its highest. Captum in channels_last: Saliency, InputXGradient, "
        "NoiseTunnel, GradientShap (all copies of an image at once), IntegratedGradients, LayerGradCam and its "
        f"interpolation of {config.layer}, GuidedGradCam of it, Deconvolution and GuidedBackprop.",
        "difference: of all maps, compared first; where rounding turns a switch or a rectifier a path of many changes. "
        "None where the methods draw random numbers.",
    )


if __name__ == "__main__":
    start(Config, run, needs=("torch", "captum"))
