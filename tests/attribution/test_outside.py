"""Functions that JAX cannot trace: covered, turned and compared as those are that it can, and by a loop in NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest

from zfjax import correspondence, invariance_curves, occlusion_map
from zfjax.errors import InputError

RNG = np.random.default_rng(0)
IMAGE = RNG.normal(size=(9, 7, 3)).astype(np.float32)
WEIGHTS = RNG.normal(size=(9 * 7 * 3, 4)).astype(np.float32)
AMOUNTS = {"shift": [-2.0, 0.0, 1.5], "rotation": [0.0, 30.0, 90.0, 180.0]}


def traceable(images):
    return {"logits": jnp.tanh(images.reshape(len(images), -1) @ WEIGHTS), "mean": images.mean(axis=(1, 2, 3))}


class Foreign:
    """The same in NumPy, in place, with a branch on a value; notes what it is given."""

    def __init__(self):
        self.seen: list[np.ndarray] = []

    def __call__(self, images):
        self.seen.append(images.copy())
        flat = images.reshape(len(images), -1) @ WEIGHTS
        if float(flat[0, 0]) == 12345:
            raise AssertionError
        answers = {"logits": np.tanh(flat, out=flat), "mean": images.mean(axis=(1, 2, 3)).tolist()}
        images[:] = 0
        return answers


def assert_alike(found, expected, tolerance=1e-5):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_alike(found[name], value, tolerance)
        else:
            assert isinstance(found[name], np.ndarray)
            np.testing.assert_allclose(found[name], value, atol=tolerance)


def test_occlusion():
    foreign = Foreign()
    where = {"size": 3, "stride": 2, "fill": 0.5}
    found = occlusion_map(foreign, IMAGE, jit=False, batch_size=6, **where)
    assert_alike(found, occlusion_map(traceable, jnp.asarray(IMAGE), **where))
    by_hand = []
    for row in range(0, 9, 2):
        for col in range(0, 7, 2):
            covered = IMAGE.copy()
            covered[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2] = 0.5
            by_hand.append(covered)
    np.testing.assert_array_equal(np.concatenate(foreign.seen), by_hand)
    assert [len(each) for each in foreign.seen] == [6, 6, 6, 2]


@pytest.mark.parametrize("options", [{"fill": IMAGE[:1, :1]}, {"fill": "edge", "interpolation": "nearest"}])
def test_invariance(options):
    foreign = Foreign()
    found = invariance_curves(foreign, IMAGE, AMOUNTS, jit=False, batch_size=3, **options)
    expected = invariance_curves(traceable, jnp.asarray(IMAGE), AMOUNTS, **options)
    assert_alike(found, expected)
    assert found["shift"]["mean"][1] == 0 and found["rotation"]["logits"].shape == (4,)
    assert [len(each) for each in foreign.seen] == [1, 3, 3, 1]
    np.testing.assert_array_equal(foreign.seen[0][0], IMAGE)


def test_correspondence():
    images = RNG.normal(size=(3, 9, 7, 3)).astype(np.float32)
    places = RNG.integers(0, 7, (2, 3, 2))

    def ours(_, images):
        return {"logits": traceable(images)["logits"]}

    def theirs(_, images):
        return {"logits": Foreign()(images)["logits"]}

    found = correspondence(theirs, None, images, places, size=3, jit=False, batch_size=2)
    assert_alike(found, correspondence(ours, None, images, places, size=3, batch_size=2))
    assert 0 < found["logits"].mean() < 1


def test_one_of_pytorch():
    torch = pytest.importorskip("torch")
    weights = torch.tensor(WEIGHTS)

    def predict(images):
        with torch.no_grad():
            return torch.tanh(torch.from_numpy(images).reshape(len(images), -1) @ weights)

    expected = occlusion_map(lambda images: traceable(images)["logits"], jnp.asarray(IMAGE), size=3)
    np.testing.assert_allclose(occlusion_map(predict, IMAGE, size=3, jit=False), expected, atol=1e-5)
    curves = invariance_curves(predict, IMAGE, AMOUNTS, jit=False)
    assert_alike(curves, invariance_curves(lambda images: traceable(images)["logits"], jnp.asarray(IMAGE), AMOUNTS))


@pytest.mark.parametrize(
    ("predict", "arrived"),
    [
        (lambda images: images.mean(), r"float32 \[\]"),
        (lambda images: images[:1], r"float32 \[1, 9, 7, 3\]"),
        (lambda images: ["cat"] * len(images), r"<U3 \[4\]"),
    ],
)
def test_answers_without_a_row_an_image_are_refused(predict, arrived):
    with pytest.raises(InputError, match=f"numbers with a row for each of 4 images, not {arrived}"):
        occlusion_map(predict, IMAGE, jit=False, stride=2, batch_size=4)


@pytest.mark.parametrize("call", [occlusion_map, lambda f, image: invariance_curves(f, image, {"shift": [1.0]})])
def test_who_forgets_it_is_told(call):
    with pytest.raises(TypeError) as stop:
        call(lambda images: np.tanh(np.asarray(images)).mean(axis=(1, 2, 3)), IMAGE)
    assert "jit=False" in stop.value.__notes__[-1]
