"""Fig. 7: its maps against one forward pass a place, its measures by hand, and the picture from end to end."""

import functools

import jax
import numpy as np
import pytest
from nets import run_of
from pictures import half_outside, tones
from scene_run import make_scene_run, run_visualize

from zfjax.arch import Arch
from zfjax.data.scenes.scenes import SceneSource, render
from zfjax.draw.words import words_of
from zfjax.errors import InputError
from zfjax.layers import Conv, Dense
from zfjax.model import on_canvases
from zfjax.paper.occlusion.command import fill_value
from zfjax.paper.occlusion.draw import draw_occlusion
from zfjax.paper.occlusion.measure import Square, _measure, occlude_images, square_for, strongest_elsewhere
from zfjax.paper.occlusion.truth import (
    Fall,
    against_scenes,
    against_truth,
    correlation,
    fall,
    inside_box,
    lowest_inside,
)
from zfjax.paper.patches import cut_patch
from zfjax.paper.top_activations import FeatureMap
from zfjax.preprocess import Preprocess
from zfjax.recipe import Recipe
from zfjax.runs.run import Run, load_run


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return make_scene_run(tmp_path_factory.mktemp("occlusion") / "tiny")


def bright_pixel_run(image_size: int = 12) -> Run:
    """Two maps that copy the first and the second channel; class k's logit is the sum of map k."""
    layers = (Conv("conv1", 2, kernel=1), Dense("fc2", relu=False))
    arch = Arch(layers, image_size=image_size, num_classes=2, name="bright", recipe=Recipe(crops="whole"))
    kernel = np.zeros((1, 1, 3, 2), np.float32)
    kernel[0, 0, 0, 0] = kernel[0, 0, 1, 1] = 1
    sums = np.tile(0.01 * np.eye(2, dtype=np.float32), (image_size**2, 1))
    zero = np.zeros(2, np.float32)
    params = {"conv1": {"kernel": kernel, "bias": zero}, "fc2": {"kernel": sums, "bias": zero}}
    return run_of(arch, params, np.zeros((image_size, image_size, 3), np.float32), ("red", "green"), {}, 0)


@pytest.fixture(scope="module")
def bright():
    """Red in a block of 4 x 3 pixels, green weaker but everywhere; and what Fig. 7 measures of that."""
    canvas = np.zeros((12, 12, 3), np.uint8)
    canvas[..., 1] = 10
    canvas[2:6, 7:10, 0] = 200
    (found,) = occlude_images(bright_pixel_run(), canvas[None], [0], layer="conv1", square=Square(3, 1, 0))
    return canvas, found


def test_maps_are_sums_by_hand(bright):
    canvas, found = bright
    assert found.channel == 0
    assert found.activity.shape == (12, 12) and found.whole_activity == 2400
    for i, j in np.ndindex(12, 12):
        left = canvas.astype(float)
        left[max(0, i - 1) : i + 2, max(0, j - 1) : j + 2] = 0
        red, green = left[..., 0].sum(), left[..., 1].sum()
        assert found.activity[i, j] == pytest.approx(red)
        share = 1 / (1 + np.exp(0.01 * (green - red)))
        np.testing.assert_allclose(found.probabilities[i, j], [share, 1 - share], rtol=1e-4)
    assert found.activity.min() == 2400 - 9 * 200
    assert found.whole_probabilities[0] == pytest.approx(1 / (1 + np.exp(0.01 * (1440 - 2400))))


def test_the_square_is_shown_where_the_class_is_least_probable(bright):
    canvas, found = bright
    np.testing.assert_array_equal(found.image, canvas)
    row, column = np.unravel_index(found.probabilities[..., 0].argmin(), (12, 12))
    covered = canvas.copy()
    covered[row - 1 : row + 2, column - 1 : column + 2] = 0
    np.testing.assert_array_equal(found.covered, covered)
    assert (found.projection == [[[200, 0, 0]]]).all()  # the filter, times the activation


def test_covering_the_block_lowers_map_and_class_together(bright):
    _, found = bright
    truth = against_truth(found, (2, 7, 6, 10))
    assert truth.activity_hit == truth.probability_hit == 1 and truth.chance == 12 / 144
    by_numpy = np.corrcoef(found.activity.ravel(), found.probabilities[..., 0].ravel())[0, 1]
    assert truth.correlation == pytest.approx(by_numpy, rel=1e-5) and by_numpy > 0.8
    inside = [found.activity[i, j] for i in range(2, 6) for j in range(7, 10)]
    assert truth.activity.inside == pytest.approx(1 - np.mean(inside) / 2400)
    assert truth.activity.inside > 5 * truth.activity.elsewhere
    assert truth.probability.inside > 5 * truth.probability.elsewhere


