"""The strongest places of maps and of directions against sorting everything; boxes by hand; pictures of a run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import TINY, canvas_side, middle, random_params, run_of
from runs import random_run, run_script
from test_mining import Noise

from zfjax.cli import visualize
from zfjax.convnet import forward
from zfjax.errors import InputError
from zfjax.paper.top_activations import Winners, strongest_activations
from zfjax.paper.units.draw import draw_maximal_activations
from zfjax.paper.units.measure import Strongest, along, random_directions, show_strongest, strongest_places


def test_directions_are_unit_vectors_and_point_anywhere():
    vectors = random_directions(np.random.default_rng(0), 6, 4000)
    assert vectors.shape == (6, 4000) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=0), 1, rtol=1e-6)
    np.testing.assert_allclose(vectors @ vectors.T / 4000, np.eye(6) / 6, atol=0.01)  # no axis is special


def test_a_direction_along_an_axis_is_that_map():
    maps = np.random.default_rng(1).normal(size=(2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(along(maps, jnp.eye(5)[:, [3, 0]]), maps[..., [3, 0]])
    np.testing.assert_allclose(along(maps, jnp.full((5, 1), 0.5))[..., 0], maps.sum(-1) / 2, rtol=1e-5)


@pytest.fixture(scope="module")
def searched():
    """A run, its source, directions, and what the search found."""
    mean = np.full((canvas_side(TINY), canvas_side(TINY), 3), 127.0, np.float32)
    run = run_of(TINY, jax.tree.map(jnp.asarray, random_params(TINY)), mean, ("a",) * 5, {}, 0)
    source = Noise(9, canvas_side(TINY))
    directions = {
        "conv2": random_directions(np.random.default_rng(2), 6, 3),
        "pool2": np.zeros((6, 0), np.float32),
    }
    return run, source, directions, *strongest_places(run, source, directions, top=4, batch_size=4)


def test_one_pass_serves_maps_and_directions(searched):
    run, source, directions, units, mixed = searched
    alone = strongest_activations(run, source, ["conv2", "pool2"], top=4, batch_size=4)
    for layer in alone:
        jax.tree.map(np.testing.assert_array_equal, units[layer], alone[layer])
    assert mixed["pool2"].value.shape == (0, 4)

    crops = middle(source.images, run.mean, 40)
    maps = np.asarray(jax.jit(forward, static_argnums=0)(TINY, run.params, crops).activations["conv2"])
    components = maps @ directions["conv2"]
    for number in range(3):
        best = components[..., number].reshape(9, -1).max(axis=1)
        order = np.argsort(-best)[:4]
        assert mixed["conv2"].image[number].tolist() == order.tolist()
        np.testing.assert_allclose(mixed["conv2"].value[number], best[order], rtol=1e-4)
        for image, row, col in zip(order, mixed["conv2"].row[number], mixed["conv2"].col[number], strict=True):
            assert components[image, row, col, number] == pytest.approx(best[image], rel=1e-4)


def test_images_and_boxes_by_hand(searched):
    run, source = searched[:2]
    winners = Winners(
        np.array([[2.0, 1.0, 0.0], [-1.0, -2.0, -np.inf]]),
        *(np.array([[4, 0, 1], [3, 2, -1]]), np.array([[0, 2, 0], [1, 1, -1]]), np.array([[1, 0, 0], [2, 1, -1]])),
    )
    first, second = show_strongest(run, source, "conv2", winners, {0: "map 0", 1: "direction 1"})
    field = TINY.receptive_field("conv2")
    assert first.name == "map 0" and first.values.tolist() == [2, 1] and first.numbers.tolist() == [4, 0]
    assert second.values.tolist() == [-1, -2]  # below zero, but there
    offset, stride = field.offset, field.stride
    corners = [[offset, offset + stride], [offset + 2 * stride, offset]]
    assert first.boxes.tolist() == [[*corner, field.size, field.size] for corner in corners]
    np.testing.assert_array_equal(first.images[0], source.images[4, 3:43, 3:43])


def test_boxes_and_values_are_drawn_on_their_images(tmp_path):
    """The box is the only white on a black image; rows with fewer images keep white places."""
    from PIL import Image

    black = np.zeros((2, 50, 50, 1), np.uint8)
    boxes = np.array([[10, 20, 25, 25], [-5, 40, 30, 30]])
    rows = [Strongest("map 3", black, boxes, np.array([123.4, 0.5]), np.arange(2))]
    rows.append(Strongest("direction 1", black[:1], np.array([[-9, -9, 99, 99]]), np.array([-2.0]), np.arange(1)))
    draw_maximal_activations(rows, tmp_path / "a.png", title="t", caption="c")
    draw_maximal_activations(rows, tmp_path / "a.svg", title="t", caption="c")
    picture = (tmp_path / "a.svg").read_text()
    assert all(f">{text}<" in picture for text in ("123", "0.500", "-2.00", "map", "3", "direction"))
    dots = np.asarray(Image.open(tmp_path / "a.png").convert("L"))
    dark = dots < 10
    left = np.flatnonzero(dark.sum(axis=0) > 0.5 * dark.sum(axis=0).max())[0] + 2  # of the images; letters are thin
    down = np.flatnonzero(dark[:, left])
    scale = (np.flatnonzero(np.diff(down) > 1)[0] + 1) / 50  # the first image, above its value
    image = dots[down[0] :, left - 2 :][: int(50 * scale) - 1, : int(50 * scale) - 1]
    columns, lines = np.flatnonzero(image.max(axis=0) > 200) / scale, np.flatnonzero(image.max(axis=1) > 200) / scale
    assert columns.min() == pytest.approx(20, abs=0.8) and columns.max() == pytest.approx(45, abs=0.8)
    assert lines.min() == pytest.approx(10, abs=0.8) and lines.max() == pytest.approx(35, abs=0.8)


def test_nothing_to_draw(tmp_path):
    with pytest.raises(InputError, match="no images to draw"):
        empty = np.zeros((0, 4, 4, 3), np.uint8), np.zeros((0, 4)), np.zeros(0), np.zeros(0)
        draw_maximal_activations([Strongest("map 0", *empty)], tmp_path / "a.png", title="t", caption="c")


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return random_run(tmp_path_factory.mktemp("maximal") / "tiny")


def test_from_end_to_end(run_folder, tmp_path, monkeypatch, capsys):
    flags = [f"--ckpt={run_folder}", f"--out={tmp_path}", "--figure=maximal_activations", "--limit=10", "--top=3"]
    run_script(visualize, [*flags, "--format=svg", "--maximal_activations.directions=2"], monkeypatch)
    assert capsys.readouterr().out.split() == [str(tmp_path / "maximal_activations_conv3.svg")]
    picture = (tmp_path / "maximal_activations_conv3.svg").read_text()
    assert "conv3: the 3 images that each map responds to most" in picture and "10 of the validation split" in picture
    assert picture.count(">direction<") == 2 and 1 <= picture.count(">map<") <= 6
    more = ["--layers=pool1", "--maps=1,5", "--maximal_activations.directions=0"]
    run_script(visualize, [*flags, "--format=svg", *more], monkeypatch)
    picture = (tmp_path / "maximal_activations_pool1.svg").read_text()
    assert picture.count(">map<") == 2 and "direction" not in picture


@pytest.mark.parametrize(
    "flag, message",
    [
        ("--maximal_activations.directions=-1", "directions must be at least 0, not -1"),
        ("--maximal_activations.units=0", "units must be at least 1, not 0"),
        ("--maps=6", "conv3 has maps 0 to 5; --maps asks for 6"),
        ("--layers=pool9", "unknown layer 'pool9'"),
    ],
)
def test_wrong_flags(flag, message, run_folder, tmp_path, monkeypatch, capsys):
    flags = [f"--ckpt={run_folder}", "--figure=maximal_activations", f"--out={tmp_path}", flag]
    with pytest.raises(SystemExit) as stop:
        run_script(visualize, flags, monkeypatch)
    said = capsys.readouterr().err.strip()
    assert stop.value.code == 2 and said.startswith("error: ") and "\n" not in said and message in said
