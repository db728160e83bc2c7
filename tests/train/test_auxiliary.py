"""Classifiers half-way up: a share of their loss is trained on, and nothing else knows of them."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import HE, canvas_side, random_params
from oracle import plain_forward
from states import begun

from zfjax.arch import Arch
from zfjax.convnet import ConvNet, forward
from zfjax.errors import InputError
from zfjax.layers import Conv, Dense, GlobalAvgPool, pad
from zfjax.preprocess import Preprocess
from zfjax.recipe import Recipe
from zfjax.train.settings import Settings, resolve, training
from zfjax.train.step import eval_step, train_step
from zfjax.zoo import ARCHS

SGD = dataclasses.replace(HE, filter_rms=0.0, weight_decay=0.0, schedule="constant", auxiliary=("head",))
LAYERS = (
    Conv("conv1", 4, kernel=3, strides=2),
    Dense("head", relu=False),
    Conv("conv2", 4, kernel=3, padding=pad(1), inputs=("conv1",)),
    GlobalAvgPool("mean"),
    Dense("fc", relu=False),
)
ARCH = Arch(LAYERS, image_size=16, num_classes=4, recipe=SGD)
SIDE = canvas_side(ARCH)
PREPROCESS = Preprocess.of(ARCH, np.full((SIDE, SIDE, 3), 127, np.float32))


def a_batch():
    rng = np.random.default_rng(1)
    return {
        "image": rng.integers(0, 256, (6, SIDE, SIDE, 3), dtype=np.uint8),
        "label": rng.integers(0, 4, 6, dtype=np.int32),
        "crop": np.tile(np.int32([1, 1, 0]), (6, 1)),
        "mask": np.ones(6, bool),
    }


class Plain:
    """No momentum: the updates are the gradients."""

    init = staticmethod(lambda params: ())
    update = staticmethod(lambda gradients, state, params: (gradients, state))


def cross_entropy(logits, labels):
    return -jax.nn.log_softmax(logits)[jnp.arange(len(labels)), labels].mean()


@pytest.mark.parametrize("weight", [0.3, 0.0])
def test_the_step_follows_the_sum_of_the_losses(weight):
    arch = dataclasses.replace(ARCH, recipe=dataclasses.replace(SGD, auxiliary_weight=weight))
    params, batch = random_params(arch), a_batch()
    images = PREPROCESS.crops(batch["image"], batch["crop"])

    def by_hand(params):
        maps = plain_forward(arch, params, images, relu=jax.nn.relu)
        own, head = (cross_entropy(maps[name][:, 0, 0], batch["label"]) for name in ("fc", "head"))
        return own + weight * head, own

    (_, own), gradients = jax.jit(jax.value_and_grad(by_hand, has_aux=True))(params)
    state = begun(arch, Plain)._replace(params=params)
    options = {"net": ConvNet(arch), "tx": Plain, "total_steps": 9}
    after, sums = jax.jit(functools.partial(train_step, **options))(state, batch, PREPROCESS, jax.random.key(1))
    assert float(sums["loss"]) == pytest.approx(6 * float(own), rel=1e-5)
    for layer, values in params.items():
        for name, value in values.items():
            moved = value - arch.recipe.learning_rate * gradients[layer][name]
            np.testing.assert_allclose(after.params[layer][name], moved, rtol=1e-4, atol=1e-6)
    assert (np.abs(gradients["head"]["kernel"]).max() > 0) == (weight > 0)


def test_evaluation_does_not_know_them():
    params, batch = random_params(ARCH), a_batch()
    other = {**params, "head": jax.tree.map(lambda value: value + 1, params["head"])}
    measure = jax.jit(functools.partial(eval_step, preprocess=PREPROCESS, net=ConvNet(ARCH)))
    assert measure(params, batch) == measure(other, batch)
    images = PREPROCESS.centre(batch["image"])
    answer = jax.jit(functools.partial(forward, ARCH))
    np.testing.assert_array_equal(answer(params, images).logits, answer(other, images).logits)


def test_the_recipe_names_layers_that_answer():
    with pytest.raises(InputError, match="unknown layer 'loss1'"):
        dataclasses.replace(ARCH, recipe=dataclasses.replace(SGD, auxiliary=("loss1",)))
    with pytest.raises(InputError, match="mean cannot help to train"):
        dataclasses.replace(ARCH, num_classes=7, recipe=dataclasses.replace(SGD, auxiliary=("mean",)))
    for wrong in ("head", 3, ("a b",)):
        with pytest.raises(InputError, match="auxiliary must be a tuple of names of layers"):
            Recipe(auxiliary=wrong)  # pyright: ignore
    with pytest.raises(InputError, match="auxiliary_weight must be a finite number from 0 on, not -1"):
        Recipe(auxiliary_weight=-1)
    assert ARCHS["googlenet-aux"].recipe.auxiliary == ("loss1/classifier", "loss2/classifier")
    assert ARCHS["googlenet-aux"].recipe.auxiliary_weight == 0.3


def test_what_earlier_versions_wrote_opens():
    written = ARCH.to_dict()
    del written["recipe"]["auxiliary"], written["recipe"]["auxiliary_weight"]
    assert Arch.from_dict(written).recipe == dataclasses.replace(SGD, auxiliary=())
    assert Arch.from_dict(ARCH.to_dict() | {"recipe": {**ARCH.to_dict()["recipe"], "auxiliary": ["head"]}}) == ARCH


def test_they_are_no_flags():
    arch = resolve(Settings(dataset="scenes", width=0.1, image_size=96), "googlenet-aux")
    assert len(arch.recipe.auxiliary) == 2

    class Data:
        name, train = "scenes", range(100)
        fingerprint = staticmethod(lambda: None)

    config = training(Settings(dataset="scenes"), arch, Data(), "somewhere")["config"]  # pyright: ignore
    assert "auxiliary" not in config and config["arch"]["recipe"]["auxiliary"] == arch.recipe.auxiliary
    assert config["learning_rate"] == arch.recipe.learning_rate
