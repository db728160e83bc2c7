"""zfjax.deconvolve on random programs of ReLUs and control flow, against an interpreter in NumPy."""

import os

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import example, given, settings

from zfjax.attribution.deconvolve import deconvolve, guided_backprop

WIDTH = 4
FORMS = [
    jax.nn.relu,
    lambda x: jnp.maximum(x, 0),
    lambda x: jnp.maximum(0, x),
    lambda x: jnp.where(x > 0, x, 0),
    lambda x: jnp.where(x < 0, 0, x),
    lambda x: jax.lax.select(x > 0, x, jnp.zeros_like(x)),
    lambda x: x * (x > 0),
    lambda x: jnp.clip(x, 0),
]

# A program is a list of steps; some hold programs of their own.
flat = st.one_of(
    st.tuples(st.just("relu"), st.integers(0, len(FORMS) - 1)),
    st.tuples(st.just("linear"), st.integers(0, 99)),
    st.tuples(st.just("shift"), st.integers(0, 99)),
    st.tuples(st.just("leaky"), st.sampled_from([0.1, 0.25])),
    st.tuples(st.just("relu6"), st.sampled_from([1.0, 6.0])),
    st.just(("larger half",)),
    st.just(("turned",)),
)


def holding(inner):
    programs = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.sampled_from(["jit", "checkpoint", "vmap", "residual", "custom_jvp", "custom_vjp"]), programs),
        st.tuples(st.just("loop"), programs, st.integers(1, 3)),
        st.tuples(st.just("cond"), programs, programs),
    )


programs = st.lists(st.recursive(flat, holding, max_leaves=6), min_size=1, max_size=5)


def matrix(seed):
    return np.random.default_rng(seed).normal(size=(WIDTH, WIDTH)).astype(np.float32) / 2


def in_jax(program, x):
    for step in program:
        x = STEPS[step[0]](x, *step[1:])
    return x


def custom_jvp(x, inner):
    rule = jax.custom_jvp(lambda x: in_jax(inner, x))
    rule.defjvp(lambda primals, tangents: jax.jvp(lambda x: in_jax(inner, x), primals, tangents))
    return rule(x)


def custom_vjp(x, inner):
    rule = jax.custom_vjp(lambda x: in_jax(inner, x))
    rule.defvjp(*((lambda x: jax.vjp(lambda x: in_jax(inner, x), x)), (lambda pull, signal: pull(signal))))
    return rule(x)


STEPS = {
    "relu": lambda x, form: FORMS[form](x),
    "linear": lambda x, seed: x @ matrix(seed),
    "shift": lambda x, seed: x + matrix(seed)[0],
    "leaky": lambda x, slope: jax.nn.leaky_relu(x, slope),
    "relu6": lambda x, top: jnp.clip(x, 0, top),
    "larger half": lambda x: jnp.concatenate([jnp.maximum(x[:2], x[2:]), x[2:]]),
    "turned": lambda x: x.reshape(2, 2).T.reshape(-1)[::-1],
    "jit": lambda x, inner: jax.jit(lambda x: in_jax(inner, x))(x),
    "checkpoint": lambda x, inner: jax.checkpoint(lambda x: in_jax(inner, x))(x),
    "vmap": lambda x, inner: jax.vmap(lambda x: in_jax(inner, x))(jnp.stack([x, 2 * x]))[1] / 2,
    "residual": lambda x, inner: x + in_jax(inner, x),
    "custom_jvp": custom_jvp,
    "custom_vjp": custom_vjp,
    "loop": lambda x, inner, times: jax.lax.fori_loop(0, times, lambda _, x: in_jax(inner, x), x),
    "cond": lambda x, one, other: jax.lax.cond(x[0] > 0, lambda x: in_jax(one, x), lambda x: in_jax(other, x), x),
}


def in_numpy(program, x, guided):
    """The result, and the function that takes a signal there down."""
    pulls = []
    for name, *rest in program:
        x, pull = step_in_numpy(name, rest, x, guided)
        pulls.append(pull)

    def down(signal):
        for pull in reversed(pulls):
            signal = pull(signal)
        return signal

    return x, down


def step_in_numpy(name, rest, x, guided):
    match name:
        case "relu":
            return x.clip(0), lambda s: s.clip(0) * ((x > 0) if guided else 1)
        case "relu6":
            return x.clip(0, rest[0]), lambda s: s.clip(0) * (((x > 0) & (x < rest[0])) if guided else 1)
        case "leaky":
            slope = np.float32(rest[0])
            gate = np.where(x >= 0, 1, slope) if guided else 1
            return np.where(x >= 0, x, slope * x), lambda s: np.where(s >= 0, s, slope * s) * gate
        case "linear":
            return x @ matrix(rest[0]), lambda s: s @ matrix(rest[0]).T
        case "shift":
            return x + matrix(rest[0])[0], lambda s: s
        case "larger half":
            first = np.where(x[:2] == x[2:], 0.5, x[:2] > x[2:])  # jnp.maximum divides between equals
            return (
                np.concatenate([np.maximum(x[:2], x[2:]), x[2:]]),
                lambda s: np.concatenate([s[:2] * first, s[:2] * (1 - first) + s[2:]]),
            )
        case "turned":
            return x.reshape(2, 2).T.reshape(-1)[::-1], lambda s: s[::-1].reshape(2, 2).T.reshape(-1)
        case "residual":
            y, pull = in_numpy(rest[0], x, guided)
            return x + y, lambda s: s + pull(s)
        case "vmap":
            y, pull = in_numpy(rest[0], 2 * x, guided)
            return y / 2, lambda s: 2 * pull(s / 2)
        case "loop":
            return in_numpy([("jit", rest[0])] * rest[1], x, guided)
        case "cond":
            return in_numpy(rest[0] if x[0] > 0 else rest[1], x, guided)
        case _:
            return in_numpy(rest[0], x, guided)


@settings(max_examples=int(os.environ.get("ZFJAX_PROGRAMS", 12)), deadline=None)
@given(program=programs, seed=st.integers(0, 99))
@example(program=[("linear", 75), ("residual", [("leaky", 0.1)]), ("linear", 3)], seed=0)
@example(program=[("vmap", [("cond", [("larger half",)], [("linear", 0)])])], seed=0)
def test_random_programs(program, seed):
    x, start = np.random.default_rng(seed).normal(size=(2, WIDTH)).astype(np.float32)
    # a ReLU above, so that there is always one
    for guided, explain in ((False, deconvolve), (True, guided_backprop)):
        result, pull = in_numpy([*program, ("relu", 0)], x, guided)
        found = explain(lambda x: jax.nn.relu(in_jax(program, x)), cotangent=start)(x)
        scale = 1 + np.abs(pull(start)).max()
        np.testing.assert_allclose(found / scale, pull(start) / scale, atol=1e-5)
