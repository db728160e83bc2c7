"""The activations that have another gradient in a deconvnet, and that gradient."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp

from zfjax.attribution.relus.piecewise import FAR, Piecewise

Rule = Literal["deconvolve", "guided", "gradient"]
Kind = Literal["relu", "leaky_relu", "relu6", "ceiling", "hard_tanh"]


@dataclass(frozen=True)
class Rectifier:
    """An activation of the number x below it: slopes[i] between ends[i - 1] and ends[i].

    sign: -1 where its values are no positive ones, -relu(x): then negative signals are what it lets through.
    """

    kind: Kind
    ends: tuple[float, ...]
    slopes: tuple[float, ...]
    sign: int = 1


def ceiling(form: Piecewise) -> Rectifier | None:
    """min(x, top) of an x that is rectified already, relu6's second half; None of any other function."""
    lower = form.lines[0] == (1.0, 0.0) and len(form.lines) == 2 and form.lines[1][0] == 0 and form.ends[0] > 0
    return Rectifier("ceiling", form.ends, (1.0, 0.0)) if lower else None


def recognised(form: Piecewise) -> Rectifier | None:
    """The activation that a piecewise linear function is, moved and scaled as it may be; None: none of them."""
    slopes, ends = tuple(slope for slope, _ in form.lines), form.ends
    if len(ends) not in (1, 2) or not _continuous(form):
        return None
    flat = [number for number, slope in enumerate(slopes) if slope == 0]
    if len(ends) == 2:
        if flat != [0, 2]:
            return None
        low, high = form.lines[0][1], form.lines[2][1]
        rectified = low == 0 or high == 0
        return Rectifier("relu6" if rectified else "hard_tanh", ends, slopes, -1 if rectified and low + high < 0 else 1)
    if len(flat) == 1:
        steep = 1 - flat[0]
        rises = (slopes[steep] > 0) == (steep == 1)  # away from its flat side
        return Rectifier("relu", ends, slopes, 1 if rises else -1)
    return Rectifier("leaky_relu", ends, slopes) if slopes[0] * slopes[1] > 0 else None


def is_relu(form: Piecewise) -> bool:
    """Whether it is max(x, 0) or max(-x, 0), times a positive number; or leaky, x above 0 and less of it below."""
    found = recognised(form)
    if found is None or found.ends != (0.0,) or any(offset for _, offset in form.lines):
        return False
    leaky = found.kind == "leaky_relu" and 0 < found.slopes[0] < found.slopes[1] == 1
    return leaky or (found.kind == "relu" and found.sign == 1)


def _continuous(form: Piecewise) -> bool:
    for end, (one, other) in zip(form.ends, zip(form.lines, form.lines[1:], strict=False), strict=True):
        left, right = (slope * end + offset for slope, offset in (one, other))
        if abs(end) >= FAR / 10 or abs(left - right) > 1e-6 * max(abs(left), abs(right), abs(end)):
            return False
    return True


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def through(rectifier: Rectifier, rule: Rule, x: jax.Array, y: jax.Array) -> jax.Array:
    """y, the activation's values at x, as they are; the signal that comes to them goes to x by the rule."""
    return y


def _up(rectifier: Rectifier, rule: Rule, x: jax.Array, y: jax.Array):
    needed = rule != "deconvolve" or rectifier.kind == "hard_tanh"
    return y, (x if needed else None, jnp.zeros((), x.dtype))


def _down(rectifier: Rectifier, rule: Rule, kept, signal: jax.Array):
    x, below = kept  # y may be of another precision than x
    return _pulled(rectifier, rule, x, signal).astype(below.dtype), jnp.zeros_like(signal)


through.defvjp(_up, _down)


def _pulled(rectifier: Rectifier, rule: Rule, x: jax.Array | None, signal: jax.Array) -> jax.Array:
    """deconvolve: the signal through the activation itself. guided: that, where x lets the gradient through too."""
    if rule == "gradient" or rectifier.kind == "hard_tanh":
        assert x is not None
        return signal * _slope(rectifier, x)
    slopes, sign = rectifier.slopes, rectifier.sign
    if rectifier.kind == "ceiling":
        return signal if x is None else signal * _slope(rectifier, x)
    if rectifier.kind == "leaky_relu":
        passed = signal * jnp.where(signal >= 0, slopes[1], slopes[0]).astype(signal.dtype)
        return passed if x is None else passed * _slope(rectifier, x) / max(map(abs, slopes))
    steep = next(slope for slope in slopes if slope)
    positive = steep * sign * jax.nn.relu(sign * signal)
    return positive if x is None else jnp.where(_slope(rectifier, x) != 0, positive, 0)


def _slope(rectifier: Rectifier, x: jax.Array) -> jax.Array:
    """At an end that of its left, as jax.nn.relu has it; of a leaky ReLU that of its right, as jax.nn.leaky_relu."""
    beyond = jnp.greater_equal if rectifier.kind == "leaky_relu" else jnp.greater
    slope = jnp.full_like(x, rectifier.slopes[0])
    for end, right in zip(rectifier.ends, rectifier.slopes[1:], strict=True):
        slope = jnp.where(beyond(x, end), jnp.asarray(right, x.dtype), slope)
    return slope
