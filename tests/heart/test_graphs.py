"""Networks that branch, named and random: forward, deconvnet and changed windows against lax and autodiff."""

import functools
import os

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from nets import pixels, random_params, without_relu
from oracle import (
    assert_close,
    compiled_for_one_run,
    deconv_relu,
    guided_relu,
    oracle,
    plain_forward,
    some_units,
    worst_error,
)

from zfjax import convnet, deconvnet
from zfjax.arch import Arch
from zfjax.deconvnet import strongest
from zfjax.errors import InputError
from zfjax.layers import (
    IMAGE,
    LRN,
    VALID,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Dropout,
    GlobalAvgPool,
    Identity,
    MaxPool,
    pad,
    pair,
)
from zfjax.ops import local_response_norm
from zfjax.patched import forward_changed, place_changed
from zfjax.rows import Span
from zfjax.windows import Corner

forward = jax.jit(convnet.forward, static_argnums=0)
project = jax.jit(deconvnet.project, static_argnums=(0, 3), static_argnames=("overlap", "norm", "seed", "rectify"))
paste = jax.jit(deconvnet.paste, static_argnums=1)
project_map = jax.jit(deconvnet.project_map, static_argnums=(0, 3), static_argnames=("overlap", "norm"))


def net(*layers, size=25, channels=2) -> Arch:
    return Arch(layers, image_size=size, num_classes=4, channels=channels)


GRAPHS = {
    "a strided shortcut with Add": net(
        Conv("stem", 6, kernel=3, padding=pad(1)),
        Conv("a1", 8, kernel=3, strides=2, padding=pad(1), bias=None, relu=False),
        BatchNorm("a1bn", relu=True),
        Conv("a2", 8, kernel=3, padding=pad(1), bias=None, relu=False),
        BatchNorm("a2bn"),
        Conv("short", 8, kernel=1, strides=2, bias=None, relu=False, inputs=("stem",)),
        BatchNorm("shortbn"),
        Add("sum", inputs=("a2bn", "shortbn"), relu=True),
        Conv("b1", 8, kernel=3, padding=pad(1)),
        Add("sum2", inputs=("b1", "sum"), relu=True),
        GlobalAvgPool("mean"),
        Dense("fc", relu=False),
    ),
    "Concat of unequal kernels and paddings": net(
        Conv("one", 3, kernel=1),
        Conv("three", 4, kernel=3, padding=((1, 1), (0, 2)), inputs=(IMAGE,)),
        Conv("five", 5, kernel=(5, 3), padding=((3, 1), (1, 1)), inputs=(IMAGE,)),
        Concat("all", inputs=("one", "three", "five")),
        Conv("next", 4, kernel=3, strides=2),
        MaxPool("pool"),
        Dense("fc", relu=False),
    ),
    "an inception module": net(
        Conv("stem", 6, kernel=3, strides=2, padding=pad(1)),
        Conv("in1", 4, kernel=1),
        Conv("in3reduce", 4, kernel=1, inputs=("stem",)),
        Conv("in3", 5, kernel=3, padding=pad(1)),
        Conv("in5reduce", 3, kernel=1, inputs=("stem",)),
        Conv("in5", 4, kernel=5, padding=pad(2)),
        MaxPool("inpool", window=3, strides=1, padding=pad(1), inputs=("stem",)),
        Conv("inpoolconv", 3, kernel=1),
        Concat("in", inputs=("in1", "in3", "in5", "inpoolconv")),
        LRN("norm"),
        MaxPool("pool"),
        Conv("top", 4, kernel=3),
        GlobalAvgPool("mean"),
        Dropout("drop"),
        Dense("fc", relu=False),
    ),
    "BatchNorm before and after ReLU": net(
        Conv("conv1", 6, kernel=5, strides=2, relu=False),
        BatchNorm("before", relu=True),
        Conv("conv2", 6, kernel=3),
        BatchNorm("after"),
        MaxPool("pool", window=2, padding=VALID, relu=True),
        Conv("conv3", 4, kernel=2),
    ),
    "a layer that feeds three": net(
        Conv("stem", 4, kernel=3),
        Conv("left", 4, kernel=3, padding=pad(1)),
        Identity("same", inputs=("stem",), relu=True),
        AvgPool("mean", window=3, strides=1, padding=pad(1), inputs=("stem",)),
        Add("sum", inputs=("left", "same", "mean", "stem")),
        MaxPool("pool"),
        Conv("top", 4, kernel=3),
    ),
    "average pools at the border": net(
        Conv("stem", 4, kernel=3),
        AvgPool("counted", window=3, strides=2, padding=pad(1)),
        Conv("middle", 4, kernel=2),
        AvgPool("uncounted", window=(3, 2), strides=2, padding=((1, 1), (1, 0)), count_include_pad=False),
        Conv("top", 4, kernel=2),
    ),
    "dilated and rectangular": net(
        Conv("wide", 4, kernel=(1, 7), padding=((0, 0), (3, 3))),
        Conv("tall", 4, kernel=(7, 1), strides=(2, 1), padding=((3, 3), (0, 0))),
        MaxPool("pool", window=(2, 3), strides=(1, 2), padding=((0, 1), (1, 1))),
        Conv("dilated", 4, kernel=3, padding=pad(2), dilation=2),
        Conv("more", 4, kernel=(2, 3), dilation=(3, 1)),
    ),
    "depthwise": net(
        Conv("stem", 6, kernel=3, strides=2, padding=pad(1)),
        Conv("depth", 6, kernel=3, padding=pad(1), groups=6, bias=None, relu=False),
        BatchNorm("depthbn", relu=True),
        Conv("point", 8, kernel=1),
        Conv("depth2", 8, kernel=3, strides=2, padding=pad(1), groups=8),
        Conv("point2", 4, kernel=1),
    ),
    "branches of different strides": net(
        Conv("fast", 4, kernel=3, strides=2, padding=pad(1)),
        Conv("slow", 4, kernel=3, padding=pad(1), inputs=(IMAGE,)),
        MaxPool("slowpool", window=3, strides=3, padding=VALID),
        Dense("left", 4, inputs=("fast",)),
        Dense("right", 4, inputs=("slowpool",)),
        Concat("both", inputs=("left", "right")),
        Dense("fc", relu=False),
    ),
}
# The last layers, through which all others are passed, and every third of those below: each costs two seconds.
SOME = [(name, layer) for name, arch in GRAPHS.items() for layer in arch.layer_names[::-1][::3]]


