"""The programs that matter on an accelerator: a function, what it takes, and what of that is divided among devices."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from benchmarks.inputs import MEAN
from zfjax.arch import Arch
from zfjax.convnet import ConvNet, forward, init_params
from zfjax.deconvnet import project, project_map, strongest
from zfjax.model import on_canvases
from zfjax.paper.top_activations import compete, no_winners
from zfjax.preprocess import Preprocess
from zfjax.train.step import eval_step, init_state, make_optimizer, train_step

UNITS = 64
IMAGES = 16  # whose units are projected
DTYPES = {"bf16": jnp.bfloat16, "fp32": jnp.float32}


class Program(NamedTuple):
    """A function and its arguments, those drawn at random."""

    function: Callable
    arguments: Callable[[], tuple]  # draws them; traced for their shapes alone where nothing is run
    divided: tuple[bool, ...]  # which of them are divided among the devices, along their first axis
    images: int  # that one call works on; units, where units are projected
    mult_adds: int = 0  # of one image; 0: not counted
    donated: tuple[int, ...] = ()
    precision: str = "fp32"


def programs(arch: Arch, chips: int = 1) -> dict[str, Callable[[], Program]]:
    """By name, for so many chips: batches are as large as the name says on each."""
    found: dict[str, Callable[[], Program]] = {}
    for precision in DTYPES:
        for batch in (128, 256):
            for parts in (1, 4):
                name = f"train-{precision}-{batch}" + f"-accum{parts}" * (parts > 1)
                found[name] = functools.partial(_train, arch, precision, batch * chips, parts)
        found[f"eval-{precision}-256"] = functools.partial(_evaluate, arch, precision, 256 * chips)
    found["mine-64"] = functools.partial(_mine, arch, 64 * chips)
    for layer in ("conv1", "conv3", "conv5"):
        found[f"project-{layer}"] = functools.partial(_project, arch, layer)
    found["deconvolve-conv5"] = functools.partial(_deconvolve, arch, "conv5")
    return found


def _key() -> jax.Array:
    return jax.random.key(0, impl="threefry2x32")


def _canvases(arch: Arch, count: int) -> dict[str, jax.Array]:
    side = Preprocess.of(arch).smallest_side
    return {
        "image": jax.random.bits(_key(), (count, side, side, arch.channels), jnp.uint8),
        "label": jax.random.randint(_key(), (count,), 0, arch.num_classes),
    }


def _preprocess(arch: Arch) -> Preprocess:
    side = Preprocess.of(arch).smallest_side
    return Preprocess.of(arch, jnp.full((side, side, arch.channels), MEAN, jnp.float32))


def _train(arch: Arch, precision: str, batch: int, parts: int) -> Program:
    tx, side = make_optimizer(arch.recipe), Preprocess.of(arch).smallest_side

    def arguments() -> tuple:
        crop = jax.random.randint(_key(), (batch, 3), 0, side - arch.image_size + 1)
        crop = crop.at[:, 2].set(crop[:, 2] % 2)
        return init_state(_key(), arch, tx), {**_canvases(arch, batch), "crop": crop}, _preprocess(arch), _key()

    net = ConvNet(arch, DTYPES[precision])
    step = functools.partial(train_step, net=net, tx=tx, total_steps=1000, grad_accum=parts)
    return Program(step, arguments, (False, True, False, False), batch, arch.train_mult_adds(), (0,), precision)


def _evaluate(arch: Arch, precision: str, batch: int) -> Program:
    def arguments() -> tuple:
        images = {**_canvases(arch, batch), "mask": jnp.ones(batch, bool)}
        return init_params(_key(), arch), images, _preprocess(arch)

    step = functools.partial(eval_step, net=ConvNet(arch, DTYPES[precision]))
    return Program(step, arguments, (False, True, False), batch, arch.forward_mult_adds(), (), precision)


def _mine(arch: Arch, batch: int) -> Program:
    """The nine strongest places of every map of all convolutions, as Fig. 2 looks for them."""
    maps = {row.name: row.shape[2] for row in arch.rows if row.name.startswith("conv")}

    def arguments() -> tuple:
        images = {"image": _canvases(arch, batch)["image"], "index": jnp.arange(batch), "mask": jnp.ones(batch, bool)}
        winners = {name: no_winners(count, 9) for name, count in maps.items()}
        return (init_params(_key(), arch), _preprocess(arch)), winners, images

    return Program(
        functools.partial(compete, on_canvases(arch)), arguments, (False, False, True), batch, arch.forward_mult_adds()
    )


def _seen(arch: Arch) -> tuple:
    params, side = init_params(_key(), arch), arch.image_size
    images = 60 * jax.random.normal(_key(), (IMAGES, side, side, arch.channels))
    return params, forward(arch, params, images)


def _project(arch: Arch, layer: str) -> Program:
    def arguments() -> tuple:
        params, seen = _seen(arch)
        return params, seen, strongest(seen, layer, range(UNITS // IMAGES))

    def down(params: Any, seen: Any, units: Any) -> Any:
        return project(arch, params, seen, layer, units)

    return Program(down, arguments, (False, False, False), UNITS)


def _deconvolve(arch: Arch, layer: str) -> Program:
    def arguments() -> tuple:
        params, seen = _seen(arch)
        return params, seen, seen.activations[layer]

    def down(params: Any, seen: Any, signal: jax.Array) -> jax.Array:
        return project_map(arch, params, seen, layer, signal)

    return Program(down, arguments, (False, False, False), IMAGES)
