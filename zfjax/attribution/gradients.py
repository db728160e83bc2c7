"""Methods that take the gradient of an output to the image: plain, times the image, under noise, along a path."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.arguments import check_key
from zfjax.attribution.copies import moments
from zfjax.attribution.targets import Function, Targets, checked, in_batches, scores
from zfjax.checks import at_least_one, number, require
from zfjax.errors import InputError


class Integrated(NamedTuple):
    """Integrated gradients, and how far they are from complete."""

    attributions: jax.Array  # float32 [N, H, W, C]
    gap: jax.Array  # float32 [N], their sum less f(image) - f(baseline): 0 where the quadrature is exact


def gradient(f: Function, images: jax.Array, targets: Targets, *, batch_size: int = 32) -> jax.Array:
    """The gradient of the output to the image: float32 [N, H, W, C] (Simonyan, Vedaldi & Zisserman 2013, arXiv
    1312.6034, section 3; their picture is its largest absolute value over the channels).

    f: images [N, H, W, C] -> outputs [N, ...]. targets: which output of each image, as `targets.scores` takes them;
    batch_size: images that pass at a time. Raises InputError for images, targets and sizes that cannot be.
    """
    images, targets = checked(f, images, targets)
    return in_batches(functools.partial(_slopes, f), (images, targets), batch_size)


def gradient_x_input(f: Function, images: jax.Array, targets: Targets, *, batch_size: int = 32) -> jax.Array:
    """The gradient times the image: float32 [N, H, W, C] (Shrikumar et al. 2016, arXiv 1605.01713).

    What it says depends on where the image's zero lies: at the mean where the mean is removed. The rest as `gradient`.
    """
    return gradient(f, images, targets, batch_size=batch_size) * images


def smoothgrad(
    f: Function,
    images: jax.Array,
    targets: Targets,
    *,
    key: jax.Array,
    samples: int = 50,
    noise: float = 0.15,
    batch_size: int = 32,
) -> jax.Array:
    """The mean gradient over noisy copies of the image: float32 [N, H, W, C] (Smilkov et al. 2017, arXiv 1706.03825).

    noise: standard deviation of the Gaussian noise as a share of each image's range, its largest value less its
    smallest (they take 0.1 to 0.2, section 3.2, and 50 samples). batch_size: copies that pass at a time; an image's
    noise depends on the key and its number alone. Raises InputError for what is no key, and as `gradient`.
    """
    return _noisy(f, images, targets, key, samples, noise, batch_size)[0]


def vargrad(
    f: Function,
    images: jax.Array,
    targets: Targets,
    *,
    key: jax.Array,
    samples: int = 50,
    noise: float = 0.15,
    batch_size: int = 32,
) -> jax.Array:
    """The variance of the gradient over noisy copies, divided by their number: float32 [N, H, W, C], from 0 on
    (Adebayo et al. 2018, arXiv 1810.03307; Seo et al. 2018, arXiv 1806.03000). The rest as `smoothgrad`, of which it
    takes the very copies: what is constant in the gradient does not show."""
    return _noisy(f, images, targets, key, samples, noise, batch_size)[1]


def integrated_gradients(
    f: Function,
    images: jax.Array,
    targets: Targets,
    *,
    baseline: float | jax.Array | np.ndarray = 0.0,
    steps: int = 50,
    batch_size: int = 32,
) -> Integrated:
    """The gradient's mean along the straight line from a baseline, times the way: float32 [N, H, W, C], and the gap
    (Sundararajan, Taly & Yan 2017, arXiv 1703.01365, section 3).

    baseline: a number, or what broadcasts to the images; 0 is the mean colour where the mean is removed. steps: points
    of the line, those of Gauss and Legendre. The attributions would add up to f(image) - f(baseline) if the integral
    were exact (completeness); by how much they miss it is returned, not asserted.
    batch_size: points that pass at a time. Raises InputError for a baseline that does not fit, and as `gradient`.
    """
    images, targets = checked(f, images, targets)
    at_least_one(steps=steps)
    start = _broadcast(baseline, images)
    # Not the middles of equal parts, though a ReLU network's gradient has jumps, which no rule likes: many lie close to
    # a baseline of 0, where activations pass the biases, and there these points are dense. With 50 of them the gap is
    # 0.5 % of the rise in place of 1.3 (logits of zf-mini, random weights), and none for polynomials to degree 2 steps.
    places, weights = np.polynomial.legendre.leggauss(steps)
    shares, weights = jnp.asarray((places + 1) / 2, images.dtype), jnp.asarray(weights * steps / 2, jnp.float32)

    def each(images: jax.Array, targets: jax.Array | None, start: jax.Array, copy: jax.Array) -> jax.Array:
        there = start + _column(shares[copy]) * (images - start)
        return _column(weights[copy]) * _slopes(f, there, targets)

    def rise(images: jax.Array, targets: jax.Array | None, start: jax.Array) -> jax.Array:
        read = scores(f, targets)
        return (read(images) - read(start)).astype(jnp.float32)

    mean, _ = moments(each, (images, targets, start), steps, batch_size=batch_size)
    attributions = mean * (images - start)
    gap = attributions.sum(axis=(1, 2, 3)) - in_batches(rise, (images, targets, start), batch_size)
    return Integrated(attributions, gap)


def expected_gradients(
    f: Function,
    images: jax.Array,
    targets: Targets,
    *,
    references: jax.Array | np.ndarray,
    key: jax.Array,
    samples: int = 50,
    batch_size: int = 32,
) -> jax.Array:
    """Integrated gradients from many baselines: float32 [N, H, W, C] (Erion et al. 2019, arXiv 1906.10670, section 2).

    Each sample draws one of the reference images [R, H, W, C], with replacement, and a point of the line from it to the
    image, uniformly; the result is the mean of the gradient there times the way. In expectation it adds up to f(image)
    less f's mean over the references. Raises InputError for references of another shape, and as `smoothgrad`.
    """
    images, targets = checked(f, images, targets)
    check_key(key)
    references = jnp.asarray(references, images.dtype)
    if references.shape[1:] != images.shape[1:] or not len(references):
        raise InputError(f"references must be [R, {str([*images.shape[1:]])[1:]}, not {list(references.shape)}")

    def each(images: jax.Array, targets: jax.Array | None, image: jax.Array, copy: jax.Array) -> jax.Array:
        which, where = jnp.moveaxis(jax.vmap(jax.random.split)(_keys(key, image, copy)), 1, 0)
        start = references[jax.vmap(lambda key: jax.random.randint(key, (), 0, len(references)))(which)]
        share = _column(jax.vmap(functools.partial(jax.random.uniform, dtype=images.dtype))(where))
        return _slopes(f, start + share * (images - start), targets) * (images - start)

    return moments(each, (images, targets, jnp.arange(len(images))), samples, batch_size=batch_size)[0]


def _slopes(f: Function, images: jax.Array, targets: jax.Array | None) -> jax.Array:
    """The gradient of every image's own score: a row of f depends on its image alone."""
    return jax.grad(lambda images: scores(f, targets)(images).sum())(images).astype(jnp.float32)