@functools.cache
def case(name):
    arch = GRAPHS[name]
    params, images = random_params(arch), pixels(arch)
    return arch, params, images, forward(arch, params, images)


def whole_map_of(arch, params, fwd, layer, units, **options):
    """Units projected over the whole image, each as a map that is zero elsewhere."""
    maps = np.asarray(fwd.activations[layer])
    where = (units.row, units.col, units.channel)
    lone = np.zeros((len(units.image), *maps.shape[1:]), maps.dtype)
    lone[np.arange(len(lone)), *where] = maps[units.image, *where]
    return project_map(arch, params, fwd, layer, lone, image=units.image, **options)


@pytest.mark.parametrize("name", GRAPHS)
def test_forward_equals_lax(name):
    arch, params, images, fwd = case(name)
    expected = compiled_for_one_run(lambda x: plain_forward(arch, params, x, norm=local_response_norm))(images)
    for layer in arch.layer_names:
        assert_close(fwd.activations[layer], expected[layer], 2e-5)
        assert fwd.activations[layer].shape[1:] == arch.shapes()[layer]


@pytest.mark.parametrize(("name", "layer"), SOME)
def test_projections_in_windows_equal_autodiff_and_the_whole_map(name, layer):
    arch, params, images, fwd = case(name)
    units = some_units(arch, layer, count=3)
    expected = oracle(arch, params, images, layer, units)
    projection = project(arch, params, fwd, layer, units)
    rows, columns = (arch.receptive_field(layer, axis).size for axis in (0, 1))
    assert projection.pixels.shape[1:3] == (rows, columns)
    assert_close(paste(projection, arch.image_size), expected)
    assert_close(whole_map_of(arch, params, fwd, layer, units), expected)


