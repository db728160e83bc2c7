"""What a field of a layer or of a network cannot be is said in one sentence; what means the same is made the same."""

import dataclasses
import math

import jax
import numpy as np
import pytest

from zfjax.arch import Arch
from zfjax.convnet import init_params
from zfjax.errors import InputError
from zfjax.layers import KINDS, LRN, Add, AvgPool, BatchNorm, Concat, Conv, Dense, Dropout, MaxPool
from zfjax.recipe import Recipe

NO_COUNT = (0, -1, 2.0, 0.5, "3", None, True, math.nan, [3], 1 + 1j)
NO_PAIR = (0, -3, 2.0, "33", (3,), (3, 0), (3, 5, 1), [3, "5"], (True, 3), {}, b"\x03\x05", None)
NO_PADDING = (1, (1, 1), ((1, 1),), ((0, 0), (0, -1)), ((0, 0), (0, 0.5)), ((0, 0), (0, 0), (0, 0)), "SAME", None)
NO_NUMBER = ("1", math.nan, math.inf, -math.inf, True, (1.0,), 1j)
CASES = [
    *((Conv, {"features": 2, "kernel": 3}, "groups", value) for value in NO_COUNT),
    *((Conv, {"features": 2, "kernel": 3}, "features", value) for value in NO_COUNT if value is not None),
    *(
        (Conv, {"features": 2, "kernel": 3}, field, value)
        for field in ("kernel", "strides", "dilation")
        for value in NO_PAIR
    ),
    *((MaxPool, {"window": 2}, field, value) for field in ("window",) for value in NO_PAIR),
    *((AvgPool, {"window": 2}, "padding", value) for value in NO_PADDING),
    *((Conv, {"features": 2, "kernel": 3}, "padding", value) for value in NO_PADDING),
    *((Conv, {"features": 2, "kernel": 3}, "bias", value) for value in NO_NUMBER),
    *((LRN, {}, field, value) for field in ("k", "alpha", "beta") for value in NO_NUMBER),
    *((LRN, {}, "n", value) for value in (0, 4, -1, 2.5, "5", None)),
    *((BatchNorm, {}, "eps", value) for value in (*NO_NUMBER, -1e-3)),
    *((BatchNorm, {}, "momentum", value) for value in (*NO_NUMBER, -0.1, 1.1)),
    *((Dropout, {}, "rate", value) for value in (*NO_NUMBER, -0.1, 1.1)),
    *((Dense, {"features": 2}, "relu", value) for value in (0, 1, "no", None)),
    *((AvgPool, {"window": 2}, "count_include_pad", value) for value in (0, "yes")),
    *((Concat, {}, "inputs", value) for value in ("conv1", ("conv1", 2), [None], {"conv1": 1}, 3)),
]


@pytest.mark.parametrize("kind, given, field, value", CASES)
def test_a_field_is_refused_by_layer_and_name(kind, given, field, value):
    with pytest.raises(InputError, match=f"^here: {field} must be .*, not ") as caught:
        kind("here", **{**given, field: value})
    assert "\n" not in str(caught.value)


PATHS = [
    "/conv",
    "../conv",
    "a/../conv",
    ".",
    "a/.",
    "a//b",
    "a/",
    "a\\b",
    "a b",
    "a,b",
    "conv\n",
    "\x1b[31m",
    "x" * 201,
]


@pytest.mark.parametrize("name", ["", None, 3, b"conv1", ("conv1",), *PATHS])
@pytest.mark.parametrize("kind", [LRN, BatchNorm, Dropout, Add])
def test_a_layer_has_a_name(kind, name):
    with pytest.raises(InputError, match=f"^{kind.__name__}: name must be at most 200 letters, digits, .*, not "):
        kind(name)


@pytest.mark.parametrize("name", ["conv1", "inception_3a/1x1", "features.0", "a-b.c/d/e_2", "größe", "..."])
def test_names_of_other_libraries_are_names(name):
    assert LRN(name).name == name and LRN("norm", inputs=(name,)).inputs == (name,)


def test_every_field_of_every_kind_is_checked():
    checked = {(case[0].__name__, case[2]) for case in CASES}
    fields = {field.name for kind in KINDS.values() for field in dataclasses.fields(kind)} - {"name"}
    assert {field for _, field in checked} == fields


def test_lists_and_numbers_of_numpy_mean_the_same():
    given = Conv("conv1", np.int64(4), kernel=[3, np.int32(5)], strides=[1, 2], padding=[[1, 1], [0, np.int8(2)]])
    plain = Conv("conv1", 4, kernel=(3, 5), strides=(1, 2), padding=((1, 1), (0, 2)))
    assert given == plain and hash(given) == hash(plain)
    assert Concat("all", inputs=["a", "b"]) == Concat("all", inputs=("a", "b"))
    assert Dense("fc", 3, relu=np.True_).relu is True and LRN("norm", k=np.float32(2)).k == 2.0
    assert Arch([plain], image_size=np.int64(9)) == Arch((plain,), image_size=9)


@pytest.mark.parametrize("field", ["image_size", "num_classes", "channels"])
@pytest.mark.parametrize("value", [0, -1, 9.0, "9", None, True])
def test_sizes_of_a_network(field, value):
    with pytest.raises(InputError, match=f"{field} must be a whole number from 1 on, not "):
        Arch((Conv("conv1", 2, kernel=1),), **{"image_size": 9, field: value})


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, "1", None, True])
def test_scale_of_the_input(value):
    with pytest.raises(InputError, match="input_scale must be a number above 0, not "):
        Arch((Conv("conv1", 2, kernel=1),), image_size=9, input_scale=value)


def test_initial_weights_of_odd_networks():
    assert init_params(jax.random.key(0), Arch((MaxPool("pool", window=2),), image_size=4)) == {}
    unknown = Arch((Conv("conv1", 2, kernel=1),), image_size=4, recipe=Recipe(init="zeros"))  # pyright: ignore
    with pytest.raises(InputError, match="init is 'paper', 'he' or 'glorot', not 'zeros'"):
        init_params(jax.random.key(0), unknown)