def test_the_boxes_of_scenes_are_cut_as_the_network_sees_them(bright):
    _, found = bright
    preprocess = Preprocess(smallest_side=16, crop=12)
    top, left, bottom, right = (edge - 2 for edge in render(7, size=16, split="val").box)
    assert against_scenes([found], [7], "val", preprocess) == [against_truth(found, (top, left, bottom, right))]


def test_the_strongest_map_is_chosen_by_its_maximum():
    canvas = np.full((12, 12, 3), 50, np.uint8)  # green: a larger sum
    canvas[..., 0] = 0
    canvas[4, 4, 0] = 51  # red: the larger maximum
    (found,) = occlude_images(bright_pixel_run(), canvas[None], [1], layer="conv1", square=Square(2, 5))
    assert found.channel == 0 and found.whole_activity == 51


def test_a_run_is_measured_as_by_hand(run_folder):
    run = load_run(run_folder)
    source = SceneSource("val", size=46)
    canvases = np.stack([source[n]["image"] for n in range(2)])
    found = occlude_images(run, canvases, [3, 8], layer="pool2", square=Square(9, 13, 200), batch_size=4)[1]
    look = jax.jit(on_canvases(run.arch))
    whole = np.asarray(look(run.variables, canvases[1:]).activations["pool2"])[0]
    assert found.channel == whole.max((0, 1)).argmax()
    assert found.whole_activity == pytest.approx(float(whole[..., found.channel].sum()), rel=1e-4)
    assert found.rows.tolist() == found.columns.tolist() == [0, 13, 26, 39]
    covered = canvases[1].copy()
    covered[3 + 13 - 4 : 3 + 13 + 5, 3 + 39 - 4 : 3 + 40] = 200  # the crop begins 3 pixels into the canvas
    seen = look(run.variables, covered[None])
    summed = np.asarray(seen.activations["pool2"])[0, ..., found.channel].sum()
    assert found.activity[1, 3] == pytest.approx(float(summed), rel=1e-4)
    np.testing.assert_allclose(found.probabilities[1, 3], jax.nn.softmax(seen.logits)[0], rtol=1e-3)
    row, column = np.unravel_index(whole[..., found.channel].argmax(), whole.shape[:2])
    field = run.arch.receptive_field("pool2")
    corner = (int(place) * field.stride + field.offset for place in (row, column))
    np.testing.assert_array_equal(found.patch, cut_patch(run.preprocess.visible(canvases[1]), *corner, field.size))
    assert found.patch.shape == found.projection.shape


def test_patches_are_what_the_projections_are_of(run_folder):
    """In the image, and in other images; a unit that sees all of the image sees nothing outside of it."""
    run, source = load_run(run_folder), SceneSource("val", size=46)
    canvases, square = source[3]["image"][None], Square(9, 20, 200)
    for layer in ("conv3", "fc4"):
        images = occlude_images(run, canvases, [3], layer=layer, square=square, batch_size=4)
        (found,) = strongest_elsewhere(run, source, canvases, images, layer, count=2, indices=range(9), batch_size=4)
        assert found.index == images[0].channel and found.projections.shape == found.patches.shape
        assert len(found.activations) == len(found.patches) == 2 and images[0].patch.shape == found.patches.shape[1:]
        projections = np.concatenate([images[0].projection[None], found.projections])
        patches = np.concatenate([images[0].patch[None], found.patches])
        assert not projections[np.isnan(patches)].any()  # of nothing that the unit does not see
        assert np.isnan(patches).any() == (layer == "conv3")
    np.testing.assert_array_equal(images[0].patch, run.preprocess.visible(canvases[0]))
    (none,) = strongest_elsewhere(run, None, canvases, images, "fc4", count=0)
    assert none.patches.shape == none.projections.shape == (0, *images[0].projection.shape)


def test_a_second_call_compiles_nothing(bright):
    before = _measure._cache_size()
    canvas, first = bright
    (again,) = occlude_images(bright_pixel_run(), canvas[None], [0], layer="conv1", square=Square(3, 1, 0))
    assert _measure._cache_size() == before
    jax.tree.map(np.testing.assert_array_equal, again, first)


def test_measures_by_hand():
    rows, columns = np.array([1, 4, 7]), np.array([0, 5])
    inside = inside_box(rows, columns, (1.5, 0.0, 7.5, 5.0))  # the middle of pixel 7 is 7.5, just outside
    np.testing.assert_array_equal(inside, [[True, False], [True, False], [False, False]])
    assert correlation(np.arange(6.0), 3 - 2 * np.arange(6.0)) == pytest.approx(-1)
    assert correlation(np.array([[1.0, 2], [3, 4]]), np.array([[1.0, 0], [0, 1]])) == pytest.approx(0)
    assert np.isnan(correlation(np.ones(4), np.arange(4.0)))
    values = np.array([[1.0, 4], [2, 3]])
    inside = np.array([[True, False], [True, False]])
    assert fall(values, 4.0, inside) == Fall(inside=0.625, elsewhere=0.125)
    assert np.isnan(fall(values, 4.0, ~inside | True)[1]) and np.isnan(fall(values, 0.0, inside)[0])
    assert lowest_inside(values, inside) == 1 and lowest_inside(values, ~inside) == 0
    assert lowest_inside(np.array([[1.0, 1], [2, 1]]), inside) == pytest.approx(1 / 3)


