"""The window of a unit of any function: the table's own arithmetic, work by hand, and pixels that are not numbers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax
from nets import ODD, TINY
from oracle import plain_forward

from zfjax.attribution.reach.walk import walk
from zfjax.attribution.window import Window, receptive_window
from zfjax.convnet import forward
from zfjax.errors import InputError
from zfjax.rows import walk_down
from zfjax.windows import Corner, cut
from zfjax.zoo import get_arch

SHAPE = (12, 11, 2)


def conv(x, kernel, strides=1, padding=0, base=1, apart=1, groups=1, features=2):
    """Of one image [H, W, C], weights of ones."""
    kernel, strides, padding, base, apart = (
        np.broadcast_to(each, 2) for each in (kernel, strides, padding, base, apart)
    )
    return lax.conv_general_dilated(
        x[None],
        jnp.ones((*kernel, x.shape[-1] // groups, features)),
        tuple(strides.tolist()),
        [(int(each), int(each)) for each in padding],
        lhs_dilation=tuple(base.tolist()),
        rhs_dilation=tuple(apart.tolist()),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )[0]


def pool(x, window, strides, padding=0, start=-np.inf, combine=lax.max):
    sides = [(0, 0) if axis == 2 else (padding, padding) for axis in range(3)]
    return lax.reduce_window(x, start, combine, (window, window, 1), (strides, strides, 1), sides)


def ones(arch):
    shapes = {row.name: row.param_shapes for row in arch.rows if row.param_shapes}
    return {layer: {name: np.ones(shape, np.float32) for name, shape in own.items()} for layer, own in shapes.items()}


def plain_program(arch):
    """Every layer of a network of lax alone, as one program of its image."""
    image = jax.ShapeDtypeStruct((1, arch.image_size, arch.image_size, arch.channels), jnp.float32)
    forwards = functools.partial(plain_forward, arch, ones(arch), norm=lambda x, *numbers: x, relu=jax.nn.relu)
    return jax.make_jaxpr(lambda x: [*forwards(x).values()][1:])(image)


@pytest.mark.parametrize("name", ["zf-mini", "caffenet", "lenet5", "vgg11", "googlenet", "resnet18", "squeezenet1_1"])
def test_layers_of_networks_have_the_receptive_fields_of_their_table(name):
    compared(get_arch(name, width=1 / 64))


@pytest.mark.parametrize("arch", [TINY, ODD], ids=["tiny", "odd"])
def test_small_networks_have_them_too(arch):
    compared(arch)


def compared(arch):
    """Units of all channels at several places of every layer."""
    program = plain_program(arch)
    for number, (name, (height, width, channels)) in enumerate(arch.shapes().items()):
        spans = walk_down(arch.rows, name)["image"]
        for row, column in {(0, 0), (height // 2, width // 3), (height - 1, width - 1)}:
            asked: list = [None] * len(arch.layers)
            asked[number] = ((0, 0), (row, row), (column, column), (0, channels - 1))
            (found,) = walk(program, asked, pytest.fail)
            assert found is not None
            if spans is None:  # the whole image, and what of the padding the layers below see
                assert all(low <= 0 and high >= arch.image_size - 1 for low, high in found[1:3])
                continue
            places = zip((row, column), spans, strict=True)
            wanted = tuple((place * span.stride + span.low, place * span.stride + span.high) for place, span in places)
            assert found == ((0, 0), *wanted, (0, arch.channels - 1)), (name, row, column)


def unfold(x):
    """Space to depth and back: each way a reshape, a transposition and a reshape."""
    h, w, c = x.shape
    deep = x.reshape(h // 2, 2, w, c).transpose(0, 2, 1, 3).reshape(h // 2, w, 2 * c)
    return deep.reshape(h // 2, w, 2, c).transpose(0, 2, 1, 3).reshape(h, w, c)


def loop(x):
    return lax.fori_loop(0, 3, lambda number, state: conv(state, 3, padding=1), x)


def looked_up(x):
    return x[jnp.array([7, 3, 5])]


def attention(x):
    rows = x.reshape(-1, 2)
    return (jax.nn.softmax(rows @ rows.T) @ rows).reshape(x.shape)


def kernels_of_their_own(x):
    def one(picture, kernel):
        numbers = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(picture[None, :, :, None], kernel, (1, 1), "VALID", dimension_numbers=numbers)

    return jax.vmap(one, in_axes=(2, 0))(x, jnp.ones((2, 3, 3, 1, 1)))


def either(x):
    return lax.cond(x[0, 0, 0] > 0, lambda x: x, lambda x: jnp.roll(x, 1, 0), x)


BY_HAND = {
    "a pixel": (lambda x: 2 * jax.nn.relu(x) + 1, (3, 4, 1), (3, 4, 1, 1)),
    # rows 2 * 4 - 1 + 2 * (0..2), columns 3 * 1 + (0..1)
    "dilated": (lambda x: conv(x, (3, 2), (2, 3), (1, 0), apart=(2, 1)), (4, 1, 0), (7, 3, 5, 2)),
    # the image's rows lie at 0, 2, 4, ..., the kernel at 4..6 and the columns' at 5..7
    "transposed": (lambda x: conv(x, 3, base=2), (4, 5, 0), (2, 3, 2, 1)),
    "transposed, between": (lambda x: conv(x, 1, base=2), (3, 4, 0), (0, 0, 0, 0)),
    "padding": (lambda x: conv(x, 3, padding=2), (0, 12, 0), (-2, 10, 3, 3)),
    "two of a kind": (lambda x: conv(conv(x, 3, padding=1), 5, 2), (2, 1, 1), (3, 1, 7, 7)),
    "pool": (lambda x: pool(x, 3, 2, 1), (5, 2, 0), (9, 3, 3, 3)),
    "gradient of a pool": (jax.grad(lambda x: (pool(x, 3, 2) * jnp.ones((5, 5, 2))).sum()), (4, 4, 0), (2, 2, 5, 5)),
    "rows": (lambda x: x.mean(1), (5, 0), (5, 0, 1, 11)),
    "up to here": (lambda x: jnp.cumsum(x, 0)[::-1], (2, 3, 0), (0, 3, 10, 1)),
    "from here on": (lambda x: lax.cummax(x, 1, reverse=True), (2, 3, 0), (2, 3, 1, 8)),
    "sorted": (lambda x: jnp.sort(x, 1), (2, 3, 0), (2, 0, 1, 11)),
    "turned": (lambda x: jnp.flip(x.transpose(1, 0, 2), 0), (2, 3, 0), (3, 8, 1, 1)),
    "rolled": (lambda x: jnp.roll(x, 3, 0), (1, 3, 0), (10, 3, 1, 1)),
    "cut": (lambda x: conv(x[2:8:2], 3, padding=1), (0, 3, 0), (2, 2, 3, 3)),
    "cut at a place": (lambda x: lax.dynamic_slice(x, (jnp.int32(3) + 1, 20, 0), (4, 5, 2)), (1, 1, 0), (5, 7, 1, 1)),
    "written into": (lambda x: jnp.zeros((20, 20, 2)).at[5:17, 2:13].set(x), (8, 9, 0), None),
    "looked up": (looked_up, (1, 4, 0), (3, 4, 1, 1)),
    "space to depth": (unfold, (5, 4, 1), (5, 4, 1, 1)),
    "three rounds": (loop, (5, 5, 0), (2, 2, 7, 7)),
    "everywhere": (attention, (5, 4, 1), (0, 0, 12, 11)),
    "nowhere": (lambda x: jnp.ones(3), (1,), (0, 0, 0, 0)),
    "through calls": (jax.checkpoint(jax.jit(lambda x: conv(x, 3))), (1, 1, 0), (1, 1, 3, 3)),
    "one part of two": (lambda x: jnp.split(conv(x, 3), 2, 0)[1], (1, 1, 0), (6, 1, 3, 3)),
    "either way": (
        lambda x: lax.cond(x[0, 0, 0] > 0, lambda x: x, lambda x: jnp.roll(x, 1, 0), x),
        (4, 2, 0),
        (0, 0, 5, 3),
    ),
    "each row": (lambda x: lax.map(lambda row: jnp.cumsum(row, 0), x), (4, 2, 0), (0, 0, 12, 3)),
    "kernels of their own": (kernels_of_their_own, (1, 0, 2, 3, 0), (2, 3, 3, 3)),
    "stacked": (lambda x: jnp.stack([x, jnp.roll(x, 1, 0)], 1), (4, 1, 2, 0), (3, 2, 1, 1)),
    "unstacked": (lambda x: jnp.unstack(x)[4] + x[6], (2, 0), (4, 2, 3, 1)),
    "tiled": (lambda x: jnp.tile(x, (2, 1, 1)), (14, 3, 0), (2, 3, 1, 1)),
    "fourier": (lambda x: jnp.abs(jnp.fft.rfft(x, axis=1)), (4, 2, 0), (4, 0, 1, 11)),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_windows_by_hand(name):
    f, unit, wanted = BY_HAND[name]
    found = receptive_window(f, SHAPE, unit)
    if wanted is None:  # what is written by places is taken whole, and said
        assert found[:4] == (0, 0, 12, 11) and "scatter" in found.reasons[0]
    else:
        assert found == Window(*wanted)


def test_a_window_is_cut_out_with_padding_or_cut_off_at_the_border():
    image = jnp.arange(1.0, 133.0).reshape(1, 12, 11, 1)
    found = receptive_window(lambda x: conv(x, (5, 3), padding=2), (12, 11, 1), (0, 12, 1))
    assert found[:4] == (-2, 10, 5, 3) and found.inside((12, 11))[:4] == (0, 10, 3, 1)
    corner = Corner(*(jnp.array([place]) for place in found[:2]))
    (patch,) = cut(image, jnp.zeros(1, int), corner, found[2:4])
    wanted = np.zeros((5, 3))
    wanted[2:, 0] = [11, 22, 33]
    np.testing.assert_array_equal(patch[..., 0], wanted)
    beyond = receptive_window(lambda x: conv(x, 1, padding=1), SHAPE, (0, 3, 0))
    assert beyond[:4] == (-1, 2, 1, 1) and beyond.inside((12, 11)).height == 0


def test_images_beside_each_other_are_told_apart():
    def f(images):
        return images + 0 * jnp.flip(images, 2)

    assert receptive_window(f, (3, *SHAPE), (1, 2, 3, 0))[:4] == (2, 3, 1, 5)


@pytest.mark.parametrize("groups, blocks", [(2, 1), (1, 2), (1, 4)])
def test_groups_of_maps_and_of_images_are_told_apart(groups, blocks):
    """The gradient of ones through weights of ones is zero where nothing is read."""
    images, kernel = (4, 3, 3, 4), (2, 2, 4 // groups, 8)

    def f(x):
        options = {"feature_group_count": groups, "batch_group_count": blocks}
        numbers = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(x, jnp.ones(kernel), (1, 1), "VALID", dimension_numbers=numbers, **options)

    program = jax.make_jaxpr(f)(jax.ShapeDtypeStruct(images, jnp.float32))
    _, back = jax.vjp(f, jnp.ones(images))
    for number in range(4 // blocks):
        for first, last in ((0, 0), (3, 3), (3, 4), (7, 7)):
            asked = ((number, number), (1, 1), (0, 0), (first, last))
            (read,) = back(jnp.zeros(program.out_avals[0].shape).at[number, 1, 0, first : last + 1].set(1))
            (found,) = walk(program, [asked], pytest.fail)
            assert found == tuple((int(each.min()), int(each.max())) for each in np.nonzero(read))


def test_what_gave_up_is_said_and_takes_all():
    def solved(x):
        return jnp.linalg.cholesky(x[:11, :, 0] @ x[:11, :, 0].T)

    def by_data(x):
        return x[jnp.argmax(x[:, 0, 0])]

    def growing(x):
        return lax.while_loop(lambda state: state[0, 0, 0] < 1, lambda state: jnp.roll(state, 1, 1), x)

    def by_reference(x):
        place = jax.new_ref(jnp.zeros_like(x))
        place[...] = x
        return place[...]

    for f, unit, word, wanted in (
        (by_reference, (2, 2, 0), "Ref", (0, 0, 12, 11)),
        (solved, (2, 2), "cholesky", (0, 0, 11, 11)),
        (by_data, (2, 1), "dynamic_slice", (0, 0, 12, 3)),
        (growing, (2, 3, 0), "", (0, 0, 3, 11)),
        (lambda x: lax.fori_loop(0, 99, lambda _, state: conv(state, 3, padding=1), x), (2, 3, 0), "64", None),
    ):
        found = receptive_window(f, SHAPE, unit)
        assert any(word in reason for reason in found.reasons) == bool(word)
        assert wanted is None or found[:4] == wanted
        if wanted is None:
            assert found.top <= 0 and found.left <= 0 and found.top + found.height >= 12


def test_our_own_form_of_a_network_reads_little_more_than_its_table():
    """Where few channels are convolved as many, the kernel is laid out in blocks, and zeros in it count as read."""
    arch = get_arch("zf-mini", width=1 / 8)
    field = arch.receptive_field("conv3")
    found = receptive_window(lambda x: forward(arch, ones(arch), x).activations["conv3"], (1, 64, 64, 3), (0, 2, 2, 0))
    first = 2 * field.stride + field.offset
    assert found.top <= first and found.top + found.height >= first + field.size
    assert found.height <= field.size + 8


LAYERS = {
    "conv": (lambda x, a: conv(x, (a, 3), (1, 2), (1, a - 1)), True),
    "dilated": (lambda x, a: conv(x, 2, 1, a, apart=(a, 2)), True),
    "pool": (lambda x, a: pool(x, a, 2, a - 1, 0.0, lax.add), True),
    "relu": (lambda x, a: jax.nn.relu(x) * a, True),
    "transposed": (lambda x, a: conv(x, 3, 1, 1, base=(1, a)), False),
    "groups": (lambda x, a: conv(x, a, groups=2, features=4)[..., 1:3], False),
    "batch groups": (lambda x, a: batch_grouped(x), False),
    "roll": (lambda x, a: jnp.roll(x, a, 1), False),
    "strided": (lambda x, a: x[a::2], False),
    "cumsum": (lambda x, a: jnp.cumsum(x, axis=a - 1, dtype=x.dtype), False),
    "merge": (lambda x, a: x.reshape(x.shape[0] * x.shape[1], 1, 2)[a:], False),
    "beside": (lambda x, a: jnp.concatenate([x[a:], conv(x, 3, padding=1)], 0), False),
    "sum": (lambda x, a: x + conv(x, (3, 1), 1, (1, 0)), True),
    "gather": (lambda x, a: x[:, jnp.array([0, x.shape[1] - 1, a - 1])], False),
    "take": (lambda x, a: jnp.take_along_axis(x, np.arange(x.size).reshape(x.shape) * a % x.shape[0], 0), False),
    "scan": (lambda x, a: lax.scan(lambda state, row: (jnp.roll(state, 1) + row, state * row), x[0], x, a)[1], False),
    "update": (lambda x, a: lax.dynamic_update_slice(x, x[:a, 1:] * 2, (x.shape[0] - 2, 0, 0)), False),
    "per row": (lambda x, a: jax.vmap(lambda row: jnp.sort(row, 0)[::a])(x), False),
    "product": (lambda x, a: jnp.einsum("hwc,hkc->hwk", x, jnp.roll(x, a, 0))[..., :2], False),
    "pad": (lambda x, a: lax.pad(x, 0.0, ((a, -1, 1), (0, a, 0), (0, 0, 0))), False),
}


def batch_grouped(x):
    """Two images beside each other, each with its own kernel, one after the other as maps."""
    both = jnp.stack([x, jnp.flip(x, 0)])
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        both, jnp.ones((3, 1, 2, 2)), (1, 1), "VALID", dimension_numbers=numbers, batch_group_count=2
    )[0]


layers = st.lists(st.tuples(st.sampled_from(sorted(LAYERS)), st.integers(1, 3)), min_size=1, max_size=3)


@settings(max_examples=20, deadline=None)
@given(layers, st.integers(0, 10**6))
def test_no_pixel_outside_the_window_moves_the_unit(names, place):
    """A pixel that is not a number makes one of all that it moves, whatever the weights."""
    height, width = 7, 6

    def f(x):
        for name, amount in names:
            x = LAYERS[name][0](x, amount)
        return x

    try:
        shape = jax.eval_shape(f, jax.ShapeDtypeStruct((height, width, 2), jnp.float32)).shape
    except (TypeError, ValueError, ZeroDivisionError):  # the map has become too small for a layer
        return
    if not all(shape):
        return
    unit = tuple(int(each) for each in np.unravel_index(place % np.prod(shape), shape))
    found = receptive_window(f, (height, width, 2), unit)
    assert not found.reasons
    pixels = jnp.eye(height * width).reshape(-1, height, width, 1) > 0
    moved = jax.jit(jax.vmap(lambda pixel: jnp.isnan(f(jnp.where(pixel, jnp.nan, jnp.ones((height, width, 2))))[unit])))
    rows, columns = np.nonzero(np.asarray(moved(pixels)).reshape(height, width))
    ends = (found.top, found.left, found.top + found.height - 1, found.left + found.width - 1)
    for row, column in zip(rows, columns, strict=True):
        assert ends[0] <= row <= ends[2] and ends[1] <= column <= ends[3], (names, unit, found)
    if all(LAYERS[name][1] for name, _ in names) and min(ends) >= 0 and ends[2] < height and ends[3] < width:
        assert ends == (rows.min(), columns.min(), rows.max(), columns.max()), (names, unit, found)


@pytest.mark.parametrize("shape", [(12,), (0, 3, 2), (2, 2, 12.5), "abc"])
def test_shapes_that_are_no_image_are_refused(shape):
    with pytest.raises(InputError, match="image_shape"):
        receptive_window(lambda x: x, shape, (0, 0, 0))


@pytest.mark.parametrize("unit", [(0, 0), (12, 0, 0), (0, -1, 0), (0, 0, 0.5), 3])
def test_units_that_the_output_lacks_are_refused(unit):
    with pytest.raises(InputError, match=r"the output is \[12, 11, 2\]"):
        receptive_window(lambda x: x, SHAPE, unit)


def test_functions_of_several_arrays_are_refused():
    with pytest.raises(InputError, match="must give one"):
        receptive_window(lambda x: (x, x), SHAPE, (0, 0, 0))
