"""Running statistics: measured by the forward pass, replaced by the step, neither decayed nor given momentum."""

import dataclasses
import functools
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import canvas_side, random_params
from oracle import compiled_for_one_run, plain_forward
from states import begun

from zfjax.arch import Arch
from zfjax.convnet import ConvNet, forward
from zfjax.data import CLASS_NAMES, Dataset
from zfjax.data.scenes.scenes import SceneSource
from zfjax.layers import Add, BatchNorm, Conv, Dense, GlobalAvgPool, MaxPool, pad
from zfjax.preprocess import Preprocess
from zfjax.recipe import Recipe
from zfjax.runs.run import load_run
from zfjax.runtime.devices import data_mesh, everywhere, share
from zfjax.train.loop import train
from zfjax.train.settings import described
from zfjax.train.step import make_optimizer, train_step
from zfjax.train.stopping import StopSignal

RESIDUAL = Arch(
    (
        Conv("conv1", 8, kernel=5, strides=2, padding=pad(2), bias=None, relu=False),
        BatchNorm("bn1", relu=True),
        MaxPool("pool1"),
        Conv("conv2", 8, kernel=3, padding=pad(1), bias=None, relu=False),
        BatchNorm("bn2", momentum=0.8),
        Add("sum", inputs=("bn2", "pool1"), relu=True),
        GlobalAvgPool("mean"),
        Dense("fc", relu=False),
    ),
    image_size=24,
    num_classes=10,
    recipe=Recipe("adam", 3e-3, weight_decay=0.5, batch_size=16, epochs=2, init="he", filter_rms=0.1),
    input_scale=1 / 64,
)
SIDE = canvas_side(RESIDUAL)
GREY = Preprocess.of(RESIDUAL, np.full((SIDE, SIDE, 3), 127, np.float32))


def a_batch(count=8):
    rng = np.random.default_rng(1)
    return {
        "image": rng.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8),
        "label": rng.integers(0, 10, count, dtype=np.int32),
        "crop": np.tile(np.int32([1, 2, 0]), (count, 1)),
    }


def by_batch(arch, params, images):
    """The activations with every BatchNorm's statistics taken from the batch, and those statistics, by hand."""
    plain = compiled_for_one_run(functools.partial(plain_forward, arch, images=images, relu=jax.nn.relu))
    params, seen = dict(params), {}
    for number, layer in enumerate(arch.layers):
        if isinstance(layer, BatchNorm):
            below = (arch.layers[number - 1].name,)
            x = np.asarray(plain(params)[below[0]], np.float64)
            mean, var = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
            params[layer.name] = {**params[layer.name], "mean": jnp.float32(mean), "var": jnp.float32(var)}
            seen[layer.name] = mean, x.var(axis=(0, 1, 2), ddof=1)
    return plain(params), seen


def test_in_training_the_batch_is_normalised_by_its_own_statistics():
    params, images = random_params(RESIDUAL), GREY.crops(a_batch()["image"], a_batch()["crop"])
    in_training = jax.jit(functools.partial(ConvNet(RESIDUAL).apply, train=True))
    out = in_training({"params": params}, images, rngs={"dropout": jax.random.key(0)})
    expected, seen = by_batch(RESIDUAL, params, images)
    for name, value in expected.items():
        if name != "image":
            np.testing.assert_allclose(out.activations[name], value, rtol=1e-3, atol=1e-4)
    for name, keep in (("bn1", 0.9), ("bn2", 0.8)):
        for which, value in zip(("mean", "var"), seen[name], strict=True):
            running = keep * params[name][which] + (1 - keep) * value
            np.testing.assert_allclose(out.statistics[name][which], running, rtol=1e-4, atol=1e-5)
    assert jax.eval_shape(functools.partial(forward, RESIDUAL), params, images).statistics == {}


def test_gradients_flow_through_the_statistics():
    params, images = random_params(RESIDUAL), GREY.crops(a_batch()["image"], a_batch()["crop"])

    def ours(kernel):
        own = {**params, "conv1": {"kernel": kernel}}
        return ConvNet(RESIDUAL).apply({"params": own}, images, train=True).logits.std()

    def by_jax(kernel):
        x, own = images, {**params, "conv1": {"kernel": kernel}}
        for bn in ("bn1", "bn2"):  # the statistics as functions of the parameters
            below = plain_forward(RESIDUAL, own, x, relu=jax.nn.relu)[{"bn1": "conv1", "bn2": "conv2"}[bn]]
            own = {**own, bn: {**own[bn], "mean": below.mean((0, 1, 2)), "var": below.var((0, 1, 2))}}
        return plain_forward(RESIDUAL, own, x, relu=jax.nn.relu)["fc"].reshape(8, -1).std()

    kernel = jnp.asarray(params["conv1"]["kernel"])
    expected, found = jax.jit(jax.grad(by_jax))(kernel), jax.jit(jax.grad(ours))(kernel)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * float(jnp.abs(expected).max()))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_step_replaces_statistics_and_does_not_train_them(optimizer):
    recipe = dataclasses.replace(RESIDUAL.recipe, optimizer=optimizer, learning_rate=0.05)
    arch = dataclasses.replace(RESIDUAL, recipe=recipe)
    tx, batch, key = make_optimizer(recipe), a_batch(), jax.random.key(2)
    state = begun(arch, tx)
    step = jax.jit(functools.partial(train_step, net=ConvNet(arch), tx=tx, total_steps=9))
    images = GREY.crops(batch["image"], batch["crop"])
    measure = jax.jit(lambda params: ConvNet(arch).apply({"params": params}, images, train=True).statistics)
    for _ in range(3):
        before = state.params
        running = measure(before)
        state, _ = step(state, batch, GREY, key)
        for name in ("bn1", "bn2"):
            for which in ("mean", "var"):
                np.testing.assert_allclose(state.params[name][which], running[name][which], rtol=1e-4, atol=1e-5)
            assert np.abs(state.params[name]["scale"] - before[name]["scale"]).max() > 0


