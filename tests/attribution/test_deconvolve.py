"""zfjax.deconvolve and zfjax.guided_backprop against NumPy, JAX's own gradient and our deconvnet."""

import dataclasses
import functools
import gc
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import PartitionSpec as P
from nets import TINY, pixels, random_params

import zfjax
from zfjax.attribution.deconvolve import deconvolve, guided_backprop, relus
from zfjax.attribution.relus.kept import _functions
from zfjax.errors import InputError

module = importlib.import_module("zfjax.attribution.deconvolve")
FRESH = np.random.default_rng(0)
W = FRESH.normal(size=(4, 4)).astype(np.float32)
V = FRESH.normal(size=4).astype(np.float32)
X = FRESH.normal(size=4).astype(np.float32)
RULES = {"deconvolve": deconvolve, "guided": guided_backprop}


def by_hand(rule, layers, x=X, gate=lambda below: below > 0, pull=lambda signal: np.maximum(signal, 0)):
    """The signal of V @ relu(... relu(x @ W) @ W), in NumPy."""
    maps = []
    for _ in range(layers):
        maps.append(x @ W)
        x = np.maximum(maps[-1], 0)
    signal = np.broadcast_to(V, x.shape)
    for below in reversed(maps):
        signal = pull(signal) * (gate(below) if rule == "guided" else 1)
        signal = signal @ W.T
    return signal


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


ZEROS = jnp.zeros(4)
FORMS = {
    "jax.nn.relu": jax.nn.relu,
    "maximum": lambda x: jnp.maximum(x, 0),
    "maximum, other way round": lambda x: jnp.maximum(0.0, x),
    "maximum with zeros like it": lambda x: jnp.maximum(x, jnp.zeros_like(x)),
    "maximum with zeros from outside": lambda x: jnp.maximum(x, ZEROS),
    "where": lambda x: jnp.where(x > 0, x, 0),
    "where, at least": lambda x: jnp.where(x >= 0, x, 0.0),
    "where not": lambda x: jnp.where(x <= 0, 0.0, x),
    "where, other way round": lambda x: jnp.where(0 < x, x, jnp.zeros_like(x)),
    "where and not": lambda x: jnp.where(~(x <= 0), x, 0),
    "select": lambda x: jax.lax.select(x > 0, x, jnp.zeros_like(x)),
    "product": lambda x: x * (x > 0),
    "product with a float": lambda x: (x > 0).astype(x.dtype) * x,
    "clip": lambda x: jnp.clip(x, 0),
    "clip to infinity": lambda x: jnp.clip(x, 0, jnp.inf),
    "half of x and its size": lambda x: (x + jnp.abs(x)) / 2,
    "x less its negative part": lambda x: x - jnp.minimum(x, 0),
    "scaled": lambda x: jnp.maximum(3 * x, 0) / 3,
    "twice": lambda x: jax.nn.relu(jax.nn.relu(x)),
    "a negative one, turned over": lambda x: -jnp.minimum(-x, 0),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("form", FORMS)
def test_every_way_of_writing_a_relu(form, rule):
    def f(x):
        return FORMS[form](FORMS[form](x @ W) @ W) @ V

    close(RULES[rule](f)(X), by_hand(rule, 2))
    assert {found.kind for found in relus(f)(X)} == {"relu"}


def steep(signal):
    return np.where(signal >= 0, signal, signal * 0.01)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "activation, pull, gate",
    [
        (jax.nn.leaky_relu, steep, lambda below: np.where(below >= 0, 1, 0.01)),
        (lambda x: jnp.maximum(x, 0.01 * x), steep, lambda below: np.where(below >= 0, 1, 0.01)),
        (jax.nn.relu6, lambda s: np.maximum(s, 0), lambda below: (below > 0) & (below < 6)),
        (lambda x: jnp.clip(x, 0, 0.5), lambda s: np.maximum(s, 0), lambda below: (below > 0) & (below < 0.5)),
        (lambda x: jax.lax.clamp(0.0, x, 0.5), lambda s: np.maximum(s, 0), lambda below: (below > 0) & (below < 0.5)),
        (lambda x: jnp.maximum(x, 0.3), lambda s: np.maximum(s, 0), lambda below: below > 0.3),
        (lambda x: jnp.maximum(x + 0.3, 0), lambda s: np.maximum(s, 0), lambda below: below > -0.3),
        (lambda x: -jax.nn.relu(x), lambda s: np.maximum(-s, 0), lambda below: below > 0),
        (lambda x: jnp.minimum(x, 0), lambda s: -np.maximum(-s, 0), lambda below: below < 0),
        (lambda x: jax.nn.relu(-x), lambda s: -np.maximum(s, 0), lambda below: below < 0),
    ],
)
def test_the_choices_for_its_relatives(activation, pull, gate, rule):
    close(RULES[rule](lambda x: activation(x @ W) @ V)(X), by_hand(rule, 1, pull=pull, gate=gate))


