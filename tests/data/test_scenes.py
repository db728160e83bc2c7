"""Embedded scenes: pure, balanced, the same at every size, and true about box and keypoints."""

import numpy as np
import pytest
from PIL import Image

from zfjax.data import open_dataset
from zfjax.data.scenes import scenes
from zfjax.data.scenes.scenes import CLASS_NAMES, SceneSource, render
from zfjax.errors import InputError


def test_a_scene_is_a_function_of_its_arguments():
    for index in range(20):
        first, again = render(index, size=48, seed=1), render(index, size=48, seed=1)
        np.testing.assert_array_equal(first.image, again.image)
        assert first[1:] == again[1:]
    image = render(5, size=48).image
    others = [render(15, size=48), render(5, size=48, seed=1), render(5, size=48, split="val")]
    assert all((other.image != image).mean() > 0.5 for other in others)


def test_classes_are_balanced():
    dataset = open_dataset("scenes", canvas_size=16)
    assert (len(dataset.train), len(dataset.val)) == (5000, 1000) and dataset.class_names == CLASS_NAMES
    labels = [int(dataset.val[i]["label"]) for i in range(100)]
    assert np.bincount(labels, minlength=10).tolist() == [10] * 10


@pytest.mark.parametrize("index", range(20))
def test_scenes_scale(index):
    small, large = render(index, size=64), render(index, size=192)
    np.testing.assert_allclose(large.box, np.array(small.box) * 3, rtol=1e-9)
    shrunk = np.asarray(Image.fromarray(large.image).resize((64, 64), Image.Resampling.BOX), np.float32)
    assert np.abs(shrunk - small.image).mean() < 6


@pytest.mark.parametrize("index", range(30))
def test_the_box_holds_the_object_and_no_more(index, monkeypatch):
    scene = render(index, size=96)
    top, left, bottom, right = scene.box
    assert 0 <= top < bottom <= 96 and 0 <= left < right <= 96
    assert 0.349 * 96 <= max(bottom - top, right - left) <= 0.751 * 96
    layers = []
    paint = scenes.paint
    monkeypatch.setattr(scenes, "paint", lambda drawing, size: layers.append(paint(drawing, size)) or layers[-1])
    render(index, size=96)
    rows, columns = (np.flatnonzero(layers[-1][3].any(axis=axis)) for axis in (1, 0))
    found = (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)
    np.testing.assert_allclose(found, scene.box, atol=1.5)


def test_keypoints_of_faces_lie_where_the_face_has_them():
    for index in range(3, 203, 10):
        scene = render(index, size=100)
        top, left, bottom, right = scene.box
        points = scene.keypoints
        assert scene.label == CLASS_NAMES.index("face") and points.keys() == {"left_eye", "right_eye", "nose", "mouth"}
        assert all(left < x < right and top < y < bottom for x, y in points.values())
        assert points["left_eye"][0] < points["nose"][0] < points["right_eye"][0]
        assert max(points["left_eye"][1], points["right_eye"][1]) < points["nose"][1] < points["mouth"][1]
    assert render(4, size=32).keypoints is None


def test_eyes_are_drawn_at_their_keypoints():
    contrasts = []
    for index in range(3, 203, 10):
        scene = render(index, size=224)
        for eye in ("left_eye", "right_eye"):
            x, y = (int(round(value)) for value in scene.keypoints[eye])
            contrasts.append(scene.image[y - 12 : y + 13, x - 12 : x + 13].mean(axis=-1).std())
    assert np.min(contrasts) > 20  # the white, the pupil and the glint


def test_colour_does_not_give_the_class_away():
    means = np.array([render(i, size=16).image.mean(axis=(0, 1)) for i in range(1000)])
    labels = np.arange(1000) % 10
    centres = np.array([means[:500][labels[:500] == k].mean(axis=0) for k in range(10)])
    guesses = np.argmin(((means[500:, None] - centres) ** 2).sum(axis=-1), axis=1)
    assert (guesses == labels[500:]).mean() < 0.25


def test_unknown_split():
    with pytest.raises(InputError, match="'test'.*train, val"):
        render(0, size=16, split="test")


def test_grey_scenes_and_descriptions():
    dataset = open_dataset("scenes", canvas_size=16, channels=1)
    assert dataset.train[3]["image"].shape == (16, 16, 1)
    assert dataset.val.describe(3) == "scenes/val/3 (seed 0)"
    assert dataset.origin == "5000 + 1000 images in 10 classes from rendered scenes (seed 0)"
    assert SceneSource("val", size=16, seed=7).describe(3) == "scenes/val/3 (seed 7)"