def test_defaults_grow_with_the_image():
    assert [square_for(size)[:2] for size in (20, 64, 128, 224)] == [(5, 1), (16, 2), (32, 5), (56, 8)]
    assert square_for(64, stride=7, fill=0.0) == Square(16, 7, 0.0)
    with pytest.raises(InputError, match="grey value must lie in 0..255, got 256"):
        square_for(64, fill=256)
    assert (fill_value("mean"), fill_value("grey"), fill_value("12.5")) == (None, 128, 12.5)


def test_the_picture(run_folder, tmp_path, monkeypatch, capsys):
    flags = [f"--ckpt={run_folder}", "--figure=occlusion", f"--out={tmp_path}", "--format=svg", "--limit=30"]
    chosen = ["--images=3,14", "--occlusion.stride=13", "--occlusion.fill=grey", "--occlusion.others=2"]
    run_visualize([*flags, *chosen], monkeypatch)
    assert capsys.readouterr().out.strip() == str(tmp_path / "occlusion.svg")
    said = (tmp_path / "occlusion.svg").read_text()
    assert "(val 3)" in said and "(val 14)" in said and "strongest map of conv3" in said
    assert "Square of 10 on an image of 40" in said


def test_many_answers_share_one_colour(tmp_path):
    run = bright_pixel_run()
    (found,) = occlude_images(run, np.full((1, 12, 12, 3), 9, np.uint8), [1], square=Square(3, 3))
    scattered = np.eye(12, dtype=np.float32)[np.arange(16) % 12].reshape(4, 4, 12)
    found = found._replace(probabilities=scattered, whole_probabilities=np.full(12, 1 / 12))
    names = [f"class {n}" for n in range(12)]
    nothing = FeatureMap(found.channel, *np.zeros((2, 0, *found.projection.shape)), np.zeros(0))
    draw = functools.partial(draw_occlusion, path=tmp_path / "a.svg", title="t", caption="c")
    draw([found], [nothing], ["val 1"], names)
    said = (tmp_path / "a.svg").read_text()
    assert "6 others" in said and "no other image" in said
    with pytest.raises(InputError, match="1 images have 2 names"):
        draw([found], [nothing], ["val 1", "val 2"], names)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--occlusion.layer=conv9", "unknown layer 'conv9'; tiny has conv1"),
        ("--occlusion.size=0", "--occlusion.size must be at least 1, not 0"),
        ("--occlusion.stride=41", "size must be at least 1 and its stride 1 to 40; got 10 and 41"),
        ("--occlusion.fill=black", "--occlusion.fill is mean, grey or a number in 0..255, not 'black'"),
        ("--occlusion.fill=300", "--occlusion.fill is mean, grey or a number in 0..255, not '300'"),
        ("--occlusion.others=-1", "--occlusion.others must be at least 0, not -1"),
    ],
)
def test_wrong_flags(flag, message, run_folder, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run_visualize(
            [f"--ckpt={run_folder}", "--figure=occlusion", f"--out={tmp_path}", "--images=3", flag], monkeypatch
        )
    assert stop.value.code == 2 and message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_lies_outside_of_the_image_is_told_from_zero(tmp_path):
    """The projection of the image itself, within, and three others of which half is outside; all of zeros."""
    (found,) = occlude_images(bright_pixel_run(), np.full((1, 12, 12, 3), 9, np.uint8), [1], square=Square(3, 3))
    found = found._replace(projection=np.zeros((24, 24, 3)), patch=np.full((24, 24, 3), 9.0))
    zeros, patches = np.zeros((3, 24, 24, 3)), half_outside(3, 24, 24, 3)
    for name, seen in (("edge", patches), ("within", np.nan_to_num(patches))):
        others = [FeatureMap(found.channel, zeros, seen, np.ones(3))]
        draw_occlusion([found], others, ["val 1"], ["a", "b"], tmp_path / f"{name}.png", title="", caption="")
    (outside, zero), (none, all_zero) = tones(tmp_path / "edge.png"), tones(tmp_path / "within.png")
    assert outside - none == pytest.approx(all_zero * 3 / 8, rel=0.1) and zero == pytest.approx(
        all_zero * 5 / 8, rel=0.1
    )
    assert "mid-grey is zero, light grey is outside the image, each" in words_of(tmp_path / "edge.png")[1]
    assert none < outside / 50 and "outside" not in words_of(tmp_path / "within.png")[1]