def test_a_batch_in_parts_averages_their_statistics():
    tx, batch, key = make_optimizer(RESIDUAL.recipe), a_batch(), jax.random.key(2)
    state = begun(RESIDUAL, tx)
    step = functools.partial(train_step, net=ConvNet(RESIDUAL), tx=tx, total_steps=9)
    whole, in_parts = jax.jit(step), jax.jit(functools.partial(step, grad_accum=2))
    parts = [jax.tree.map(lambda rows, first=first: rows[first::2], batch) for first in (0, 1)]
    each = [whole(state, part, GREY, key)[0].params["bn1"]["mean"] for part in parts]
    after, _ = in_parts(state, batch, GREY, key)
    np.testing.assert_allclose(after.params["bn1"]["mean"], (each[0] + each[1]) / 2, rtol=1e-4, atol=1e-6)


def test_two_devices_measure_the_whole_batch():
    """And not each its own half: the statistics are those of numpy over all rows."""
    tx, batch, key = make_optimizer(RESIDUAL.recipe), a_batch(), jax.random.key(2)
    batch["image"][::2] //= 4  # so that the halves differ, whichever way the rows are dealt
    state, mesh = begun(RESIDUAL, tx), data_mesh(8)
    assert mesh.size > 1
    step = jax.jit(functools.partial(train_step, net=ConvNet(RESIDUAL), tx=tx, total_steps=9))
    there = jax.device_put((state, GREY, key), everywhere(mesh))
    divided, _ = step(there[0], share(mesh, batch, batch), *there[1:])
    _, seen = by_batch(RESIDUAL, state.params, GREY.crops(batch["image"], batch["crop"]))
    for name, keep in (("bn1", 0.9), ("bn2", 0.8)):
        for which, value in zip(("mean", "var"), seen[name], strict=True):
            expected = keep * state.params[name][which] + (1 - keep) * value
            np.testing.assert_allclose(divided.params[name][which], expected, rtol=1e-4, atol=1e-5)


NAMED = Arch(  # as other libraries name layers
    (
        Conv("layer1.0.conv1", 2, kernel=3, bias=None, relu=False),
        BatchNorm("layer1.0.bn1", relu=True),
        Conv("layer1.0/dw", 2, kernel=1, groups=2, bias=None, relu=False),
        BatchNorm("layer1.0/dw/bn"),
        Add("layer1.0", inputs=("layer1.0/dw/bn", "layer1.0.bn1"), relu=True),
        Dense("fc", relu=False),
    ),
    image_size=8,
    num_classes=10,
    recipe=Recipe(batch_size=4, epochs=1, init="he", filter_rms=0.0),
    input_scale=1 / 64,
)


def test_statistics_survive_stop_and_resume_to_the_bit(tmp_path, monkeypatch):
    small = [_First(SceneSource(split, size=canvas_side(NAMED)), 12) for split in ("train", "val")]
    config = {"dataset": "scenes", "data_dir": None, **described(NAMED)}

    def go_on(name):
        train(NAMED, Dataset("scenes", *small, CLASS_NAMES, "some scenes"), tmp_path / name, config=config)

    go_on("whole")
    agreed = StopSignal.agreed
    monkeypatch.setattr(StopSignal, "agreed", lambda self, mesh: signal.SIGTERM)
    with pytest.raises(SystemExit):
        go_on("parts")
    assert load_run(tmp_path / "parts").step == 1
    monkeypatch.setattr(StopSignal, "agreed", agreed)
    go_on("parts")
    whole, parts = (load_run(tmp_path / name) for name in ("whole", "parts"))
    assert whole.step == parts.step == 3 and np.abs(whole.params["layer1.0/dw/bn"]["mean"]).max() > 1e-3
    jax.tree.map(np.testing.assert_array_equal, whole.params, parts.params)


@pytest.mark.slow
def test_a_residual_network_is_trained_saved_and_read(tmp_path):
    sources = [SceneSource(split, size=SIDE, channels=3) for split in ("train", "val")]
    small = [_First(source, count) for source, count in zip(sources, (96, 16), strict=True)]
    data = Dataset("scenes", *small, CLASS_NAMES, "some scenes")
    config = {"dataset": "scenes", "data_dir": None, **described(RESIDUAL)}
    train(RESIDUAL, data, tmp_path / "run", config=config)
    run = load_run(tmp_path / "run")
    assert run.step == 12 and run.arch == RESIDUAL
    assert np.asarray(run.params["bn1"]["var"]).min() > 0 and np.abs(run.params["bn1"]["mean"]).max() > 1e-3
    seen = run.preprocess.centre(np.stack([small[1][n]["image"] for n in range(8)]))
    assert np.isfinite(jax.jit(forward, static_argnums=0)(run.arch, run.params, seen).logits).all()


class _First:
    """The first so many images of a source."""

    def __init__(self, source, count):
        self.source, self.count, self.class_names = source, count, source.class_names

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.source[index]

    def describe(self, index):
        return self.source.describe(index)