@pytest.mark.parametrize("overlap", ["max", "last"])
@pytest.mark.parametrize(("name", "layer"), [("an inception module", "top"), ("dilated and rectangular", "more")])
def test_overlap_rules_in_windows_and_on_the_whole_map(name, layer, overlap):
    arch, params, _, fwd = case(name)
    units = some_units(arch, layer)
    windows = paste(project(arch, params, fwd, layer, units, overlap=overlap), arch.image_size)
    assert_close(windows, whole_map_of(arch, params, fwd, layer, units, overlap=overlap))


@pytest.mark.parametrize(
    ("rectify", "relu"), [("signal", deconv_relu), ("activation", jax.nn.relu), ("both", guided_relu)]
)
def test_contrast_normalisation_and_every_rule_for_relus_on_the_way_down_a_graph(rectify, relu):
    arch, params, images, fwd = case("an inception module")
    units, options = some_units(arch, "top"), {"seed": "one"}
    pictures = paste(project(arch, params, fwd, "top", units, norm="vjp", rectify=rectify, **options), arch.image_size)
    assert_close(pictures, oracle(arch, params, images, "top", units, norm=local_response_norm, relu=relu, **options))


@pytest.mark.parametrize("name", GRAPHS)
def test_without_relu_it_is_the_plain_gradient(name):
    arch = without_relu(GRAPHS[name])
    params, images, layer = random_params(arch), pixels(arch, count=1), arch.layer_names[-1]
    fwd = forward(arch, params, images)
    unit = strongest(fwd, layer, [1])
    place = (0, int(unit.row[0]), int(unit.col[0]), 1)
    gradient = compiled_for_one_run(jax.grad(lambda x: convnet.forward(arch, params, x).activations[layer][place]))
    picture = paste(project(arch, params, fwd, layer, unit, norm="vjp", seed="one"), arch.image_size)
    assert_close(picture, gradient(images))


@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_leaks_from_biases_and_statistics(name):
    arch, params, _, fwd = case(name)
    layer = arch.layer_names[-1]
    assert not project_map(arch, params, fwd, layer, jnp.zeros_like(fwd.activations[layer])).any()


@pytest.mark.parametrize("name", GRAPHS)
def test_what_a_window_changes_is_computed_as_if_all_were(name):
    arch, params, images, _ = case(name)
    assert changed_error(arch, params, images[0], 5) <= 1e-5


@pytest.mark.parametrize(("name", "layer"), SOME[1::5])
def test_one_place_is_that_of_the_whole_computation(name, layer):
    arch, params, images, _ = case(name)
    copies, windows, corner = with_windows(arch, images[0], 5)
    rng, (height, width, _) = np.random.default_rng(4), arch.row(layer).shape
    place = Corner(*(np.append([0, size - 1], rng.integers(0, size, 7)) for size in (height, width)))

    @jax.jit
    def both(params, image, windows, corner, copies):
        whole = forward(arch, params, image[None])
        found = place_changed(arch, params, image, whole, windows, corner, layer, place)
        return found, forward(arch, params, copies).activations[layer]

    found, expected = both(params, images[0], windows, corner, copies)
    expected = np.asarray(expected)
    peak = np.abs(expected).max()
    np.testing.assert_allclose(found, expected[np.arange(9), place.top, place.left], rtol=1e-4, atol=1e-5 * peak)


def with_windows(arch, image, side) -> tuple[np.ndarray, np.ndarray, Corner]:
    """Nine copies of an image, each with a window of noise in a corner or in between; the windows and their corners."""
    rng, room = np.random.default_rng(3), arch.image_size - side
    tops, lefts = (np.array([0, 0, room, room, *rng.integers(0, room + 1, 5)]) for _ in range(2))
    lefts[:4] = [0, room, 0, room]
    windows = rng.normal(scale=60, size=(9, side, side, arch.channels)).astype(np.float32)
    copies = np.repeat(image[None], 9, axis=0)
    for copy, window, top, left in zip(copies, windows, tops, lefts, strict=True):
        copy[top : top + side, left : left + side] = window
    return copies, windows, Corner(tops, lefts)


