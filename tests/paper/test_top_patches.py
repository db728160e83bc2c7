"""One call for the strongest patches of units: against its parts on a source of our own, and by hand."""

import io

import numpy as np
import pytest
from nets import random_params, run_of
from PIL import Image

import zfjax
from zfjax.errors import InputError
from zfjax.paper.top_activations import project_winners, strongest_activations

LAYERS = (
    zfjax.Conv("conv1", 4, kernel=3),
    zfjax.MaxPool("pool1"),
    zfjax.Conv("conv2", 5, kernel=3),
    zfjax.Dense("fc3"),
)
ARCH = zfjax.Arch(LAYERS, image_size=14, num_classes=3)
NOISE = np.random.default_rng(0).integers(0, 256, (5, 20, 30, 3), dtype=np.uint8)
RUN = run_of(ARCH, random_params(ARCH), np.full((16, 16, 3), 120, np.float32), tuple("abc"))


class Canvases:
    """The pictures as a source, cut and resized by hand."""

    class_names = ()

    def __len__(self) -> int:
        return len(NOISE)

    def __getitem__(self, index: int) -> dict:
        picture = Image.fromarray(NOISE[index]).resize((16, 16), Image.Resampling.BILINEAR, (5, 0, 25, 20), 3.0)
        return {"image": np.asarray(picture), "label": np.int32(0), "index": np.int32(index)}

    def describe(self, index: int) -> str:
        return str(index)


@pytest.mark.parametrize(("layer", "units", "k"), [("conv2", [4, 0, 4], 3), ("fc3", [1], 7)])
def test_it_is_the_search_and_the_projections_of_a_source(layer, units, k):
    found = zfjax.top_patches(RUN, NOISE, layer, units, k)
    winners = strongest_activations(RUN, Canvases(), [layer], top=k)
    expected = project_winners(RUN, Canvases(), winners, {layer: units})[layer]
    assert found.units.tolist() == units and found.values.shape == (len(units), k)
    for row, each in enumerate(expected):
        there = found.images[row] >= 0
        assert there.tolist() == [True] * len(each.activations) + [False] * (k - len(each.activations))
        np.testing.assert_allclose(found.values[row, there], each.activations, rtol=1e-6)
        np.testing.assert_array_equal(found.patches[row, there], each.patches)
        np.testing.assert_allclose(found.projections[row, there], each.projections, rtol=1e-4, atol=1e-6)
        for name, column in (("images", "image"), ("rows", "row"), ("cols", "col")):
            places = getattr(winners[layer], column)[each.index]
            assert getattr(found, name)[row, there].tolist() == places[there].tolist()
        assert np.isnan(found.patches[row, ~there]).all() and not found.projections[row, ~there].any()
    drawn = found.feature_maps()
    assert [each.index for each in drawn] == [each.index for each in expected if len(each.activations)]
    np.testing.assert_array_equal(drawn[0].patches, next(each for each in expected if len(each.patches)).patches)


def test_by_hand():
    """Two filters of 2x2 on a grey image of 4x4: one sees its corner and half of what is below, the other nothing."""
    conv = zfjax.Conv("conv1", features=2, kernel=2, strides=2)
    arch = zfjax.Arch((conv, zfjax.Dense("fc2", relu=False)), image_size=4, num_classes=1, channels=1)
    kernel = np.stack([[[1, 0], [0.5, 0]], -np.ones((2, 2))], axis=-1)[:, :, None, :].astype(np.float32)
    params = {
        "conv1": {"kernel": kernel, "bias": np.zeros(2, np.float32)},
        "fc2": {"kernel": np.zeros((8, 1), np.float32), "bias": np.zeros(1, np.float32)},
    }
    preprocess = zfjax.Preprocess(smallest_side=4, crop=4, colours="grey")
    run = zfjax.Run(arch, params, preprocess, np.zeros((4, 4, 1), np.float32), ("one",), {}, 0)
    pictures = np.zeros((3, 4, 4), np.uint8)
    pictures[0, 2:, 2:] = [[10, 1], [20, 2]]
    pictures[2, 0:2, 2:] = [[40, 3], [10, 4]]
    found = zfjax.top_patches(run, list(pictures), "conv1", [1, 0], k=3)
    assert found.values.tolist() == [[0, 0, 0], [45, 20, 0]]
    assert found.images.tolist() == [[-1, -1, -1], [2, 0, -1]]
    assert found.rows.tolist() == [[-1, -1, -1], [0, 1, -1]] and found.cols.tolist() == [[-1, -1, -1], [1, 1, -1]]
    assert found.patches[1, :2, :, :, 0].tolist() == [[[40, 3], [10, 4]], [[10, 1], [20, 2]]]
    assert found.projections[1, :2, :, :, 0].tolist() == [[[45, 0], [22.5, 0]], [[20, 0], [10, 0]]]
    assert np.isnan(found.patches[0]).all() and not found.projections[0].any()
    assert [each.index for each in found.feature_maps()] == [0]


def test_arrays_pillow_images_bytes_and_a_flat_folder_are_the_same(tmp_path):
    images = [Image.fromarray(each) for each in NOISE]
    files = []
    for number, image in enumerate(images):
        image.save(file := io.BytesIO(), "png")
        files.append(file.getvalue())
        (tmp_path / f"{number}.png").write_bytes(file.getvalue())
    (tmp_path / "notes.txt").write_text("no image")
    expected = zfjax.top_patches(RUN, NOISE, "conv1", [2], 2)
    for given in (images, files, tmp_path, str(tmp_path)):
        for one, other in zip(zfjax.top_patches(RUN, given, "conv1", [2], 2), expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("images", "layer", "units", "message"),
    [
        (NOISE, "conv9", [0], "unknown layer 'conv9'"),
        (NOISE, "conv1", [0, 4], "conv1 has maps 0 to 3, and no 4"),
        (NOISE, "conv1", [], r"units must be a list of numbers of maps, such as \[0, 7\], not \[\]"),
        (NOISE, "conv1", [0.5], "units must be a list of numbers of maps"),
        ([], "conv1", [0], "no pictures: the list is empty"),
        ([NOISE[0], NOISE[0] / 255.0], "conv1", [0], r"picture 1: an image must be uint8 .* got float64 \[20, 30, 3\]"),
        ("/nowhere/photos", "conv1", [0], "there is no folder of photos at /nowhere/photos"),
    ],
)
def test_what_cannot_be_is_named(images, layer, units, message):
    with pytest.raises(InputError, match=message):
        zfjax.top_patches(RUN, images, layer, units)


def test_a_folder_of_folders_is_no_flat_one(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(InputError, match="has no images in it.*folders in it are not looked at"):
        zfjax.top_patches(RUN, tmp_path, "conv1", [0])
