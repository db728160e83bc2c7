"""One training step against arithmetic by hand and against optax, and what the devices must agree on."""

import dataclasses
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from nets import TINY, canvas_side, middle, random_params
from states import begun

from zfjax.arch import Arch
from zfjax.convnet import ConvNet, forward
from zfjax.errors import InputError
from zfjax.layers import Dropout
from zfjax.preprocess import Preprocess
from zfjax.recipe import Recipe
from zfjax.runtime.devices import copied, data_mesh, everywhere, on_device, share
from zfjax.train.step import (
    Plateau,
    eval_step,
    hits,
    init_state,
    learning_rate,
    make_optimizer,
    observe,
    renormalise_filters,
    train_step,
)

CANVAS = canvas_side(TINY)
GREY = Preprocess.of(TINY, np.full((CANVAS, CANVAS, 3), 120, np.float32))


def with_recipe(arch: Arch = TINY, **changes) -> Arch:
    return dataclasses.replace(arch, recipe=dataclasses.replace(arch.recipe, **changes))


def a_batch(count: int = 8, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "image": rng.integers(0, 256, (count, CANVAS, CANVAS, 3), dtype=np.uint8),
        "label": rng.integers(0, 5, count, dtype=np.int32),
        "crop": np.tile(np.array([[3, 3, 0]], np.int32), (count, 1)),
        "mask": np.ones(count, bool),
    }


def stepper(arch: Arch, total_steps: int = 100):
    tx = make_optimizer(arch.recipe)
    state = begun(arch, tx)
    step = jax.jit(functools.partial(train_step, net=ConvNet(arch), tx=tx, total_steps=total_steps))
    return state, lambda state, batch: step(state, batch, GREY, jax.random.key(7))


def test_two_steps_of_momentum_by_hand():
    arch = with_recipe(filter_rms=0.0, learning_rate=0.01, weight_decay=0.1)
    state, step = stepper(arch)
    batch = a_batch()
    images = (batch["image"][:, 3:43, 3:43] - 120.0).astype(np.float32)

    @jax.jit
    def gradient(params):
        def loss(params):
            logits = forward(arch, params, images).logits
            return -jnp.take_along_axis(jax.nn.log_softmax(logits), batch["label"][:, None], 1).mean()

        return jax.grad(loss)(params)

    params = jax.device_get(state.params)  # what NumPy computes need not be compiled
    velocity = jax.tree.map(np.zeros_like, params)
    for _ in range(2):
        slopes = jax.tree.map(np.array, gradient(params))
        for layer in params:  # the penalty is on kernels only
            slopes[layer]["kernel"] += 0.1 * params[layer]["kernel"]
        velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, slopes)
        params = jax.tree.map(lambda p, v: p - 0.01 * v, params, velocity)
        state, sums = step(state, batch)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), state.params, params)
    assert int(state.step) == 2 and float(sums["count"]) == 8


def test_training_fits_a_batch():
    state, step = stepper(with_recipe(optimizer="adam", learning_rate=1e-3))
    losses = []
    for _ in range(40):
        state, sums = step(state, a_batch())
        losses.append(float(sums["loss"]) / 8)
    assert losses[-1] < 0.1 * losses[0] and sums["top1"] == 8


def test_bfloat16_step_follows_float32():
    tx = make_optimizer(TINY.recipe)
    state = begun(TINY, tx)
    after = {}
    for dtype in (jnp.float32, jnp.bfloat16):
        step = jax.jit(functools.partial(train_step, net=ConvNet(TINY, dtype), tx=tx, total_steps=9))
        after[dtype], sums = step(state, a_batch(), GREY, jax.random.key(7))
        assert np.isfinite(sums["loss"])
    moved = jax.tree.map(lambda new, old: new - old, after[jnp.float32].params, state.params)
    apart = jax.tree.map(lambda a, b: a - b, after[jnp.float32].params, after[jnp.bfloat16].params)
    assert optax.tree.norm(apart) < 0.1 * optax.tree.norm(moved)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(after[jnp.bfloat16].params))


def test_filters_come_back_to_the_radius():
    params = random_params(TINY)
    params["conv1"]["kernel"][..., 0] = 5.0
    capped = renormalise_filters(params, 0.1)
    rms = np.sqrt((np.asarray(capped["conv1"]["kernel"]) ** 2).mean((0, 1, 2)))
    assert rms[0] == pytest.approx(0.1) and np.all(rms <= 0.1 + 1e-6)
    np.testing.assert_array_equal(capped["conv1"]["kernel"][..., 1], params["conv1"]["kernel"][..., 1])
    np.testing.assert_array_equal(capped["fc4"]["kernel"], params["fc4"]["kernel"])
    zero = {"conv1": {"kernel": jnp.zeros((3, 3, 3, 2)), "bias": jnp.zeros(2)}}
    assert not renormalise_filters(zero, 0.1)["conv1"]["kernel"].any()