def changed_error(arch, params, image, side) -> float:
    """The largest error of any layer, windows in every corner and in between."""
    copies, windows, corner = with_windows(arch, image, side)

    @jax.jit
    def both(params, image, windows, corner, copies):
        whole = convnet.forward(arch, params, image[None])
        return forward_changed(arch, params, image, whole, windows, corner), convnet.forward(arch, params, copies)

    changed, expected = jax.device_get(both(params, image, windows, corner, copies))  # NumPy compiles nothing
    peaks = {name: float(np.abs(value).max()) or 1.0 for name, value in expected.activations.items()}
    return max(
        float(np.abs(changed.activations[name] - value).max()) / peaks[name]
        for name, value in expected.activations.items()
    )


def test_spans_by_hand():
    arch = GRAPHS["Concat of unequal kernels and paddings"]
    rows, columns = arch.spans("all")[IMAGE]
    assert rows == Span(1, -3, 1) and columns == Span(1, -1, 2)  # 5 rows 3 up; 3 columns from 1 left, and from 0
    rows, columns = arch.spans("next")[IMAGE]
    assert rows == Span(2, -3, 3) and columns == Span(2, -1, 4)
    assert arch.spans("fc")["pool"] is None and arch.spans("fc")[IMAGE] is None
    assert arch.receptive_field("all") == (5, 1, -3) and arch.receptive_field("all", axis=1) == (4, 1, -1)
    assert GRAPHS["branches of different strides"].spans("both")[IMAGE] is None


def test_what_does_not_fit_together_is_refused():
    conv = Conv("conv1", 4, kernel=3)
    cases = {
        "conv2 reads 'conv9', and no layer before it is called so; there are image, conv1": (
            conv,
            Conv("conv2", 4, kernel=3, inputs=("conv9",)),
        ),
        "no layer can be called 'image'": (Conv("image", 4, kernel=3),),
        "conv2 reads one layer, not conv1, image; join them": (
            conv,
            Conv("conv2", 4, kernel=3, inputs=("conv1", IMAGE)),
        ),
        "sum cannot add maps of different shapes: conv1 is 18x18x4, image is 20x20x3": (
            conv,
            Add("sum", inputs=("conv1", IMAGE)),
        ),
        "all cannot join maps of different sizes: conv1 is 18x18x4, image is 20x20x3": (
            conv,
            Concat("all", inputs=("conv1", IMAGE)),
        ),
        "pool: padding .* must be smaller than the window 2": (MaxPool("pool", window=2, padding=pad(2)),),
        "no layer can be called 'params'": (Conv("params", 4, kernel=3),),
        "pool: a window of 17x17 has more than 256 cells": (MaxPool("pool", window=17),),
        "a network needs a tuple of layers, not \\(\\)": (),
        "a network needs a tuple of layers, not Conv": conv,
        "layers are values such as zfjax.Conv": ("conv1",),
        "too small; conv2 needs a window of 3x27 and gets 18x18": (conv, Conv("conv2", 4, kernel=(2, 14), dilation=2)),
    }
    for message, layers in cases.items():
        with pytest.raises(InputError, match=message):
            Arch(layers, image_size=20)


@st.composite
def graphs(draw) -> Arch:
    """Three to nine layers, each reading any that its kind can read."""
    size, channels = draw(st.integers(7, 13)), draw(st.integers(1, 2))
    layers: list = []
    shapes = {IMAGE: (size, size, channels)}
    for number in range(draw(st.integers(3, 9))):
        layer = draw(one_layer(f"l{number}", shapes))
        try:
            arch = Arch((*layers, layer), image_size=size, num_classes=3, channels=channels)
        except InputError:
            continue  # a window that finds no room
        layers.append(layer)
        shapes |= arch.shapes()
    if not layers:
        layers = [Conv("l0", 2, kernel=3)]
    return Arch(tuple(layers), image_size=size, num_classes=3, channels=channels)


