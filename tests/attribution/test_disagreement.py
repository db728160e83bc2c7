"""Table 1's measure on vectors and functions whose answers are known."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import TINY, random_params

from zfjax.attribution.correspondence import (
    correspondence,
    disagreement,
    pairs,
    random_centres,
    sign_changes,
    square_centres,
)
from zfjax.attribution.occlusion import occlude
from zfjax.convnet import forward


def test_disagreement_by_hand():
    signs = np.array([[1, 0, -1, 1], [1, 0, 1, 0], [-1, 0, 1, 0]], np.int8)
    assert disagreement(signs).tolist() == [0.5, 0.75, 0.25]  # pairs 0-1, 0-2, 1-2
    assert [array.tolist() for array in pairs(3)] == [[0, 0, 1], [1, 2, 2]]
    assert disagreement(np.zeros((2, 5), np.int8)).tolist() == [0.0]  # zero equals zero


def test_disagreement_is_counting():
    signs = np.random.default_rng(0).integers(-1, 2, (7, 201)).astype(np.int8)
    expected = [(signs[i] != signs[j]).mean() for i, j in itertools.combinations(range(7), 2)]
    np.testing.assert_allclose(disagreement(signs), expected, rtol=1e-12)


def test_signs_take_rounding_for_no_change():
    features = jnp.array([[[2.0, 3.0], [0.0, 5.0]]])
    covered = features + jnp.array([[[1.0, -1.0], [0.0, 2e-6]]])
    assert sign_changes(features, covered).tolist() == [[-1, 1, 0, 0]]


@pytest.mark.parametrize("batch_size", [2, 3, 8])
def test_of_a_function_that_is_its_input_it_is_the_overlap_of_squares(batch_size):
    """Images above the fill: the sign is 1 under the square and 0 elsewhere, so H counts the symmetric difference."""
    images = np.random.default_rng(1).uniform(1, 2, (5, 12, 12, 1)).astype(np.float32)
    places = random_centres(np.random.default_rng(2), 3, 5, size=4, image_size=12)
    share = correspondence(lambda _, x: {"pixels": x}, None, images, places, size=4, batch_size=batch_size)["pixels"]
    for placing, row in zip(places, share, strict=True):
        masks = np.zeros((5, 12, 12), bool)
        for mask, (y, x) in zip(masks, placing, strict=True):
            mask[y - 2 : y + 2, x - 2 : x + 2] = True
        expected = [(a ^ b).mean() for a, b in itertools.combinations(masks, 2)]
        np.testing.assert_allclose(row, expected, atol=1e-7)


def test_against_plain_loops_through_a_network():
    params, images = random_params(TINY), np.random.default_rng(3).normal(scale=60, size=(3, 40, 40, 3))
    images = images.astype(np.float32)
    places = random_centres(np.random.default_rng(4), 2, 3, size=9, image_size=40)

    def predict(params, x):
        seen = forward(TINY, params, x).activations
        return {name: seen[name] for name in ("pool2", "fc4")}

    share = correspondence(predict, params, images, places, size=9, fill=5.0, batch_size=2)
    assert list(share) == ["fc4", "pool2"] and share["pool2"].shape == (2, 3)
    see = jax.jit(predict)
    for k in range(2):
        hidden = np.stack(
            [occlude(image, *place, size=9, fill=5.0) for image, place in zip(images, places[k], strict=True)]
        )
        before, after = see(params, images), see(params, hidden)
        for layer in share:
            eps = np.array(before[layer] - after[layer]).reshape(3, -1)
            eps[np.abs(eps) < 1e-4] = 0
            expected = [(np.sign(eps[i]) != np.sign(eps[j])).mean() for i, j in ((0, 1), (0, 2), (1, 2))]
            np.testing.assert_allclose(share[layer][k], expected, atol=1.5 / eps.shape[1])


def test_equal_images_agree_and_one_is_no_pair():
    image = np.random.default_rng(5).normal(size=(1, 8, 8, 1)).astype(np.float32)
    places = np.full((1, 3, 2), 4, np.int32)
    same = correspondence(lambda _, x: {"x": x}, None, image.repeat(3, axis=0), places, size=3)["x"]
    assert same.tolist() == [[0.0, 0.0, 0.0]]
    with pytest.raises(ValueError, match="two images, not 1"):
        correspondence(lambda _, x: {"x": x}, None, image, places[:, :1], size=3)


def test_squares_lie_on_their_points_and_in_the_image():
    for size in (4, 5):
        row, column = square_centres(np.array([10.0, 7.0]), size)  # (x, y) in the middle of the square
        rows, columns = np.nonzero(
            np.asarray(occlude(jnp.zeros((20, 20, 1)), row, column, size=size, fill=1.0))[..., 0]
        )
        assert (
            abs((rows.min() + rows.max() + 1) / 2 - 7) <= 0.5
            and abs((columns.min() + columns.max() + 1) / 2 - 10) <= 0.5
        )
        for place in random_centres(np.random.default_rng(0), 30, 1, size=size, image_size=6)[:, 0]:
            assert occlude(jnp.zeros((6, 6, 1)), *place, size=size, fill=1.0).sum() == size**2