def test_the_step_keeps_the_radius():
    state, step = stepper(with_recipe(filter_rms=0.02, learning_rate=1.0))
    for _ in range(3):
        state, _ = step(state, a_batch())
    for layer in ("conv1", "conv2", "conv3"):
        assert np.sqrt((np.asarray(state.params[layer]["kernel"]) ** 2).mean((0, 1, 2))).max() <= 0.02 + 1e-6


def test_learning_rates():
    plateau = Recipe(learning_rate=0.01)
    assert learning_rate(plateau, 500, 2, 1000) == pytest.approx(1e-4)
    cosine = Recipe(learning_rate=0.01, schedule="cosine", warmup_steps=9)
    assert learning_rate(cosine, 0, 0, 1000) == pytest.approx(0.001)
    assert learning_rate(cosine, 500, 0, 1000) == pytest.approx(0.005)
    assert learning_rate(cosine, 1000, 0, 1000) == pytest.approx(0, abs=1e-9)
    assert learning_rate(Recipe(schedule="constant"), 999, 3, 1000) == pytest.approx(0.01)
    with pytest.raises(InputError, match="schedule is"):
        learning_rate(Recipe(schedule="linear"), 0, 0, 1)
    with pytest.raises(InputError, match="optimizer is 'sgd' or 'adam', not 'lion'"):
        make_optimizer(Recipe(optimizer="lion"))


def test_plateau_drops_after_patience_and_three_times_at_most():
    plateau = Plateau(jnp.float32(0), jnp.int32(0), jnp.int32(0))
    drops = []
    for top1 in [0.1, 0.2, 0.2, 0.2, 0.3] + [0.3] * 20:
        plateau = observe(plateau, top1, patience=2)
        drops.append(int(plateau.drops))
    assert drops[:9] == [0, 0, 0, 1, 1, 1, 2, 2, 3] and drops[-1] == 3
    assert plateau.best_top1 == pytest.approx(0.3)


def test_hits_count_ties_once():
    logits = jnp.array([[3.0, 1, 2], [0, 0, 0], [0, 0, 0]])
    assert hits(logits, jnp.array([0, 0, 1]), 1).tolist() == [1, 1, 0]
    assert hits(logits, jnp.array([1, 2, 1]), 2).tolist() == [0, 0, 1]
    assert hits(logits, jnp.array([1, 2, 1]), 5).tolist() == [1, 1, 1]  # five of three classes
    rng = np.random.default_rng(0)
    many, labels = jnp.asarray(rng.integers(0, 4, (200, 7)), jnp.float32), jnp.asarray(rng.integers(0, 7, 200))
    for k in (1, 3, 7):
        among = (jax.lax.top_k(many, k)[1] == labels[:, None]).any(axis=1)
        np.testing.assert_array_equal(hits(many, labels, k), among)
    assert hits(jnp.full((1, 3), jnp.nan), jnp.array([0]), 1).tolist() == [0]


def test_evaluation_counts_real_images_only():
    params, batch = random_params(TINY), a_batch()
    preprocess = GREY
    batch["mask"][5:] = False
    sums = jax.jit(functools.partial(eval_step, net=ConvNet(TINY)))(params, batch, preprocess)
    logits = jax.jit(forward, static_argnums=0)(TINY, params, middle(batch["image"], preprocess.mean, 40)).logits
    expected = optax.softmax_cross_entropy_with_integer_labels(logits, batch["label"])[:5]
    assert sums["count"] == 5 and sums["loss"] == pytest.approx(float(expected.sum()), rel=1e-4)
    assert sums["top1"] == (np.argmax(logits, 1) == batch["label"])[:5].sum()


def test_two_devices_make_the_step_of_one():
    arch = with_recipe(Arch((*TINY.layers[:-1], Dropout("drop4"), TINY.layers[-1]), 40, 5, recipe=TINY.recipe))
    tx, key = make_optimizer(arch.recipe), jax.random.key(3)
    preprocess = GREY
    step = jax.jit(functools.partial(train_step, net=ConvNet(arch), tx=tx, total_steps=9))
    alone = divided = begun(arch, tx)
    mesh = data_mesh(8)
    divided = jax.device_put(divided, everywhere(mesh))
    assert mesh.size == 2
    for seed in range(3):
        batch = a_batch(seed=seed)
        alone, _ = step(alone, batch, preprocess, key)
        divided, _ = step(divided, share(mesh, batch, batch), *jax.device_put((preprocess, key), everywhere(mesh)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), alone.params, divided.params)
    with pytest.raises(InputError, match="batch_size 7 cannot be divided among 2 devices"):
        data_mesh(7)