def _noisy(
    f: Function, images: jax.Array, targets: Targets, key: jax.Array, samples: int, noise: float, batch_size: int
) -> tuple[jax.Array, jax.Array]:
    """Mean and variance of the gradients of noisy copies."""
    images, targets = checked(f, images, targets)
    check_key(key)
    require(number(0), noise, "noise must be a share of the image's range, from 0 on")

    def each(images: jax.Array, targets: jax.Array | None, image: jax.Array, copy: jax.Array) -> jax.Array:
        span = images.max(axis=(1, 2, 3), keepdims=True) - images.min(axis=(1, 2, 3), keepdims=True)
        draw = functools.partial(jax.random.normal, shape=images.shape[1:], dtype=images.dtype)
        return _slopes(f, images + noise * span * jax.vmap(draw)(_keys(key, image, copy)), targets)

    return moments(each, (images, targets, jnp.arange(len(images))), samples, batch_size=batch_size)


def _keys(key: jax.Array, image: jax.Array, copy: jax.Array) -> jax.Array:
    """One for every copy, whatever else is in its batch."""
    return jax.vmap(lambda image, copy: jax.random.fold_in(jax.random.fold_in(key, image), copy))(image, copy)


def _column(shares: jax.Array) -> jax.Array:
    return shares.reshape(-1, 1, 1, 1)


def _broadcast(baseline: float | jax.Array | np.ndarray, images: jax.Array) -> jax.Array:
    try:
        return jnp.broadcast_to(jnp.asarray(baseline, images.dtype), images.shape)
    except (TypeError, ValueError):
        raise InputError(f"a baseline must broadcast to {list(images.shape)}, not {np.shape(baseline)}") from None