@pytest.mark.parametrize("activation", [jax.nn.hard_tanh, lambda x: jnp.clip(x, -1, 1)])
@pytest.mark.parametrize("rule", RULES)
def test_hard_tanh_rectifies_nothing(activation, rule):
    def f(x):
        return activation(x @ W) @ V

    close(RULES[rule](f)(X), jax.grad(f)(X))


def layer(x):
    return jax.nn.relu(x @ W)


@jax.custom_jvp
def own_jvp(x):
    return layer(x)


own_jvp.defjvp(lambda primals, tangents: (own_jvp(*primals), 0 * tangents[0]))


@jax.custom_vjp
def own_vjp(x):
    return layer(x)


own_vjp.defvjp(lambda x: (own_vjp(x), None), lambda kept, signal: (0 * signal,))
FLOW = {
    "jit in jit": (3, lambda x: jax.jit(layer)(jax.jit(lambda x: layer(jax.jit(layer)(x)))(x))),
    "checkpoint": (2, lambda x: jax.checkpoint(lambda x: layer(layer(x)))(x)),
    "scan": (3, lambda x: jax.lax.scan(lambda c, w: (jax.nn.relu(c @ w), None), x, jnp.stack([W] * 3))[0]),
    "what scan stacks": (2, lambda x: jax.lax.scan(lambda c, _: (layer(c), layer(c)), x, length=2)[1][-1]),
    "fori_loop": (3, lambda x: jax.lax.fori_loop(0, 3, lambda i, c: layer(c), x)),
    "cond by the values": (2, lambda x: jax.lax.cond(x.sum() < 1e9, lambda x: layer(layer(x)), lambda x: x, x)),
    "switch": (1, lambda x: jax.lax.switch(1, [lambda x: x, layer], x)),
    "a custom gradient": (2, lambda x: own_jvp(own_vjp(x))),
    "vmap": (2, lambda x: jax.vmap(lambda x: layer(layer(x)))(x[None])[0]),
    "a while loop beside it": (1, lambda x: layer(x) * jax.lax.while_loop(lambda c: c < 3, lambda c: 2 * c, 0.5) / 4),
    "one in another": (
        4,
        jax.checkpoint(
            lambda x: jax.lax.fori_loop(
                0, 2, lambda i, c: jax.lax.cond(i < 5, lambda c: layer(own_jvp(c)), lambda c: c, c), x
            )
        ),
    ),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("flow", FLOW)
def test_through_calls_and_control_flow(flow, rule):
    layers, below = FLOW[flow]
    signal = RULES[rule](lambda x: below(x) @ V)
    for found in (signal(X), jax.jit(signal)(X), jax.vmap(signal)(jnp.stack([X, X]))[1]):
        close(found, by_hand(rule, layers))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", ["shard_map", "unchecked", "pmap"])
def test_over_two_devices(kind, rule):
    mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    options = {"mesh": mesh, "in_specs": P("data"), "out_specs": P("data"), "check_vma": kind == "shard_map"}
    both = jax.pmap(layer) if kind == "pmap" else jax.shard_map(layer, **options)
    signal = RULES[rule](lambda x: (both(both(x)) @ V).sum())
    two = np.stack([X, -X])
    close(signal(two), by_hand(rule, 2, two))


def norm(x):
    return (x - x.mean()) / jnp.sqrt(x.var() + 1e-5)


SLOPES = jnp.array([0.1, 0.2, 0.3, 0.4])
REFUSED = {
    "gelu": (jax.nn.gelu, "integer_pow"),
    "silu": (jax.nn.silu, "logistic at silu"),
    "softplus": (jax.nn.softplus, "exp at softplus"),
    "elu": (jax.nn.elu, "expm1 at elu"),
    "hard_silu": (jax.nn.hard_silu, "hard_sigmoid at hard_silu"),
    "softmax": (jax.nn.softmax, "exp"),
    "a normalisation": (norm, "square|mul|sqrt|integer_pow"),
    "the size": (jnp.abs, "abs"),
    "a hole": (lambda x: jnp.where(x > 0.5, x, 0), "select_n"),
    "a gate": (lambda x: x * (x[::-1] > 0), "mul"),
    "slopes that differ": (lambda x: jnp.where(x > 0, x, SLOPES * x), "select_n"),
    "thresholds that differ": (lambda x: jnp.maximum(x, SLOPES), "max"),
    "inside a loop": (lambda x: jax.lax.fori_loop(0, 2, lambda i, c: jnp.tanh(c), x), "tanh"),
    "inside a branch": (lambda x: jax.lax.cond(x[0] > -99, jnp.tanh, lambda x: x, x), "tanh"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_relu_is_refused_by_name_or_keeps_its_gradient(case):
    activation, names = REFUSED[case]

    def f(x):
        return activation(x @ W) @ V

    with pytest.raises(InputError, match=rf"f: ({names}).* cannot be rewritten .*others='gradient'"):
        deconvolve(f)(X)
    with pytest.warns(UserWarning, match="f has no ReLU"):
        close(deconvolve(f, others="gradient")(X), jax.grad(f)(X))

    def rectified(x):  # what comes down it is rectified above and below
        return jax.nn.relu(activation(layer(x)) @ W) @ V

    signal = np.maximum(V, 0) @ W.T
    below = np.maximum(X @ W, 0)
    expected = np.maximum(jax.vjp(activation, below)[1](jnp.asarray(signal))[0], 0) @ W.T
    close(deconvolve(rectified, others="gradient")(X), expected)


def test_what_is_not_needed_is_not_refused():
    def f(x):
        maps = layer(x)
        return {"maps": maps, "answer": jax.nn.softmax(maps)}

    close(deconvolve(lambda x: jax.jit(f)(x)["maps"] @ V)(X), by_hand("deconvolve", 1))


def test_a_while_loop_has_no_gradient():
    def f(x):
        return jax.lax.while_loop(lambda c: c.sum() < 3, lambda c: layer(c) + 1, x) @ V

    for others in ("error", "gradient"):
        with pytest.raises(InputError, match="while cannot be rewritten .*fori_loop"):
            deconvolve(f, others=others)(X)


@pytest.mark.parametrize("rule", RULES)
def test_maxima_and_sums_between_relus_keep_their_gradient(rule):
    def f(x):
        maps = layer(x)
        pooled = jnp.maximum(maps[:2], maps[2:]) + maps.reshape(2, 2).max(axis=0) + jnp.sort(maps)[-2:]
        return pooled @ V[:2] + x @ V

    maps = np.maximum(X @ W, 0)
    signal = np.zeros(4)
    for place in range(2):
        signal[np.argmax(maps[[place, place + 2]]) * 2 + place] += 2 * V[place]  # the halves, and the rows
        signal[np.argsort(maps)[-2:][place]] += V[place]
    signal = np.maximum(signal, 0) * (X @ W > 0 if rule == "guided" else 1)
    close(RULES[rule](f)(X), signal @ W.T + V)


def test_arguments_units_and_cotangents():
    def f(params, x):
        return jax.nn.relu(x @ params["w"])

    params, x = {"w": jnp.asarray(W)}, jnp.stack([X, -X])
    one = deconvolve(f, 1, unit=(1, 2))(params, x)
    close(one, np.stack([0 * X, W[:, 2]]))
    several = deconvolve(f, 1, unit=(jnp.arange(2), jnp.array([0, 3])))(params, x)
    close(several, W[:, [0, 3]].T)
    close(jax.vmap(lambda unit: deconvolve(f, 1, unit=(0, unit))(params, x)[0])(jnp.arange(4)), W.T)
    close(deconvolve(lambda x, scale: (f(params, x) * scale).sum())(x, scale=2.0), np.tile(2 * W.sum(axis=1), (2, 1)))
    signal = FRESH.normal(size=(2, 4)).astype(np.float32)
    both = deconvolve(f, (0, 1), cotangent=signal, others="gradient")(params, x)  # a product of the two
    close(both[0]["w"], x.T @ np.maximum(signal, 0))
    close(both[1], np.maximum(signal, 0) @ W.T)


@pytest.mark.parametrize(
    "options, words",
    [
        ({}, r"f returns float32\[4\]: give a unit"),
        ({"unit": (4,)}, r"unit \(4,\) is outside"),
        ({"unit": (0, 0)}, "has 2 numbers"),
        ({"cotangent": np.zeros(3)}, r"the cotangent has \[\(3,\)\]"),
        ({"argnums": 1, "unit": (0,)}, "argument 1 of f, which was given 1"),
        ({"argnums": "x", "unit": (0,)}, "argument 'x' of f"),
        ({"unit": (1.5,)}, "must be whole numbers, not 1.5"),
        ({"unit": (slice(2),)}, "must be whole numbers, not slice"),
        ({"unit": (0,), "cotangent": V}, "give one"),
        ({"others": "ignore"}, "others is"),
    ],
)
def test_what_cannot_be_asked(options, words):
    def f(x):
        return layer(x)

    with pytest.raises(InputError, match=words):
        deconvolve(f, **options)(X)
    for whole in (jnp.arange(4), 3):
        with pytest.raises(InputError, match="floating-point numbers, not int32"):
            deconvolve(f, unit=(0,))(whole)


def test_the_list_of_relus_says_where_they_are():
    class Net(zfjax.convnet.nn.Module):
        @zfjax.convnet.nn.compact
        def __call__(self, x):
            x = jax.nn.relu(zfjax.convnet.nn.Dense(3, name="below")(x))
            return jax.lax.scan(lambda c, _: (jax.nn.relu6(c), None), x, length=2)[0].sum()

    params = Net().init(jax.random.key(0), X)
    found = relus(Net().apply, 1)(params, jax.ShapeDtypeStruct((4,), jnp.float32))
    assert [(each.kind, each.shape) for each in found] == [("relu", (3,)), ("relu", (3,)), ("ceiling", (3,))]
    assert found[0].where.startswith("Net") and "relu6" in found[1].where


@pytest.fixture
def readings(monkeypatch):
    """A mark for every program that is read and compiled."""
    made, read = [], module._read
    monkeypatch.setattr(module, "_read", lambda *args: made.append(1) or read(*args))
    return made


def test_it_is_compiled_once_a_function(readings):
    class Model:
        def __call__(self, x):
            return layer(x) @ V

    model = Model()
    arch = dataclasses.replace(TINY, layers=TINY.layers[:3])  # whose operators have rules
    params, image = random_params(arch), pixels(arch, 1)

    def pooled(image):
        return zfjax.forward(arch, params, image).logits

    for _ in range(2):
        deconvolve(pooled, unit=(0, 0), others="gradient")(image)
    assert len(readings) == 1
    readings.clear()
    for number in range(3):
        deconvolve(model)(X + number)
        deconvolve(model.__call__)(X + number)  # another object each time
    assert len(readings) == 2
    deconvolve(Model())(X)
    assert len(readings) == 3


class Perceptron(nnx.Module):
    def __init__(self):
        self.below, self.above = (nnx.Linear(4, 4, rngs=nnx.Rngs(seed)) for seed in (0, 1))

    def __call__(self, x):
        return self.above(jax.nn.relu(self.below(x)))


@pytest.mark.parametrize("explain", [deconvolve, guided_backprop])
def test_weights_that_change_in_place_count(explain, readings):
    model = Perceptron()
    kept = {f: explain(f, unit=(1,)) for f in (model, lambda x: model(x))}
    before = [signal(X) for signal in kept.values()]
    model.above.kernel[...] *= 3
    for (f, signal), old in zip(kept.items(), before, strict=True):
        np.testing.assert_allclose(signal(X), 3 * old, rtol=1e-5)
        np.testing.assert_allclose(explain(f, unit=(1,))(X), 3 * old, rtol=1e-5)
    assert len(readings) == len(kept)  # and nothing is compiled anew for it


def test_a_model_in_training_is_told_to_be_put_into_evaluation():
    model = nnx.Sequential(nnx.BatchNorm(4, rngs=nnx.Rngs(0)), jax.nn.relu)
    images = X[None]
    model.eval()
    deconvolve(model, unit=(0, 1))(images)
    model.train()
    for _ in range(2):
        with pytest.raises(InputError, match=r"^Sequential changes state as it .*: put it into evaluation first"):
            deconvolve(model, unit=(0, 1))(images)


def of_jvp(scale):
    @jax.custom_jvp
    def twice(x):
        return 2 * x

    twice.defjvp(lambda primals, tangents: (twice(*primals), scale[0] * tangents[0]))
    return twice


def of_vjp(scale):
    twice = jax.custom_vjp(lambda x: 2 * x)
    twice.defvjp(lambda x: (2 * x, None), lambda _, signal: (scale[0] * signal,))
    return twice


def of_gradient(scale):
    return jax.custom_gradient(lambda x: (2 * x, lambda signal: (scale[0] * signal,)))


@pytest.mark.parametrize("rule", [of_jvp, of_vjp, of_gradient])
@pytest.mark.parametrize(
    "around", [lambda f: f, jax.jit, jax.vmap, jax.checkpoint, lambda f: lambda x: jax.lax.cond(x[0] > 9, f, f, x)]
)
def test_rules_that_close_over_what_changes_count(rule, around):
    scale = [1.0]

    def f(x):
        return jax.nn.relu(around(rule(scale))(x)).sum()

    for scale[0] in (1.0, 5.0):
        np.testing.assert_allclose(deconvolve(f)(X), np.full(4, scale[0]))


def test_what_is_read_of_constants_is_read_of_those_that_there_are():
    below = np.zeros(4, np.float32)

    def f(x):
        return jnp.maximum(x, below) @ jnp.arange(1.0, 5)

    np.testing.assert_allclose(deconvolve(f)(X), jnp.arange(1.0, 5))
    below[:] = [0, 1, 0, 0]
    with pytest.raises(InputError, match="a threshold that is not the same everywhere"):
        deconvolve(f)(X)


def test_programs_are_kept_as_long_as_their_function():
    def f(x):
        return jax.nn.relu(x @ W).sum()

    there = len(_functions)
    deconvolve(f)(X)
    assert len(_functions) == min(there + 1, 64)
    number = id(f)
    del f
    gc.collect()
    assert number not in _functions


def test_types_are_kept():
    narrow = deconvolve(lambda x: (jax.nn.relu(x @ W.astype(jnp.bfloat16))).sum())(X.astype(jnp.bfloat16))
    assert narrow.dtype == jnp.bfloat16


NETWORKS = [
    ("zf-mini", 64, "fc8"),
    ("squeezenet1_1", 79, "fire9/concat"),
    ("resnet18", 64, "fc"),
    ("googlenet", 64, "inception_4a/output"),
]


@pytest.mark.parametrize("name, size, layer", NETWORKS)
def test_on_networks_of_ours_it_is_their_projection(name, size, layer):
    whole = zfjax.get_arch(name, num_classes=10, image_size=size, width=0.125)
    # what is above the layer changes nothing below it, and would be traced all the same
    arch = dataclasses.replace(whole, layers=whole.layers[: whole.layer_names.index(layer) + 1])
    params, image = random_params(arch), pixels(arch, 1)
    forward = jax.jit(functools.partial(zfjax.forward, arch))(params, image)
    units = zfjax.strongest(forward, layer, jnp.array([1, 4]))
    project = jax.jit(functools.partial(zfjax.project, arch, layer=layer, seed="one", norm="vjp"))
    projected = zfjax.paste(project(params, forward, units=units), size)

    def f(params, image):
        maps = zfjax.forward(arch, params, image).activations[layer]
        return maps.reshape(*([1] * (4 - maps.ndim)), *maps.shape)  # fully connected ones are of one place

    def signal(row, col, channel):
        return deconvolve(f, 1, unit=(0, row, col, channel), others="gradient")(params, image)[0]

    for found, wanted in zip(jax.vmap(signal)(units.row, units.col, units.channel), projected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5 * jnp.abs(wanted).max())