@pytest.mark.parametrize("parts", [2, 4])
def test_a_batch_in_parts_makes_the_step_of_the_whole(parts):
    tx, key, preprocess = (
        make_optimizer(TINY.recipe),
        jax.random.key(3),
        GREY,
    )
    mesh = data_mesh(8)
    step = functools.partial(train_step, net=ConvNet(TINY), tx=tx, total_steps=9)
    whole, in_parts = jax.jit(step), jax.jit(functools.partial(step, grad_accum=parts))
    once = bit_by_bit = copied(mesh, begun(TINY, tx))
    for seed in range(3):
        batch = a_batch(seed=seed)
        shared = share(mesh, batch, batch)
        once, sums = whole(once, shared, preprocess, key)
        bit_by_bit, in_part_sums = in_parts(bit_by_bit, shared, preprocess, key)
        jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4), sums, in_part_sums)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), once.params, bit_by_bit.params)
    # the parts are cut where the rows are: what the devices send each other are gradients, never images
    text = in_parts.lower(once, shared, preprocess, key).compile().as_text()
    moved = [line for line in text.splitlines() if re.search(r"= u8.*(all-to-all|all-gather|collective-permute)", line)]
    assert mesh.size == 2 and "all-reduce" in text and not moved


def test_parts_draw_dropout_of_their_own():
    layers = (Dropout("drop4"), dataclasses.replace(TINY.layers[-1]))
    arch = with_recipe(Arch((*TINY.layers[:-1], *layers), 40, 5, recipe=TINY.recipe), filter_rms=0.0)
    tx, preprocess = make_optimizer(arch.recipe), GREY
    start, batch = begun(arch, tx), a_batch(2)
    twice = jax.tree.map(lambda rows: np.repeat(rows[:1], 2, axis=0), batch)  # two parts of the same image
    step = functools.partial(train_step, net=ConvNet(arch), tx=tx, total_steps=9)
    after = jax.jit(functools.partial(step, grad_accum=2))(start, twice, preprocess, jax.random.key(5))[0]
    one = jax.tree.map(lambda rows: rows[:1], batch)
    same = jax.jit(step)(start, one, preprocess, jax.random.key(5))[0]
    kernel = [np.asarray(state.params["fc5"]["kernel"] - start.params["fc5"]["kernel"]) for state in (after, same)]
    rows = [
        np.abs(change).sum(axis=1) > 1e-4 * np.abs(change).max() for change in kernel
    ]  # inputs that were not dropped
    assert rows[0].sum() > rows[1].sum()


@pytest.mark.parametrize("grad_accum", [1, 2])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_steps_lower_for_gpu_and_tpu(dtype, grad_accum):
    """Nothing in the main path is for CPU alone."""
    tx, net = make_optimizer(TINY.recipe), ConvNet(TINY, dtype)
    state = jax.eval_shape(functools.partial(init_state, arch=TINY, tx=tx), jax.random.key(0))
    batch, preprocess = a_batch(), Preprocess.of(TINY, jax.ShapeDtypeStruct((CANVAS, CANVAS, 3), jnp.float32))

    def step(state, batch, preprocess, seed):
        options = {"net": net, "tx": tx, "total_steps": 9, "grad_accum": grad_accum}
        return train_step(state, batch, preprocess, jax.random.key(seed), **options)

    platforms = ("cuda", "tpu", "cpu")
    jax.export.export(jax.jit(step), platforms=platforms)(state, batch, preprocess, 0)
    evaluate = jax.jit(functools.partial(eval_step, net=net))
    jax.export.export(evaluate, platforms=platforms)(state.params, batch, preprocess)


@pytest.mark.parametrize("count, ahead", [(0, 2), (1, 2), (5, 2), (5, 1)])
def test_batches_reach_the_devices_ahead_of_their_use(count, ahead):
    mesh, read = data_mesh(8), []

    def batches():
        for number in range(count):
            read.append(number)
            yield {"label": np.full(8, number, np.int32), "index": np.arange(8)}

    for number, batch in enumerate(on_device(mesh, batches(), ["label"], ahead=ahead)):
        assert batch.keys() == {"label"} and (batch["label"] == number).all()
        assert len(batch["label"].addressable_shards) == 2
        assert len(read) == min(count, number + ahead)
    assert len(read) == count
