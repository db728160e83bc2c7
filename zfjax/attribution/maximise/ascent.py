"""Pictures that make outputs of a function as large as can be, found by going uphill from noise.

Erhan et al. 2009 ("Visualizing higher-layer features of a deep network"), Simonyan et al. 2013 (1312.6034, section 2);
the picture's spectrum, its colours and moves as in Olah, Mordvintsev & Schubert 2017, "Feature Visualization"
(https://doi.org/10.23915/distill.00007).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.tree_util import Partial

from zfjax import checks
from zfjax.arguments import check_key
from zfjax.attribution.maximise import colours, fourier
from zfjax.attribution.maximise.adam import Moments, ascend
from zfjax.attribution.maximise.moves import Moves, moved
from zfjax.attribution.maximise.objectives import likeness, objective
from zfjax.attribution.targets import Function, in_batches
from zfjax.errors import InputError

START = 0.01  # standard deviation of the spectrum that the way up begins from: almost grey
LOUDER = 10.0  # of what is tried instead where that gives no direction: a third of a photo's contrast
STEPS_A_REPORT = 8


class Maximised(NamedTuple):
    """Pictures, and how large they make their outputs."""

    pictures: jax.Array  # float32 [N, size, size, channels] in 0..1
    start: jax.Array  # float32 [N], of the noise that the way up began from
    end: jax.Array  # float32 [N], of `pictures`
    values: jax.Array  # float32 [steps, N], before each step, of the pictures as they were moved for it


@dataclass(frozen=True)
class _Way:
    """How the way up goes; part of the compiled program."""

    learning_rate: float
    decay: float
    moves: Moves
    diversity: float
    batch_size: int


class _Aim(NamedTuple):
    """What is climbed: arrays and functions of them, arguments of the compiled program."""

    f: Function
    features: Function
    targets: jax.Array
    mixing: jax.Array
    key: jax.Array


def maximise(
    f: Function,
    targets: jax.Array | np.ndarray,
    *,
    size: int,
    key: jax.Array,
    channels: int = 3,
    steps: int = 128,
    learning_rate: float = 0.02,
    decay: float = 1.0,
    mixing: jax.Array | np.ndarray | None = None,
    moves: Moves | None = None,
    diversity: float = 0.0,
    features: Function | None = None,
    batch_size: int = 32,
    progress: Callable[[int], Any] | None = None,
) -> Maximised:
    """Pictures [N, size, size, channels] in 0..1 that make the outputs of their targets large, all N at once.

    f: pictures [N, size, size, channels] in 0..255 -> outputs [N, ...], row n of picture n alone; any JAX function,
    with the preprocessing inside. A `jax.tree_util.Partial(model, params)` is compiled once for all its parameters, and
    does not make constants of them. targets: int [N] for outputs [N, K], and for maps [N, h, w, K], whose means they
    name; int [N, 3] for units of maps: row, column, channel. Where the noise at the start gives no direction, because a
    rectified output is zero all around, other noise is tried at each step; what is zero for all of it stays noise.

    key: of the noise and of the moves; a picture depends on it and on its place among the N. decay: of the spectrum,
    `fourier.scales`. mixing: [C, C], `colours.mixing_of(pictures)`; None: ImageNet's colours for three channels, each
    channel by itself for others. moves: None: `Moves()`. diversity: what the likeness of a picture to others of the
    same target costs, in units of the output (`objectives.likeness`; repeat a target to have several; far above what
    outputs reach it puts out the maps instead), measured in the maps [N, h, w, K] of `features`, by default f's. Steps
    are those of Adam; more of them, or larger ones, give more contrast than sense.
    batch_size: pictures at a time, which bounds the memory. progress: is told, now and then, how many steps are done;
    not while JAX traces the whole.

    Raises InputError for targets that do not fit the outputs and for options that cannot be.
    """
    checks.at_least_one(size=size, channels=channels, steps=steps, batch_size=batch_size)
    check_key(key)
    for name, value in {"learning_rate": learning_rate, "decay": decay, "diversity": diversity}.items():
        checks.require(checks.number(0), value, f"{name} must be a number from 0 on")
    features = features or f
    count = _count(f, features if diversity else None, targets, (size, size, channels))
    if diversity and count > batch_size:
        raise InputError(f"diversity compares pictures within a batch: {count} need a batch_size of {count} or more")
    way = _Way(learning_rate, decay, Moves() if moves is None else moves, diversity, batch_size)
    noise, key = jax.random.split(key)
    aim = _Aim(_argument(f), _argument(features), jnp.asarray(targets), _mixing(mixing, channels), key)
    shape = fourier.spectrum_shape(size, channels)
    spectrum = START * jax.vmap(functools.partial(jax.random.normal, shape=shape))(_keys(noise, count))
    _, start = _seen(way, aim, spectrum)
    state = spectrum, Moments(jnp.zeros_like(spectrum), jnp.zeros_like(spectrum)), jnp.zeros((steps, count))
    state = _climbed(way, aim, state, steps, progress)
    pictures, end = _seen(way, aim, state[0])
    return Maximised(pictures, start, end, state[2])


def _count(f: Function, features: Function | None, targets: Any, shape: tuple[int, int, int]) -> int:
    """How many pictures are made; nothing is computed."""
    if np.ndim(targets) not in (1, 2):
        raise InputError(f"targets must be int [N] or [N, 3], one for each picture, not {list(np.shape(targets))}")
    pictures = jax.ShapeDtypeStruct((len(targets), *shape), jnp.float32)
    jax.eval_shape(objective(f, targets), pictures)
    maps = features and jax.eval_shape(features, pictures)
    if maps is not None and len(maps.shape) != 4:
        raise InputError(f"diversity is measured in maps [N, h, w, K]; the features given are {list(maps.shape)}")
    return len(targets)


def _argument(f: Function) -> Partial:
    """A function as an argument of a compiled program, which is kept for as long as the function is."""
    return f if isinstance(f, Partial) else Partial(f)


def _mixing(given: jax.Array | np.ndarray | None, channels: int) -> jax.Array:
    if given is None:
        given = colours.IMAGENET if channels == 3 else np.eye(channels, dtype=np.float32)
    if np.shape(given) != (channels, channels):
        raise InputError(f"mixing is [{channels}, {channels}] for {channels} channels, not {list(np.shape(given))}")
    return jnp.asarray(given, jnp.float32)


def _keys(key: jax.Array, count: int) -> jax.Array:
    """One for each picture, whatever the number of others."""
    return jax.vmap(functools.partial(jax.random.fold_in, key))(jnp.arange(count))


def _pictures(way: _Way, aim: _Aim, spectrum: jax.Array) -> jax.Array:
    """In 0..1."""
    return jax.nn.sigmoid(colours.mixed(fourier.planes(spectrum, way.decay), aim.mixing))


@functools.partial(jax.jit, static_argnums=0)
def _seen(way: _Way, aim: _Aim, spectrum: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The pictures of a spectrum, and their values."""

    def look(spectrum: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
        pictures = _pictures(way, aim, spectrum)
        return pictures, objective(aim.f, targets)(255 * pictures)

    return in_batches(look, (spectrum, aim.targets), way.batch_size)


def _climbed(way: _Way, aim: _Aim, state: tuple, steps: int, progress: Callable[[int], Any] | None) -> tuple:
    """The state after all steps.

    Each is a program of its own: in a loop XLA on CPU takes 1.2 to 1.6 times as long for zf-mini, and computes the
    gradients of a plain convolution number by number. Where all is traced, one loop is better than many copies.
    """
    if isinstance(state[0], Tracer):
        return jax.lax.fori_loop(0, steps, functools.partial(_step, way, aim), state)
    for n in range(steps):
        state = _compiled_step(way, aim, n, state)
        if progress and ((n + 1) % STEPS_A_REPORT == 0 or n + 1 == steps):
            jax.block_until_ready(state)
            progress(n + 1)
    return state


def _step(way: _Way, aim: _Aim, n: jax.Array, state: tuple) -> tuple:
    """Step n, from 0 on, of all pictures: state is their spectrum, its moments, and the values of all steps."""

    def gain(spectrum: jax.Array, targets: jax.Array, keys: jax.Array) -> tuple[jax.Array, jax.Array]:
        pictures = moved(255 * _pictures(way, aim, spectrum), keys, way.moves)
        values = objective(aim.f, targets)(pictures)
        if not way.diversity:
            return values.sum(), values
        return (values - way.diversity * likeness(aim.features(pictures), targets)).sum(), values

    spectrum, moments, values = state
    batch = spectrum, aim.targets, _keys(jax.random.fold_in(aim.key, n), len(spectrum))
    gradient, now = in_batches(jax.grad(gain, has_aux=True), batch, way.batch_size)
    spectrum, moments = ascend(spectrum, gradient, moments, n, way.learning_rate)
    lost = (moments.first == 0).all(axis=(1, 2, 3, 4), keepdims=True)
    # the numbers of noise in other places are other noise
    other = jnp.roll(spectrum, 1, axis=2) * jnp.where(n == 0, LOUDER, 1)
    return jnp.where(lost, other, spectrum), moments, values.at[n].set(now)


_compiled_step = jax.jit(_step, static_argnums=0)
