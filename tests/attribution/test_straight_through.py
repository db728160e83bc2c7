"""deconvolve below straight-through estimators, in mixed precision, inside shard_map, and with arguments that are no
arrays, each against the rule written out by hand."""

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

import zfjax
from zfjax.attribution.deconvolve import relus
from zfjax.errors import InputError

WEIGHTS = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4, 4)), jnp.float32)
X = jnp.arange(4.0) - 1.3


@jax.custom_vjp
def by_hand(x):
    """A ReLU with the deconvnet's gradient."""
    return jnp.maximum(x, 0)


by_hand.defvjp(lambda x: (jnp.maximum(x, 0), None), lambda _, signal: (jnp.maximum(signal, 0),))


@jax.custom_vjp
def rounded(x):
    return jnp.round(x * 4) / 4


rounded.defvjp(lambda x: (rounded(x), None), lambda _, signal: (signal,))


@jax.custom_jvp
def signs(x):
    return jnp.sign(x)


signs.defjvp(lambda primals, tangents: (signs(primals[0]), 2.0 * tangents[0]))


@pytest.mark.parametrize("step", [rounded, signs])
def test_relus_above_and_below_a_straight_through_estimator_are_found(step):
    def model(relu):
        return lambda x: relu(step(relu(x @ WEIGHTS[0])) @ WEIGHTS[1]) @ WEIGHTS[2][:, 0]

    assert len(relus(model(jax.nn.relu), others="gradient")(X)) == 2
    found = zfjax.deconvolve(model(jax.nn.relu), others="gradient")(X)
    np.testing.assert_allclose(found, jax.grad(model(by_hand))(X), rtol=1e-6)


def test_one_with_a_relu_in_it_is_refused_for_without_its_rule_nothing_would_come_down():
    @jax.custom_vjp
    def clipped(x):
        return jnp.round(jax.nn.relu(x))

    clipped.defvjp(lambda x: (clipped(x), None), lambda _, signal: (signal,))
    for others in ("error", "gradient"):
        with pytest.raises(InputError, match="a rule of its own"):
            zfjax.deconvolve(lambda x: clipped(x).sum(), others=others)(X)


@pytest.mark.parametrize("low", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize(
    "relu", [jax.nn.relu, lambda x: jnp.where(x > 0, x, 0), lambda x: jnp.clip(x, 0), jax.nn.leaky_relu, jax.nn.relu6]
)
@pytest.mark.parametrize("method", [zfjax.deconvolve, zfjax.guided_backprop])
def test_a_relu_right_after_a_change_of_precision(method, relu, low):
    x = X.astype(low)
    weights = jnp.arange(4.0) - 1.5
    found = method(lambda x: (relu(x.astype(jnp.float32)) * weights).sum())(x)
    wanted = method(lambda x: (relu(x) * weights).sum())(x.astype(jnp.float32))
    assert found.dtype == low
    np.testing.assert_allclose(found.astype(jnp.float32), wanted, rtol=2e-2)


def test_inside_shard_map():
    mesh = jax.make_mesh((2,), ("d",), axis_types=(AxisType.Auto,))
    spec = PartitionSpec("d")
    x = jnp.stack([X, -X])

    def model(row):
        return jax.nn.relu(row @ WEIGHTS[0]) @ WEIGHTS[1]

    alone = {"unit": (1,)}, {"cotangent": jnp.arange(4.0)}
    for options in alone:
        signal = zfjax.deconvolve(model, **options)
        found = jax.shard_map(lambda x, s=signal: s(x[0])[None], mesh=mesh, in_specs=spec, out_specs=spec)(x)
        np.testing.assert_allclose(found, jnp.stack([signal(row) for row in x]), rtol=1e-6)


def test_flags_names_and_modules_reach_the_function_as_they_are():
    traced = []

    def model(x, kind, *, train, scale=2.0):
        traced.append(kind)
        return (jax.nn.relu(x @ WEIGHTS[0]) if kind == "relu" and train is False else x)[0] * scale

    signal, plain = zfjax.deconvolve(model), zfjax.deconvolve(lambda x: 2.0 * jax.nn.relu(x @ WEIGHTS[0])[0])
    for _ in range(3):
        np.testing.assert_allclose(signal(X, "relu", train=False), plain(X), rtol=1e-6)
    assert traced == 3 * ["relu"]
    with pytest.warns(UserWarning, match="no ReLU"):
        np.testing.assert_allclose(signal(X, "relu", train=1), [2, 0, 0, 0])  # 1 is no True, nor its program


def test_an_equinox_module_as_an_argument():
    module = equinox.nn.MLP(4, 3, 8, 2, key=jax.random.key(1))
    found = zfjax.deconvolve(lambda module, x: module(x)[1], argnums=1)(module, X)
    np.testing.assert_allclose(found, zfjax.deconvolve(lambda x: module(x)[1])(X), rtol=1e-6)


@pytest.mark.parametrize(
    ("f", "options", "words"),
    [
        (lambda x, y: jax.nn.relu(x).sum() + y.sum(), {"argnums": (0, 0)}, "twice"),
        (lambda x, y: None, {}, "returns nothing"),
        (
            lambda x, y: jax.lax.reduce_window(jax.nn.relu(x), 0.0, jax.lax.max, (2,), (2,), "VALID").sum(),
            {},
            "no grad",
        ),
    ],
)
@pytest.mark.parametrize("others", ["error", "gradient"])
def test_what_cannot_be_is_one_sentence(f, options, words, others):
    with pytest.raises(InputError, match=words):
        zfjax.deconvolve(f, others=others, **options)(X, X)
