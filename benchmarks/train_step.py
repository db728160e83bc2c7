"""One training step of ZFNet, ours against PyTorch's: python -m benchmarks.train_step --batch_size=64"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.timing import COLUMNS, agree, interleave, show, start, table
from zfjax.arch import Arch


@dataclass(frozen=True)
class Config:
    """Images a second of a training step: crop, forward with dropout, backward, momentum, filters to their radius."""

    batch_size: int = 64
    """Images of a step."""
    image_size: int = 224
    """Side of the network's input in pixels."""
    runs: int = 7
    """Timed steps of each side."""
    compile: bool = True
    """Whether torch.compile takes part; it needs a C++ compiler and a minute."""


def our_step(arch: Arch, params: dict, batch: dict[str, np.ndarray]) -> Callable[[], tuple]:
    """A function that makes the next step and returns (state, sums) when they are there."""
    import jax
    import jax.numpy as jnp

    from benchmarks.inputs import MEAN
    from zfjax.convnet import ConvNet
    from zfjax.preprocess import Preprocess
    from zfjax.train.step import Plateau, TrainState, make_optimizer, train_step

    tx = make_optimizer(arch.recipe)
    params = jax.tree.map(jnp.array, params)
    plateau = Plateau(jnp.float32(0), jnp.int32(0), jnp.int32(0))
    state = TrainState(jnp.int32(0), params, tx.init(params), plateau)
    side = batch["image"].shape[1]
    preprocess = Preprocess.of(arch, jnp.full((side, side, 3), MEAN, jnp.float32))
    step = functools.partial(train_step, net=ConvNet(arch), tx=tx, total_steps=1000)
    step, key = jax.jit(step, donate_argnums=0), jax.random.key(0)

    def run() -> tuple:
        nonlocal state
        state, sums = jax.block_until_ready(step(state, batch, preprocess, key))
        return state, sums

    return run


def torch_step(arch: Arch, params: dict, batch: dict[str, np.ndarray], *, compiled: bool) -> Callable[[], tuple]:
    """The same in PyTorch, channels_last: a function that makes a step and returns (optimizer, network, loss)."""
    import torch
    from torch.nn import functional as F

    from benchmarks.inputs import MEAN
    from benchmarks.torch_zf import torch_net

    net = torch_net(arch, params).train()
    recipe = arch.recipe
    groups = [
        {"params": [value for name, value in net.named_parameters() if name.endswith(end)], "weight_decay": decay}
        for end, decay in (("weight", recipe.weight_decay), ("bias", 0.0))
    ]
    tx = torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9, fused=True)
    see = torch.compile(net) if compiled else net
    images, labels = torch.from_numpy(batch["image"]), torch.from_numpy(batch["label"]).long()
    mean = torch.full((*batch["image"].shape[1:3], 3), MEAN)

    def run() -> tuple:
        loss = F.cross_entropy(see(crop(images, batch["crop"], mean, arch.image_size)), labels)
        tx.zero_grad()
        loss.backward()
        tx.step()
        cap_filters(net, recipe.filter_rms)
        return tx, net, loss

    return run


def crop(images, offsets: np.ndarray, mean, size: int):
    """uint8 canvases [N, S, S, C] to what the network sees, [N, C, size, size] in channels_last."""
    import torch

    views = []
    for image, (top, left, flip) in zip(images, offsets.tolist(), strict=True):
        view = image[top : top + size, left : left + size].float() - mean[top : top + size, left : left + size]
        views.append(view.flip(1) if flip else view)
    return torch.stack(views).permute(0, 3, 1, 2)


def cap_filters(net, radius: float) -> None:
    """Convolution filters whose RMS exceeds the radius, back to it (section 3)."""
    import torch

    with torch.no_grad():
        for weight in (value for value in net.parameters() if value.ndim == 4):
            weight.mul_((radius / weight.square().mean((1, 2, 3), keepdim=True).sqrt()).clamp(max=1))


def compare(arch: Arch, params: dict, batch: dict[str, np.ndarray], compiled: bool) -> str:
    """Loss, momentum (the gradient with its decay) and parameters after one step without dropout: a sentence.

    Gradients may differ by more than rounding: where it decides a ReLU or a switch, one unit's whole share is in or out
    (seen: 7e-6 without, 3e-3 with such a unit among the 8 images of a batch).
    """
    from benchmarks.inputs import without_dropout
    from benchmarks.torch_zf import torch_state

    arch = without_dropout(arch)
    state, sums = our_step(arch, params, batch)()
    ours = torch_state(arch, state.opt_state[1].trace)
    after = torch_state(arch, state.params)
    errors = []
    for how in (False, True)[: 1 + compiled]:
        tx, net, loss = torch_step(arch, params, batch, compiled=how)()
        agree("loss", sums["loss"] / sums["count"], loss.detach(), tolerance=1e-4)
        for name, value in net.named_parameters():
            errors.append(agree(f"gradient of {name}", ours[name], tx.state[value]["momentum_buffer"], tolerance=2e-2))
            agree(f"{name} after a step", after[name], value.detach(), tolerance=1e-4)
    return (
        f"Compared first, without dropout: the gradients of all parameters differ by {np.median(errors):.0e} of their "
        f"length (median; at most {max(errors):.0e}), the parameters after the step by at most 1e-4."
    )


def run(config: Config) -> None:
    from benchmarks.inputs import canvases, network
    from benchmarks.operations import matmul_rate, peak_sentence
    from zfjax.preprocess import Preprocess

    arch, params = network(config.image_size)
    arch = dataclasses.replace(arch, recipe=dataclasses.replace(arch.recipe, learning_rate=1e-4))
    rng = np.random.default_rng(2)
    side = Preprocess.of(arch).smallest_side
    room = side - arch.image_size
    batch = {
        "image": canvases(config.batch_size, side),
        "label": rng.integers(0, arch.num_classes, config.batch_size, dtype=np.int32),
        "crop": rng.integers(0, (room + 1, room + 1, 2), (config.batch_size, 3), dtype=np.int32),
    }
    agreement = compare(arch, params, batch, config.compile)
    sides = {
        "zfjax": our_step(arch, params, batch),
        "PyTorch": torch_step(arch, params, batch, compiled=False),
    }
    if config.compile:
        sides["PyTorch, torch.compile"] = torch_step(arch, params, batch, compiled=True)
    peaks = matmul_rate()
    seconds = interleave(sides, config.runs, label="training steps")
    full = arch.train_mult_adds() * config.batch_size / max(peaks.values())
    show(
        f"Training step of {arch.name} at {arch.image_size}, batch {config.batch_size}, float32",
        ("side", *COLUMNS, "of matmul"),
        table(seconds, work=config.batch_size, unit="images", full=full),
        "From uint8 canvases on all sides, with contrast normalisation, dropout, SGD with momentum and weight decay, "
        "filters back to their radius. PyTorch in channels_last, its SGD fused.",
        agreement,
        f"of matmul: {arch.train_mult_adds():,} multiply-adds an image. {peak_sentence(peaks)}",
    )


if __name__ == "__main__":
    start(Config, run, needs=("torch",))
