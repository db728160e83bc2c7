"""What people give to the functions in the wrong order, type or shape: one sentence that says what to do."""

import copy
import dataclasses
import pickle
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import TINY, pixels, random_params

import zfjax
from zfjax import AvgPool, Conv, Dense, MaxPool, Preprocess
from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.layers import KINDS
from zfjax.zoo import ARCHS, get_arch

PARAMS, IMAGES = random_params(TINY), jnp.asarray(pixels(TINY, count=2))
FORWARD = zfjax.forward(TINY, PARAMS, IMAGES)
WIDER = dataclasses.replace(TINY, layers=(dataclasses.replace(TINY.layers[0], features=9), *TINY.layers[1:]))
UNITS = zfjax.Units(*np.zeros((4, 1), int))
PROJECTION = zfjax.project(TINY, PARAMS, FORWARD, "conv1", UNITS)
BYTES = np.zeros((1, 40, 40, 3), np.uint8)
SHAPES = r"its layer conv1 has kernel \[7, 7, 3, 9\], bias \[9\], and they have kernel \[7, 7, 3, 8\], bias \[8\]"

WRONG = {
    "a seed for a key": (lambda: zfjax.init_params(0, TINY), r"the key must be one .* jax.random.key\(0\), not .* int"),
    "floats for a key": (lambda: zfjax.init_params(IMAGES, TINY), r"the key must be .* not float32 \[2, 40, 40, 3\]"),
    "init_params swapped": (lambda: zfjax.init_params(TINY, jax.random.key(0)), "architecture must be .* not key<fry>"),
    "forward swapped": (
        lambda: zfjax.forward(PARAMS, TINY, IMAGES),
        "architecture must be .* not a value of type dict",
    ),
    "images for params": (lambda: zfjax.forward(TINY, IMAGES, PARAMS), r"the parameters must be \{layer"),
    "a name for an Arch": (
        lambda: zfjax.forward("zf", PARAMS, IMAGES),
        "architecture must be .* not a value of type str",
    ),
    "a list for images": (lambda: zfjax.forward(TINY, PARAMS, [1.0]), "takes images .* not a value of type list"),
    "bytes": (lambda: zfjax.forward(TINY, PARAMS, BYTES), r"takes preprocessed images, .* run.preprocess\(pictures\)"),
    "traced bytes": (
        lambda: jax.jit(zfjax.forward, static_argnums=0)(TINY, PARAMS, BYTES),
        "takes preprocessed images",
    ),
    "int32 under vmap": (
        lambda: jax.vmap(lambda image: zfjax.forward(TINY, PARAMS, image[None]).logits)(BYTES.astype(np.int32)),
        "takes preprocessed images",
    ),
    "another's params": (lambda: zfjax.forward(WIDER, PARAMS, IMAGES), SHAPES),
    "no params": (lambda: zfjax.forward(TINY, {}, IMAGES), "its layer conv1 has .* and they have no such layer"),
    "no bias": (
        lambda: zfjax.forward(TINY, {**PARAMS, "fc5": {"kernel": PARAMS["fc5"]["kernel"]}}, IMAGES),
        r"its layer fc5 has .* and they have kernel \[10, 5\]$",
    ),
    "project with another's params": (
        lambda: zfjax.project(TINY, random_params(WIDER), FORWARD, "conv1", UNITS),
        "the parameters are not those of custom: its layer conv1",
    ),
    "project swapped": (lambda: zfjax.project(PARAMS, TINY, FORWARD, "conv1", UNITS), "the architecture must be"),
    "project of images": (lambda: zfjax.project(TINY, PARAMS, IMAGES, "conv1", UNITS), "what zfjax.forward returns"),
    "paste into two sides": (lambda: zfjax.paste(PROJECTION, (64, 64)), r"image_size is .* not \(64, 64\)"),
    "paste into halves": (lambda: zfjax.paste(PROJECTION, 64.5), "image_size is .* not 64.5"),
    "stride": (lambda: Conv("c", 8, 3, stride=2), "^Conv has no stride: strides is meant\\?; it has name, .* strides"),
    "stride without kernel": (lambda: Conv("c", 8, stride=2), "^Conv has no stride: strides is meant"),
    "kernel_size": (lambda: Conv("c", 8, kernel_size=3), "^Conv has no kernel_size"),
    "no kernel": (lambda: Conv("c", 8), "^Conv needs name, features, kernel; kernel is missing"),
    "windows": (lambda: MaxPool("p", windows=2), "^MaxPool has no windows: window is meant"),
    "activation": (lambda: Dense("d", activation="relu"), "^Dense has no activation; it has name"),
    "no name": (lambda: AvgPool(window=2), "^AvgPool needs name"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_one_sentence(name):
    call, said = WRONG[name]
    with pytest.raises(InputError, match=said):
        call()


def test_layers_are_copied_and_pickled():
    for layer in (TINY.layers[0], *(layer for arch in ARCHS.values() for layer in arch.layers)):
        assert pickle.loads(pickle.dumps(layer)) == copy.copy(layer) == copy.deepcopy(layer) == layer
    assert len(KINDS) > 9


FLOATS, WHOLE = np.full((50, 50, 3), 0.5), np.full((3, 50, 50), 7, np.uint8)
PICTURES = {
    "str": ("a/b.png", "not str; open\\('a/b.png', \"rb\"\\).read\\(\\) gives those of a file"),
    "path": (Path("b.png"), "not PosixPath; open\\('b.png', \"rb\"\\)"),
    "list of paths": (["a.png"], "not str; open\\('a.png', \"rb\"\\)"),
    "0..1": (FLOATS, r"got float64 \[50, 50, 3\]; of floats in 0..1, \(255 \* image\).round\(\).astype\('uint8'\)"),
    "0..255": (jnp.asarray(FLOATS * 300), r"of floats in 0..255, image.round\(\).astype\('uint8'\) makes it"),
    "CHW": (WHOLE, r"got uint8 \[3, 50, 50\]; channels come last: image.transpose\(1, 2, 0\)"),
    "NCHW": (WHOLE[None], r"channels come last"),
    "float CHW": (WHOLE / 255, r"channels come last"),
    "int": (WHOLE[0].astype(int), r"got int64 \[50, 50\]$"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_of_other_conventions(name):
    picture, said = PICTURES[name]
    with pytest.raises(InputError, match=said):
        Preprocess.of(TINY)(picture)


def test_the_advice_holds():
    preprocess = Preprocess.of(TINY)
    assert preprocess((255 * FLOATS).round().astype("uint8")).shape == preprocess(WHOLE.transpose(1, 2, 0)).shape


def test_a_network_without_a_classifier(monkeypatch):
    headless = Arch((Conv("conv1", 8, kernel=3), Dense("fc2", 7)), image_size=8, num_classes=7, name="headless")
    monkeypatch.setitem(ARCHS._built, "headless", headless)
    monkeypatch.setitem(ARCHS._builders, "headless", lambda: headless)
    assert get_arch("headless") == headless and get_arch("headless", num_classes=7) == headless
    with pytest.raises(
        InputError, match=r"headless has no classifier for 5 classes: its last layer, fc2, is \[1, 1, 7\]"
    ):
        get_arch("headless", num_classes=5)
    monkeypatch.setitem(ARCHS._built, "headless", dataclasses.replace(headless, layers=headless.layers[:1]))
    with pytest.raises(InputError, match=r"no classifier for 7 classes: its last layer, conv1, is \[6, 6, 8\]"):
        get_arch("headless", num_classes=7)
    monkeypatch.undo()
    assert all(get_arch(name, num_classes=3).rows[-1].shape == (1, 1, 3) for name in ARCHS)
