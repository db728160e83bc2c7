"""Contrast normalisation across maps, its gradient, and the form of each that suits a platform."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zfjax.platforms import apart, by_platform


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4))
def local_response_norm(x: jax.Array, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75) -> jax.Array:
    """Contrast normalisation across maps, x / (k + alpha * sum of x^2 over n neighbouring maps)^beta.

    x: [..., C]. alpha is not divided by n (Krizhevsky et al. 2012, section 3.3); PyTorch, ONNX and Caffe divide, so
    that theirs is n times this one. Computed in float32. Raises ValueError for an even n, which has no middle. Only
    reverse-mode differentiation, as of `max_pool`.
    """
    if n % 2 == 0:
        raise ValueError(f"n must be odd, not {n}")
    return _by_sum(_normalise, x, n=n, k=k, alpha=alpha, beta=beta)


def _by_sum(function, *operands, **constants):
    """The function with the sum over n neighbouring maps, float32 [..., C], that suits the platform."""
    return by_platform(
        *operands,
        tpu=functools.partial(function, neighbour_sum=_sum_by_product, **constants),
        default=functools.partial(function, neighbour_sum=_sum_by_slices, **constants),
    )


def _normalise(x, neighbour_sum, n, k, alpha, beta):
    wide = x.astype(jnp.float32)
    return (wide * _negative_power(k + alpha * neighbour_sum(wide * wide, n), beta)).astype(x.dtype)


def _forward(x, n, k, alpha, beta):
    return local_response_norm(x, n, k, alpha, beta), x


def _backward(n, k, alpha, beta, x, g):
    return (_by_sum(_gradient, x, g, n=n, k=k, alpha=alpha, beta=beta),)


def _gradient(x, g, neighbour_sum, n, k, alpha, beta):
    """g s^-b - 2 a b x * sum over the neighbourhood of (g x s^-b-1). Only x is kept: s is cheap again."""
    x, g = apart(x, g)  # nothing from the forward pass is kept for this
    wide, grad = x.astype(jnp.float32), g.astype(jnp.float32)
    scale = k + alpha * neighbour_sum(wide * wide, n)
    power = _negative_power(scale, beta)
    # in the type of x it crosses a GPU's memory: what is summed is a part of the result, which has that type too
    (shares,) = apart((grad * wide * power / scale).astype(x.dtype))
    spread = neighbour_sum(shares.astype(jnp.float32), n)
    return (grad * power - 2 * alpha * beta * wide * spread).astype(x.dtype)


local_response_norm.defvjp(_forward, _backward)


def _sum_by_slices(x, n):
    padded = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0)] * (x.ndim - 1) + [(n // 2, n // 2, 0)])
    return sum(lax.slice_in_dim(padded, i, i + x.shape[-1], axis=-1) for i in range(n))


def _sum_by_product(x, n):
    """With a band matrix of zeros and ones: a TPU's matrix unit is idle meanwhile, and its vectors do not like to move
    along maps. HIGH splits a float32 into two bfloat16, which hold the square of a bfloat16 exactly."""
    maps = np.arange(x.shape[-1])
    band = jnp.asarray(np.abs(maps[:, None] - maps) <= n // 2, jnp.float32)
    return lax.dot_general(x, band, (((x.ndim - 1,), (0,)), ((), ())), precision=lax.Precision.HIGH)


def _negative_power(scale, beta):
    if beta == 0.75:  # two square roots instead of exp and log
        root = lax.rsqrt(scale)
        return root * lax.sqrt(root)
    return scale**-beta
