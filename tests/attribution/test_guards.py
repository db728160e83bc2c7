"""Thresholds inside normalisations and gates are no ReLUs: zfjax.deconvolve leaves them JAX's gradient."""

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracle import compiled_for_one_run

from zfjax.attribution.deconvolve import deconvolve, guided_backprop, relus
from zfjax.errors import InputError

X, Y = np.random.default_rng(0).normal(size=(2, 6, 8)).astype(np.float32)


def flax(norm):
    return lambda x: norm.apply(norm.init(jax.random.key(0), x), x, mutable=["batch_stats"])[0]


@jax.checkpoint
def running(x):
    """A normalisation that returns what it has seen, too."""
    mean = x.mean(0, keepdims=True)
    variance = jnp.maximum(0, (x * x).mean(0, keepdims=True) - mean**2)
    return (x - mean) / jnp.sqrt(variance + 1e-5), 0.1 * variance


NORMS = {
    "Flax, by layer": flax(nn.LayerNorm()),
    "Flax, by group": flax(nn.GroupNorm(2)),
    "Flax, by batch": flax(nn.BatchNorm(use_running_average=False)),
    "Equinox": jax.vmap(eqx.nn.GroupNorm(2, 8)),
    "its statistics are a result, too": lambda x: running(x)[0],
    "a length in a loop": lambda x: jax.lax.fori_loop(
        0, 2, lambda _, x: x / jnp.maximum(jnp.linalg.norm(x, axis=1), 2)[:, None], x
    ),
    "a length, squared": lambda x: x * jax.lax.rsqrt(jnp.maximum((x * x).sum(1, keepdims=True), 5)),
    "a gate": jax.nn.hard_sigmoid,
    "a sparse gate": jax.nn.sparse_sigmoid,
}


def rectifying(rule):
    @jax.custom_vjp
    def relu(x):
        return jnp.maximum(x, 0)

    relu.defvjp(lambda x: (relu(x), x), lambda x, s: (jnp.maximum(s, 0) * (x > 0 if rule is guided_backprop else 1),))
    return relu


@pytest.mark.parametrize("rule", [deconvolve, guided_backprop])
@pytest.mark.parametrize("name", NORMS)
def test_they_keep_their_gradient(name, rule):
    def f(relu):
        return lambda x: (relu(NORMS[name](relu(x) + x)) * Y).sum()

    found = rule(f(jax.nn.relu), others="gradient")(X)
    np.testing.assert_allclose(found, compiled_for_one_run(jax.grad(f(rectifying(rule))))(X), rtol=1e-4, atol=1e-5)
    assert [each.kind for each in relus(f(jax.nn.relu), others="gradient")(X)] == ["relu", "relu"]
    with pytest.raises(InputError, match="cannot be rewritten"):
        rule(f(jax.nn.relu))(X)


@pytest.mark.parametrize(
    "curve",
    [
        lambda relu, x: jnp.sqrt(relu(x) + 1),
        lambda relu, x: jnp.log1p(relu(x)),
        lambda relu, x: relu(x) ** 2,
        lambda relu, x: relu(x) / (relu(x).sum() + 1),
    ],
)
@pytest.mark.parametrize("rule", [deconvolve, guided_backprop])
def test_relus_below_a_curve_stay(curve, rule):
    def f(relu):
        return lambda x: (curve(relu, x) * Y).sum()

    found = rule(f(jax.nn.relu), others="gradient")(X)
    np.testing.assert_allclose(found, compiled_for_one_run(jax.grad(f(rectifying(rule))))(X), rtol=1e-4, atol=1e-5)
    assert {each.kind for each in relus(f(jax.nn.relu), others="gradient")(X)} == {"relu"}


@pytest.mark.parametrize("explain", [deconvolve, guided_backprop])
def test_a_relu_is_found_where_vmap_has_moved_its_parts(explain):
    """vmap transposes a comparison and what it chooses from before they meet."""
    kernels, image = (
        np.random.default_rng(0).normal(size=size).astype(np.float32) for size in ((2, 3, 3, 3, 4), (1, 8, 8, 3))
    )

    def f(image, relu):
        def one(kernel):
            dims = ("NHWC", "HWIO", "NHWC")
            return relu(jax.lax.conv_general_dilated(image, kernel, (1, 1), "SAME", dimension_numbers=dims))

        return jax.vmap(one, out_axes=-1)(jnp.asarray(kernels)).sum(axis=(0, 1, 2, 3)) @ jnp.array([-1.0, 2.0])

    plain = explain(lambda image: f(image, jax.nn.relu))(image)
    for relu in (lambda x: jnp.where(x > 0, x, 0), lambda x: x * (x > 0), lambda x: jnp.where(x <= 0, 0, x)):
        np.testing.assert_allclose(explain(lambda image, relu=relu: f(image, relu))(image), plain, rtol=1e-5, atol=1e-5)


def test_a_choice_by_moved_values_is_no_maximum():
    """A hole below a half, which vmap and a transpose bring to one: no ReLU, and refused as it is without them."""
    with pytest.raises(InputError, match="select_n"):
        deconvolve(lambda x: jnp.where((x > 0.5).T, x.T, 0).sum())(jnp.ones((2, 3)))