@st.composite
def one_layer(draw, name, shapes):
    # the latest layers more often, or most graphs would be broad and flat
    source = draw(st.sampled_from([*shapes, *list(shapes)[-2:] * 2]))
    channels = shapes[source][2]
    common = {"inputs": (source,), "relu": draw(st.booleans())}
    small, steps = st.integers(1, 3), st.integers(1, 2)
    pairs = st.one_of(small, st.tuples(small, small))
    window = draw(pairs)
    most = min(pair(window)) - 1
    sides = st.integers(0, most)
    padding = ((draw(sides), draw(sides)), (draw(sides), draw(sides)))
    sliding = {"strides": draw(st.one_of(steps, st.tuples(steps, steps))), "padding": padding, **common}
    kinds = ["conv", "conv", "max", "avg", "join", "norm", "point", "dense"]
    match draw(st.sampled_from(kinds)):
        case "conv":
            groups = channels if draw(st.booleans()) else 1
            extra = {"groups": groups, "dilation": draw(st.integers(1, 2)), "bias": draw(st.sampled_from([None, 0.0]))}
            return Conv(name, groups * draw(st.integers(1, 2)), kernel=window, **extra, **sliding)
        case "max":
            return MaxPool(name, window=window, **sliding)
        case "avg":
            return AvgPool(name, window=window, count_include_pad=draw(st.booleans()), **sliding)
        case "join":
            same = [other for other, shape in shapes.items() if shape[:2] == shapes[source][:2]]
            equal = [other for other in same if shapes[other] == shapes[source]]
            kind, others = (Concat, same) if draw(st.booleans()) else (Add, equal)
            names = (source, *draw(st.lists(st.sampled_from(others), min_size=1, max_size=2)))
            return kind(name, inputs=names, relu=common["relu"])
        case "norm":
            return draw(st.sampled_from([LRN(name, **common), BatchNorm(name, **common)]))
        case "point":
            return draw(st.sampled_from([Identity(name, **common), Dropout(name, **common)]))
    return draw(st.sampled_from([GlobalAvgPool(name, **common), Dense(name, 3, **common)]))


GRAPH_EXAMPLES = int(os.environ.get("ZFJAX_GRAPHS", "8"))  # more at the desk: some 3 s each


@pytest.mark.slow
@settings(max_examples=GRAPH_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(arch=graphs(), seed=st.integers(0, 99))
def test_random_graphs(arch, seed):
    params, images = random_params(arch, seed), pixels(arch, count=2, seed=seed)
    fwd = forward(arch, params, images)
    expected = compiled_for_one_run(lambda x: plain_forward(arch, params, x, norm=local_response_norm))(images)
    for layer in arch.layer_names:
        assert worst_error(fwd.activations[layer], expected[layer]) <= 1e-4, layer
    layer = arch.layer_names[-1]
    units = some_units(arch, layer, count=1, seed=seed)
    pictures = oracle(arch, params, images, layer, units)
    assert worst_error(paste(project(arch, params, fwd, layer, units), arch.image_size), pictures) <= 1e-4
    for overlap in ("sum", "last"):
        windows = paste(project(arch, params, fwd, layer, units, overlap=overlap), arch.image_size)
        assert worst_error(windows, whole_map_of(arch, params, fwd, layer, units, overlap=overlap)) <= 1e-4
    assert changed_error(arch, params, images[0], 2) <= 1e-4


def test_graphs_survive_json():
    for arch in GRAPHS.values():
        assert Arch.from_dict(arch.to_dict()) == arch
        assert "reads" in arch.summary() or not any(layer.inputs for layer in arch.layers)


def test_one_layer_kind_is_not_forgotten():
    """Every kind of layer occurs in a graph above."""
    from zfjax.layers import KINDS

    assert {type(layer) for arch in GRAPHS.values() for layer in arch.layers} == set(KINDS.values())
