"""ZFNet's forward pass, ours against PyTorch's: python -m benchmarks.forward --batch_size=64"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.timing import COLUMNS, agree, interleave, show, start, table
from zfjax.arch import Arch


@dataclass(frozen=True)
class Config:
    """Images a second of a forward pass: logits alone, and with all that projections need."""

    batch_size: int = 64
    """Images of a pass."""
    image_size: int = 224
    """Side of the network's input in pixels."""
    runs: int = 7
    """Timed passes of each side."""
    compile: bool = True
    """Whether torch.compile takes part; it needs a C++ compiler and a minute."""


def our_sides(arch: Arch, params: dict, images: np.ndarray) -> dict[str, Callable[[], tuple]]:
    """The logits; and with them every activation and switch: functions that return when these are there."""
    import jax

    from zfjax.convnet import forward

    params, images = jax.device_put((params, images))
    logits = jax.jit(lambda params, images: forward(arch, params, images).logits)
    whole = jax.jit(lambda params, images: forward(arch, params, images))
    return {
        "zfjax": lambda: jax.block_until_ready(logits(params, images)),
        "zfjax, activations and switches": lambda: jax.block_until_ready(whole(params, images)),
    }


def torch_sides(arch: Arch, params: dict, images: np.ndarray, compiled: bool) -> dict[str, Callable[[], tuple]]:
    """The same in PyTorch, channels_last, without gradients."""
    import torch
    from torch._inductor import config

    from benchmarks.torch_zf import torch_images, torch_net

    config.freezing = True  # weights as constants in oneDNN's own layout, its fastest form for inference
    net, images = torch_net(arch, params), torch_images(images)

    def see(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        kept = []
        for module in net:
            if isinstance(module, torch.nn.MaxPool2d):
                options = {"ceil_mode": module.ceil_mode, "return_indices": True}
                x, switches = torch.nn.functional.max_pool2d(x, module.kernel_size, module.stride, **options)
                kept.append(switches)
            else:
                x = module(x)
            kept.append(x)
        return x, kept

    sides = {"PyTorch": net, "PyTorch, activations and switches": see}
    if compiled:
        sides |= {f"torch.compile{name[7:]}": torch.compile(side) for name, side in sides.items()}

    def without_gradients(side: Callable) -> Callable[[], tuple]:
        def run():
            with torch.no_grad():
                return side(images)

        return run

    return {name: without_gradients(side) for name, side in sides.items()}


def compare(sides: dict[str, Callable[[], tuple]]) -> str:
    """The logits of every side against ours; how far they differ, as a sentence."""
    reference, *others = (np.asarray(_logits(side())) for side in sides.values())
    errors = [
        agree(f"logits of {name}", other, reference, tolerance=1e-4)
        for name, other in zip(list(sides)[1:], others, strict=True)
    ]
    return f"Compared first: the logits of all sides differ by at most {max(errors):.0e} of their length."


def _logits(result):
    if hasattr(result, "logits"):
        return result.logits
    return result[0] if isinstance(result, tuple) else result


def run(config: Config) -> None:
    from benchmarks.inputs import crops, network
    from benchmarks.operations import matmul_rate, peak_sentence

    arch, params = network(config.image_size)
    images = crops(config.batch_size, arch.image_size)
    sides = our_sides(arch, params, images) | torch_sides(arch, params, images, config.compile)
    agreement = compare(sides)
    peaks = matmul_rate()
    seconds = interleave(sides, config.runs, label="forward passes")
    full = arch.forward_mult_adds() * config.batch_size / max(peaks.values())
    show(
        f"Forward pass of {arch.name} at {arch.image_size}, batch {config.batch_size}, float32",
        ("side", *COLUMNS, "of matmul"),
        table(seconds, work=config.batch_size, unit="images", full=full),
        "Activations and switches: what a projection of any layer needs (ours: one byte a switch; PyTorch: the indices "
        "of max_pool2d, eight). PyTorch in channels_last; torch.compile with frozen weights.",
        agreement,
        f"of matmul: {arch.forward_mult_adds():,} multiply-adds an image. {peak_sentence(peaks)}",
    )


if __name__ == "__main__":
    start(Config, run, needs=("torch",))
