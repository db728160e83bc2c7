"""All maps of a layer: the numbers are the network's, and every map is where and as bright as it should be."""

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest
from nets import TINY, canvas_side, middle, random_params, run_of
from PIL import Image
from runs import random_run, run_script
from test_mining import Noise

from zfjax.cli import visualize
from zfjax.convnet import forward
from zfjax.errors import InputError
from zfjax.paper.units.command import _slugs
from zfjax.paper.units.draw import _cells, _limits, draw_activations
from zfjax.paper.units.measure import layer_maps
from zfjax.paper.view import View

IMAGE = np.full((8, 8, 3), 200, np.uint8)


def test_the_numbers_are_those_of_the_network():
    mean = np.full((canvas_side(TINY), canvas_side(TINY), 3), 127.0, np.float32)
    run = run_of(TINY, jax.tree.map(jnp.asarray, random_params(TINY)), mean, ("a",) * 5, {}, 0)
    canvases = Noise(2, canvas_side(TINY)).images
    found = layer_maps(run, canvases, ["fc4", "conv2"])
    crops = middle(canvases, mean, 40)
    expected = jax.jit(forward, static_argnums=0)(TINY, run.params, crops).activations
    assert len(found) == 2
    for number, seen in enumerate(found):
        np.testing.assert_array_equal(seen.image, canvases[number, 3:43, 3:43])
        assert set(seen.maps) == {"fc4", "conv2"} and seen.maps["fc4"].shape == (1, 1, 10)
        for layer, activations in seen.maps.items():
            np.testing.assert_allclose(activations, expected[layer][number], rtol=1e-3, atol=1e-4)


def test_scales_by_hand():
    maps = np.zeros((2, 2, 3), np.float32)
    maps[..., 0], maps[0, 0, 1] = [[1, 2], [3, 4]], 8
    low, high = _limits(maps, False, 100)
    assert low.tolist() == [0, 0, 0] and high.tolist() == [8, 8, 8]
    assert _limits(maps, False, 50)[1].tolist() == [3, 3, 3]  # of 1, 2, 3, 4, 8: zeros do not vote
    low, high = _limits(maps, True, 100)
    assert low.tolist() == [0, 0, 0] and high.tolist() == [4, 8, 0]
    low, high = _limits(maps - 5, False, 100)
    assert low.tolist() == [-5, -5, -5] and high.tolist() == [3, 3, 3]


def test_cells_by_hand():
    colours = np.round(255 * np.array(matplotlib.colormaps["viridis"]([0.0, 0.5, 1.0]))[:, :3])
    maps = np.array([[[0.0, 0], [2, 0]], [[4, 0], [9, 0]]])
    cells = _cells(maps, np.zeros(2), np.full(2, 4.0), np.array([False, True]))
    assert cells.shape == (2, 24, 24, 3)
    for (row, col), shade in {(0, 0): 0, (0, 1): 1, (1, 0): 2, (1, 1): 2}.items():  # 9 is clipped to 4
        assert (cells[0, 12 * row : 12 * row + 12, 12 * col : 12 * col + 12] == colours[shade]).all()
    silent = cells[1]
    assert (silent[:, :, 0] == silent[:, :, 2]).all() and (silent.diagonal() == 150).all() and silent[0, -1, 0] == 237


def draw(path, maps, **options):
    draw_activations(IMAGE, maps, path, title="conv1: maps", caption="Image: val 3.", **options)
    return path.read_bytes()


def test_every_map_has_its_number_and_silent_ones_are_counted(tmp_path):
    maps = np.random.default_rng(0).uniform(size=(5, 5, 12)).astype(np.float32)
    maps[..., [2, 7]] = 0
    picture = draw(tmp_path / "a.svg", maps).decode()
    assert all(f">{number}<" in picture for number in range(12))
    assert "one scale, from 0 to the 99.5 percentile" in picture
    assert "without response here, 2" in " ".join(picture.split())
    own = draw(tmp_path / "b.svg", maps, per_map=True).decode()
    assert "each map on a scale of its own" in own and ">highest<" in own


def test_small_maps_are_numbered_by_rows(tmp_path):
    picture = draw(tmp_path / "a.svg", np.random.default_rng(0).uniform(size=(3, 3, 400)).astype(np.float32)).decode()
    assert ">0<" in picture and ">1<" not in picture
    strip = draw(tmp_path / "b.svg", np.random.default_rng(0).uniform(size=(1, 1, 4096)).astype(np.float32)).decode()
    assert all(f">{number}<" in strip for number in (0, 384, 768)) and "4,096 units" in strip
    assert ">128<" not in strip  # every third row: the numbers must not overlap


def test_the_image_is_beside_the_maps(tmp_path):
    draw(tmp_path / "a.png", np.ones((4, 4, 6), np.float32) * np.arange(6) + np.eye(4)[..., None].astype(np.float32))
    dots = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    inch = dots.shape[1] / 7
    assert (dots[int(0.7 * inch), int(0.6 * inch)] == 200).all()  # the grey image
    assert (dots[int(0.7 * inch), int(1.4 * inch)] == 255).all()  # then the page


@pytest.mark.parametrize("maps", [np.ones((2, 3)), np.ones((2, 2, 0)), np.full((2, 2, 1), np.nan)])
def test_no_activations(maps, tmp_path):
    with pytest.raises(InputError, match=r"finite, \[height, width, maps\]"):
        draw(tmp_path / "a.png", maps)


def test_all_zero_layers_can_be_drawn(tmp_path):
    assert draw(tmp_path / "a.png", np.zeros((3, 3, 4))) and draw(tmp_path / "b.png", np.zeros((1, 1, 4)))


def test_names_of_files():
    assert _slugs(["val 17", "my dog.jpg", "..png", "é", "../a\n"]) == ["val17", "mydog", "image", "é", "a"]
    assert _slugs(["a.jpg", "b.jpg", "a.png"]) == ["a_1", "b", "a_3"]


@pytest.mark.parametrize("stem", ["features_../../conv1", "features_inception_3a/1x1", "/conv1", "a\nb", ".."])
def test_a_picture_stays_in_its_folder(stem, tmp_path):
    view = View("", None, tmp_path)  # type: ignore[arg-type]
    assert view.path(stem).parent == tmp_path and view.path(stem).suffix == ".png" and view.path(stem) != view.path("x")


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return random_run(tmp_path_factory.mktemp("activations") / "tiny")


def test_from_end_to_end(run_folder, tmp_path, monkeypatch, capsys):
    flags = [f"--ckpt={run_folder}", f"--out={tmp_path}", "--figure=activations", "--format=svg"]
    run_script(visualize, [*flags, "--layers=conv2,fc5", "--images=3,13"], monkeypatch)
    names = [f"activations_{layer}_val{number}.svg" for layer in ("conv2", "fc5") for number in (3, 13)]
    assert capsys.readouterr().out.split() == [str(tmp_path / name) for name in names]
    picture = (tmp_path / names[0]).read_text()
    assert "conv2: 6 maps of 9×9" in picture and "face." in picture
    assert "fc5: 10 activations" in (tmp_path / names[2]).read_text()


@pytest.mark.parametrize(
    "flag, message", [("--layers=conv9", "unknown layer 'conv9'"), ("--images=1000", "--images asks for 1000")]
)
def test_wrong_flags(flag, message, run_folder, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run_script(visualize, [f"--ckpt={run_folder}", "--figure=activations", f"--out={tmp_path}", flag], monkeypatch)
    said = capsys.readouterr().err.strip()
    assert stop.value.code == 2 and said.startswith("error: ") and "\n" not in said and message in said
