"""Which output is explained: picked by hand, refused where it does not fit; and batches that change nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zfjax.attribution.targets import checked, in_batches, scores
from zfjax.errors import InputError

IMAGES = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)


def test_each_image_has_a_target_of_its_own():
    flat = scores(lambda images: images[:, 0, 0], np.array([1, 4]))
    np.testing.assert_array_equal(flat(IMAGES), [1, 64])
    unit = scores(lambda images: images, np.array([[0, 1, 2], [2, 3, 4]]))
    np.testing.assert_array_equal(jax.jit(unit)(IMAGES), [7, 119])
    traced = jax.jit(lambda targets: scores(lambda images: images[:, 0, 0], targets)(IMAGES))
    np.testing.assert_array_equal(traced(np.array([1, 4])), [1, 64])
    np.testing.assert_array_equal(scores(lambda images: images[:, 0, 0, 0], None)(IMAGES), [0, 60])
    assert scores(lambda images: images, np.zeros((0, 3), int))(IMAGES[:0]).shape == (0,)


@pytest.mark.parametrize(
    "f, targets, words",
    [
        (lambda x: x[:, 0, 0], None, "targets must say"),
        (lambda x: x[:, 0, 0], np.array([0, 5]), "not at \\[5\\]"),
        (lambda x: x[:, 0, 0], np.array([0, -1]), "not at \\[-1\\]"),
        (lambda x: x[:, 0, 0], np.array([0, 1, 2]), "must be int \\[2\\] or int \\[2, 1\\]"),
        (lambda x: x[:, 0, 0], np.array([0.0, 1.0]), "not float64"),
        (lambda x: x, np.array([1, 2]), "must be int \\[2, 3\\]"),
        (lambda x: x[:, 0, 0, 0], np.array([0, 0]), "must be None"),
        (lambda x: x.sum(), None, "a row for each of 2"),
        (lambda x: {"logits": x}, None, "type dict"),
    ],
)
def test_what_does_not_fit_is_refused(f, targets, words):
    with pytest.raises(InputError, match=words):
        checked(f, IMAGES, targets)
    with pytest.raises(InputError, match=words):
        scores(f, targets)(IMAGES)


@pytest.mark.parametrize("images", [IMAGES[0], IMAGES.astype(np.uint8)])
def test_images_are_floats_of_four_axes(images):
    with pytest.raises(InputError, match="images must be floats"):
        checked(lambda x: x[:, 0, 0, 0], images, None)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 7, 9])
def test_batches_give_what_the_whole_gives(batch_size):
    sizes = []

    def square(values, keys):
        sizes.append(len(values["a"]))
        return {"b": values["a"] ** 2}, jax.vmap(jax.random.normal)(keys)

    values, keys = {"a": jnp.arange(7.0)}, jax.random.split(jax.random.key(0), 7)
    squares, noise = in_batches(square, (values, keys), batch_size)
    np.testing.assert_array_equal(squares["b"], np.arange(7.0) ** 2)
    np.testing.assert_array_equal(noise, jax.vmap(jax.random.normal)(keys))
    assert max(sizes) <= batch_size and len(set(sizes)) == 1


def test_a_batch_has_at_least_one_image():
    with pytest.raises(InputError, match="batch_size must be a whole number"):
        in_batches(lambda x: x, (IMAGES,), 0)
