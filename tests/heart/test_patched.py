"""The network on images that differ in a window, against the whole computation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import random_params

import zfjax
from zfjax.attribution.occlusion import network_occlusion_map
from zfjax.patched import forward_changed
from zfjax.windows import Corner

# ceil-mode pools, strides of 4 with groups and padding, average pools, 3x3 layers that keep their size, a window that
# soon outgrows its map, and one as large as the image
CASES = [
    ("zf", 96, 9),
    ("alexnet", 99, 14),
    ("lenet5", 32, 5),
    ("vgg16", 64, 3),
    ("zf-mini", 64, 30),
    ("zf-mini", 64, 64),
]


@pytest.mark.parametrize(("name", "image_size", "side"), CASES)
def test_what_a_window_changes_is_computed_as_if_all_were(name, image_size, side):
    arch = zfjax.get_arch(name, image_size=image_size, width=1 / 16, num_classes=5)
    params, rng = random_params(arch), np.random.default_rng(1)
    image = rng.normal(scale=60, size=(image_size, image_size, arch.channels)).astype(np.float32)
    room = image_size - side
    tops, lefts = np.array([0, 0, room, room, *rng.integers(0, room + 1, 9)]), rng.permutation(13) * room // 12
    windows = rng.normal(scale=60, size=(13, side, side, arch.channels)).astype(np.float32)
    copies = np.repeat(image[None], 13, axis=0)
    for copy, window, top, left in zip(copies, windows, tops, lefts, strict=True):
        copy[top : top + side, left : left + side] = window

    @jax.jit
    def both(params, image, windows, corner, copies):
        whole = zfjax.forward(arch, params, image[None])
        return forward_changed(arch, params, image, whole, windows, corner), zfjax.forward(arch, params, copies)

    changed, expected = both(params, image, windows, Corner(tops, lefts), copies)
    assert changed.activations.keys() == expected.activations.keys()
    for name, value in {**expected.activations, "logits": expected.logits}.items():
        own = changed.logits if name == "logits" else changed.activations[name]
        np.testing.assert_allclose(own, value, rtol=1e-4, atol=1e-5 * float(jnp.abs(value).max()), err_msg=name)


def test_the_map_of_a_network_is_that_of_any_function():
    arch = zfjax.get_arch("zf-mini", width=1 / 8)
    params = random_params(arch)
    image = np.random.default_rng(0).normal(scale=60, size=(64, 64, 3)).astype(np.float32)
    fill = np.random.default_rng(1).normal(scale=60, size=(64, 64, 3)).astype(np.float32)

    def read(seen: zfjax.Forward):
        return {"logits": seen.logits, "conv4": seen.activations["conv4"].sum((1, 2))}

    for size, stride in ((17, 13), (80, 30)):
        options = {"size": size, "stride": stride, "fill": fill, "batch_size": 7}
        ours = jax.jit(functools.partial(network_occlusion_map, arch, read=read, **options))(params, image)
        general = functools.partial(zfjax.occlusion_map, **options)
        expected = jax.jit(lambda p, x, m=general: m(lambda images: read(zfjax.forward(arch, p, images)), x))(
            params, image
        )
        jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4), ours, expected)
    with pytest.raises(ValueError, match="size must be a whole number from 1 on, not 0"):
        network_occlusion_map(arch, params, image, read, size=0)
